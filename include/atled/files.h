/* Files: NumPy arrays and archives, pictures.
 *
 * Writing: the new file is made beside the target and renamed over it when it is whole and on the disk; on failure (a
 * full disk) the target is as it was.  Links are followed; a device or a pipe is written directly.  A process that is
 * killed while it writes leaves a hidden file behind (".NAME.NUMBER-NUMBER"); the next writer of NAME removes it.
 * Reading: every size is checked against the file before memory is allocated for it.  Whatever is wrong with a file is
 * ATL_BAD_FILE, with a message that names the file, the entry, what was expected and found, and what to do. */
#ifndef ATLED_FILES_H
#define ATLED_FILES_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- .npy (NumPy format 1.0 to 3.0) ------------------------------------------------------------------------------
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * Either byte order and either memory order are read.  float16/32/64 become ATL_FLOAT32; integers of any size and bool
 * become ATL_INT32.  A value that does not fit is an error; NaN and infinity fit.  The caller frees the tensor. */
ATL_API atl_tensor *atl_read_npy(const char *path);                           /* null on failure; see atl_error() */
ATL_API atl_status atl_write_npy(const char *path, const atl_tensor *tensor); /* of any type, as it is */

/* ---- .npz: a zip of .npy ------------------------------------------------------------------------------------------
 * An open archive is for one thread at a time.  Entries that are not .npy are passed over. */
typedef struct atl_npz atl_npz;
ATL_API atl_npz *atl_npz_open(const char *path); /* null on failure */
ATL_API void atl_npz_close(atl_npz *npz);        /* null is allowed */
ATL_API int atl_npz_count(const atl_npz *npz);
ATL_API const char *atl_npz_name(const atl_npz *npz,
                                 int index); /* without .npy; null if out of range; lives as long as npz */
ATL_API int atl_npz_has(const atl_npz *npz, const char *name);
ATL_API atl_status atl_npz_shape(const atl_npz *npz, const char *name,
                                 atl_shape *shape_out);                 /* without reading the data */
ATL_API atl_tensor *atl_npz_read(const atl_npz *npz, const char *name); /* null on failure; the caller frees it */

typedef struct atl_npz_entry {
    const char *name;
    const atl_tensor *value;
} atl_npz_entry;
/* At least one array; names must differ.  Stored uncompressed and without the time: the same arrays make the same
 * bytes. */
ATL_API atl_status atl_write_npz(const char *path, const atl_npz_entry *entries, int count);

/* What loading found, also when it failed: numbers of variables and entries, and the first names of each kind in words. */
typedef struct atl_npz_report {
    int64_t matched;   /* variables with an entry that fits them */
    int64_t missing;   /* variables without an entry */
    int64_t extra;     /* entries that no variable wants */
    int64_t differing; /* of another type or shape */
    char text[1800];   /* "12 fit; 2 missing: 'fc8/weights' [4096, 10], ..." */
} atl_npz_report;

/* Variables of a graph to and from an archive.  The key of a variable is its name; with .suffixes, the last part of the
 * name is replaced: {"_W", "_b"} makes conv1/weights conv1_W and conv1/biases conv1_b. */
typedef struct atl_npz_args {
    atl_graph *graph;
    const char *path;
    const char *suffixes[6]; /* for /weights, /biases, /scale, /shift, /mean, /variance; null: left as it is */
    int allow_missing; /* load: variables that the archive lacks keep their values, but at least one must be found */
    int allow_extra;   /* load: entries that no variable wants are passed over, as PyTorch's num_batches_tracked */
    int weights_only;  /* leave out what belongs to training: optimizers' memory, counters (atl_variable_set_state) */
    int averages; /* save: moving averages in place of the weights, where they are kept; implies weights_only.  Batch norm's
                       * statistics stay those of the weights: see atl_copy_variables */
    atl_npz_report *report_out; /* load: filled, if not null */
    int end_;
} atl_npz_args;
/* Everything is read and checked before anything is changed: on failure all variables are as they were.  The message
 * names what is missing, what no variable wants, and what differs, with expected and found shape.  A float variable
 * takes float16/32/64; integers for it are an error.  With .weights_only, a checkpoint
 * serves as a file of weights: all weights must be there, and what else is in it is passed over.
 * Failures are also kept for atl_graph_error(). */
ATL_API atl_status atl_load_npz_with(const atl_npz_args *args);
ATL_API atl_status atl_save_npz_with(const atl_npz_args *args);
#define atl_load_npz(...) atl_load_npz_with(ATL_OPTIONS_(atl_npz_args, __VA_ARGS__))
#define atl_save_npz(...) atl_save_npz_with(ATL_OPTIONS_(atl_npz_args, __VA_ARGS__))

/* ---- pictures: float32 [height, width, 3] or [1, height, width, 3], RGB, 0..255 ------------------------------ */
#define ATL_MAX_PIXELS 100000000
/* PNG or JPEG, told by its first bytes, as whole values 0..255 in [height, width, 3].  Grey becomes three equal planes,
 * 16 bits are rounded to 8, alpha is laid over white.  Colour profiles and the camera's orientation mark are not looked
 * at.  A CMYK JPEG, a damaged picture and one of more than ATL_MAX_PIXELS are errors. */
ATL_API atl_tensor *atl_read_image(const char *path); /* null on failure; the caller frees it */
/* Also [h, w] and [h, w, 1], as grey.  Rounded to nearest, clipped to 0..255; NaN is an error. */
ATL_API atl_status atl_write_png(const char *path, const atl_tensor *pixels);
/* Bilinear, averaging over the source pixels when made smaller (a triangle as wide as two pixels of the smaller
 * picture, as Pillow does it); not rounded.  Any number of channels; the result has the rank of the image. */
ATL_API atl_tensor *atl_resize_image(const atl_tensor *image, int64_t height, int64_t width);
/* How ImageNet classifiers are fed: the short side scaled to `resize` and the long one in proportion, to nearest; then
 * the centre height x width, whose corner is at floor((scaled height - height) / 2) and the
 * same of the widths. */
ATL_API atl_tensor *atl_fit_image(const atl_tensor *image, int64_t resize, int64_t height, int64_t width);

/* ---- any bytes, such as a log or a report, by the same rules of writing -------------------------------------- */
/* `bytes` may be null if size is 0. */
ATL_API atl_status atl_write_bytes(const char *path, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
