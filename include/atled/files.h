/* Files: NumPy arrays and archives, pictures.  All writing goes to a file beside the target, which is renamed over it. */
#ifndef ATLED_FILES_H
#define ATLED_FILES_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- .npy (NumPy format 1.0 to 3.0) ------------------------------------------------------------------------------------
 * float16/32/64 become ATL_FLOAT32; integers of any size and bool become ATL_INT32 (a value that does not fit is an error). */
ATL_API atl_tensor *atl_read_npy(const char *path);                              /* null on failure; see atl_error() */
ATL_API atl_status atl_write_npy(const char *path, const atl_tensor *tensor);

/* ---- .npz: a zip of .npy ----------------------------------------------------------------------------------------------- */
typedef struct atl_npz atl_npz;
ATL_API atl_npz *atl_npz_open(const char *path);
ATL_API void atl_npz_close(atl_npz *npz);
ATL_API int atl_npz_count(const atl_npz *npz);
ATL_API const char *atl_npz_name(const atl_npz *npz, int index); /* without .npy */
ATL_API int atl_npz_has(const atl_npz *npz, const char *name);
ATL_API atl_status atl_npz_shape(const atl_npz *npz, const char *name, atl_shape *shape_out); /* without reading the data */
ATL_API atl_tensor *atl_npz_read(const atl_npz *npz, const char *name);

typedef struct atl_npz_entry {
    const char *name;
    const atl_tensor *value;
} atl_npz_entry;
ATL_API atl_status atl_write_npz(const char *path, const atl_npz_entry *entries, int count);

/* Variables of a graph to and from an archive.  The key of a variable is its name; with .suffixes, the last part of the name
 * is replaced: {"_W", "_b"} makes conv1/weights conv1_W and conv1/biases conv1_b. */
typedef struct atl_npz_args {
    atl_graph *graph;
    const char *path;
    const char *suffixes[6]; /* for /weights, /biases, /scale, /shift, /mean, /variance; null: left as it is */
    int partial;             /* load: variables that the archive lacks keep their values; else that is an error */
    int end_;
} atl_npz_args;
/* Everything is checked before anything is changed.  The message names what is missing or differs, expected and found shape;
 * entries that no variable wants are an error too, unless .partial. */
ATL_API atl_status atl_load_npz_with(const atl_npz_args *args);
ATL_API atl_status atl_save_npz_with(const atl_npz_args *args);
#define atl_load_npz(...) atl_load_npz_with(&(atl_npz_args){__VA_ARGS__, .end_ = 0})
#define atl_save_npz(...) atl_save_npz_with(&(atl_npz_args){__VA_ARGS__, .end_ = 0})

/* ---- pictures: float32 [height, width, 3] or [1, height, width, 3], RGB, 0..255 -------------------------------------------- */
#define ATL_MAX_PIXELS 100000000
/* PNG or JPEG, told by its first bytes.  Grey becomes three equal planes, 16 bit is halved, alpha is laid over white. */
ATL_API atl_tensor *atl_read_image(const char *path);                          /* [height, width, 3] */
ATL_API atl_status atl_write_png(const char *path, const atl_tensor *pixels);  /* also [h, w], [h, w, 1]; rounded to nearest, clipped to 0..255 */
/* Bilinear, averaging over the source pixels when made smaller (antialiased, as Pillow does it). */
ATL_API atl_tensor *atl_resize_image(const atl_tensor *image, int64_t height, int64_t width);
/* The short side scaled to `resize`, then the centre height x width: how ImageNet classifiers are fed. */
ATL_API atl_tensor *atl_fit_image(const atl_tensor *image, int64_t resize, int64_t height, int64_t width);

#ifdef __cplusplus
}
#endif
#endif
