/* Files: NumPy arrays and archives, weights, and images.
 *
 * Writing: the new file is created beside the target and replaces it when it is complete and on the disk; on failure (a
 * full disk) the target is unchanged.  Links are followed; a device or a pipe is written directly.  A process that is
 * killed while it writes leaves a hidden file (".NAME.NUMBER-NUMBER"); the next writer of NAME removes it. Reading:
 * every size is checked against the file before memory is allocated for it.  An invalid file gives ATL_BAD_FILE, with a
 * message that names the file and the entry, what was expected and found, and a remedy. */
#ifndef ATLED_FILES_H
#define ATLED_FILES_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- .npy (NumPy format 1.0 to 3.0) ------------------------------------------------------------------------------
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html Reads either byte order and either memory
 * order.  float16/32/64 become ATL_FLOAT32; integers of any size and bool become ATL_INT32.  A value that does not fit
 * is an error; NaN and infinity fit.  The caller frees the tensor. */
ATL_API atl_tensor *atl_read_npy(const char *path);                           /* null on failure; see atl_error() */
ATL_API atl_status atl_write_npy(const char *path, const atl_tensor *tensor); /* of any type, unconverted */

/* ---- .npz: a zip of .npy ------------------------------------------------------------------------------------------
 * Only one thread at a time may use an open archive.  Entries that are not .npy are ignored. */
typedef struct atl_npz atl_npz;
ATL_API atl_npz *atl_npz_open(const char *path);   /* null on failure */
ATL_API void atl_npz_close(atl_npz *npz);          /* null is allowed */
ATL_API int64_t atl_npz_count(const atl_npz *npz); /* of entries */
/* Without .npy; null if out of range; lives as long as npz. */
ATL_API const char *atl_npz_name(const atl_npz *npz, int64_t index);
ATL_API bool atl_npz_has(const atl_npz *npz, const char *name); /* an entry of that name, without .npy */
/* The shape of an entry, without reading its data. */
ATL_API atl_status atl_npz_shape(const atl_npz *npz, const char *name, atl_shape *shape_out);
ATL_API atl_tensor *atl_npz_read(const atl_npz *npz, const char *name); /* null on failure; the caller frees it */

typedef struct atl_npz_entry {
    const char *name;
    const atl_tensor *value;
} atl_npz_entry;
/* At least one array; names must differ.  Stored uncompressed and without a time: the same arrays give the same
 * bytes. */
ATL_API atl_status atl_write_npz(const char *path, int64_t count, const atl_npz_entry *entries);

/* ---- .safetensors ------------------------------------------------------------------------------------------------
 * https://github.com/huggingface/safetensors  F16, BF16, F32 and F64 become ATL_FLOAT32; whole numbers and BOOL become
 * ATL_INT32; a value that does not fit is an error, and so is an array of another type once it is read.  A header of
 * more than 32 MiB, arrays that overlap and bytes that belong to none are errors.  Only one thread at a time may use an
 * open file. */
typedef struct atl_safetensors atl_safetensors;
ATL_API atl_safetensors *atl_safetensors_open(const char *path);    /* null on failure */
ATL_API void atl_safetensors_close(atl_safetensors *file);          /* null is allowed */
ATL_API int64_t atl_safetensors_count(const atl_safetensors *file); /* of tensors */
/* In the order of their data; null if out of range; lives as long as the file. */
ATL_API const char *atl_safetensors_name(const atl_safetensors *file, int64_t index);
ATL_API bool atl_safetensors_has(const atl_safetensors *file, const char *name);
ATL_API atl_status atl_safetensors_shape(const atl_safetensors *file, const char *name, atl_shape *shape_out);
/* Null on failure; the caller frees it. */
ATL_API atl_tensor *atl_safetensors_read(const atl_safetensors *file, const char *name);
/* At least one array, of any type, unconverted; names are UTF-8 and must differ.  The same arrays give the same
 * bytes. */
ATL_API atl_status atl_write_safetensors(const char *path, int64_t count, const atl_npz_entry *entries);
/* True of names that end in ".safetensors", in any case of letters. */
ATL_API bool atl_is_safetensors_name(const char *path);

/* ---- the weights of a graph --------------------------------------------------------------------------------------
 * What loading found, also if it failed: numbers of variables and entries, and a text with the first names of each
 * kind. */
typedef struct atl_npz_report {
    int64_t matched;   /* variables with an entry that fits them */
    int64_t missing;   /* variables without an entry */
    int64_t extra;     /* entries that match no variable */
    int64_t differing; /* entries of another type or shape */
    char text[1800];   /* "12 fit; 2 missing: 'fc8/weights' [4096, 10], ..." */
} atl_npz_report;

/* The key of one variable, in place of its name: {"conv1/weights", "features.0.weight"}. */
typedef struct atl_weight_name {
    const char *variable; /* null ends the list */
    const char *key;
} atl_weight_name;
#define ATL_WEIGHT_NAMES(...) ((const atl_weight_name[]){__VA_ARGS__, {NULL, NULL}})

/* Loads and saves the variables of a graph.  The key of a variable is its name, unless .names has another one for it;
 * .suffixes replaces the last part of the name: with {"_W", "_b"} conv1/weights is conv1_W and conv1/biases is
 * conv1_b. */
typedef struct atl_npz_args {
    atl_graph *graph;
    const char *path;
    const atl_weight_name *names; /* keys of variables; one that the graph lacks is an error */
    const char *suffixes[6];      /* for /weights, /biases, /scale, /shift, /mean, /variance; null: unchanged */
    bool allow_missing; /* load: variables that the archive lacks keep their values, but at least one must be found */
    bool allow_extra;   /* load: ignores entries that match no variable, such as PyTorch's num_batches_tracked */
    /* Leaves out what belongs to training: optimizers' variables, counters (atl_variable_set_state) */
    bool weights_only;
    /* Save: moving averages instead of the weights, where they exist; implies weights_only.  Batch norm's statistics
     * remain those of the weights: see atl_copy_variables. */
    bool averages;
    atl_npz_report *report_out; /* load: filled if not null */
    int end_;
} atl_npz_args;
/* Reads and checks everything before it changes anything: on failure all variables are unchanged.  The message names
 * missing entries, extra entries, and entries that differ, with the expected and the found shape.  A float variable
 * accepts float16/32/64; integers for it are an error.  With .weights_only, a checkpoint serves as a file of weights:
 * all weights must be there, and other entries are ignored.  atl_graph_error() also keeps failures. */
ATL_API atl_status atl_load_npz_with(const atl_npz_args *args);
ATL_API atl_status atl_save_npz_with(const atl_npz_args *args);
#define atl_load_npz(...) atl_load_npz_with(ATL_OPTIONS_(atl_npz_args, __VA_ARGS__))
#define atl_save_npz(...) atl_save_npz_with(ATL_OPTIONS_(atl_npz_args, __VA_ARGS__))
/* The same for both formats: .safetensors if the path ends like that, else .npz.  BF16 counts as the other float types
 * do. */
ATL_API atl_status atl_load_weights_with(const atl_npz_args *args);
ATL_API atl_status atl_save_weights_with(const atl_npz_args *args);
#define atl_load_weights(...) atl_load_weights_with(ATL_OPTIONS_(atl_npz_args, __VA_ARGS__))
#define atl_save_weights(...) atl_save_weights_with(ATL_OPTIONS_(atl_npz_args, __VA_ARGS__))

/* ---- images: float32 [height, width, 3] or [1, height, width, 3], RGB, 0..255 ------------------------------------ */
#define ATL_MAX_PIXELS 100000000
/* Reads PNG or JPEG, detected by the first bytes, as integers 0..255 in [height, width, 3].  Grey becomes three equal
 * channels, 16 bits are rounded to 8, alpha is composed over white.  A JPEG is turned upright by the camera's
 * orientation tag (Exif).  Colour profiles are ignored.  A CMYK JPEG, a damaged image and one of more than
 * ATL_MAX_PIXELS are errors; so are GIF, WebP and other formats, with a message that names the format. */
ATL_API atl_tensor *atl_read_image(const char *path); /* null on failure; the caller frees it */
/* Also writes [h, w] and [h, w, 1], as grey.  Values are rounded to nearest and clipped to 0..255; NaN is an error. */
ATL_API atl_status atl_write_png(const char *path, const atl_tensor *pixels);
/* A JPEG file in memory, of 1 or 3 channels, rounded and clipped as above.  quality: 1 to 100, on libjpeg's scale, with
 * its defaults, so colours have half the resolution.  The caller frees *bytes_out by atl_bytes_free. */
ATL_API atl_status atl_encode_jpeg(const atl_tensor *pixels, int quality, void **bytes_out, size_t *size_out);
ATL_API void atl_bytes_free(void *bytes); /* null is allowed */
/* Like atl_read_image, of a file in memory. */
ATL_API atl_tensor *atl_decode_image(const void *bytes, size_t size);
/* Bilinear; downscaling averages over the source pixels (a triangle filter as wide as two pixels of the smaller image,
 * as in Pillow).  The result is not rounded.  Any number of channels; the result has the rank of the image. */
ATL_API atl_tensor *atl_resize_image(const atl_tensor *image, int64_t height, int64_t width);
/* The usual preprocessing of ImageNet classifiers: scales the short side to `resize` and the long side in proportion,
 * rounded to nearest; then crops the centre height x width, whose corner is at floor((scaled height - height) / 2), and
 * likewise for the width. */
ATL_API atl_tensor *atl_fit_image(const atl_tensor *image, int64_t resize, int64_t height, int64_t width);

/* ---- any bytes, such as a log or a report, with the same guarantees for writing ---------------------------------- */
/* `bytes` may be null if size is 0. */
ATL_API atl_status atl_write_bytes(const char *path, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
