/* Data sets of labelled images, and the batches that training draws from them. */
#ifndef ATLED_DATA_H
#define ATLED_DATA_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- data sets: every image in memory, all of one size -------------------------------------------------------------
 * Whatever is wrong with a file is ATL_BAD_FILE, with a message that names the file, the record, and both numbers. */
typedef struct atl_dataset atl_dataset;

typedef enum atl_part {
    ATL_TRAINING = 0, /* what is learnt from */
    ATL_TEST          /* what is only ever looked at */
} atl_part;

/* Told apart by what is there.  Null on failure.
 *   FOLDER/data_batch_1.bin ..., test_batch.bin   CIFAR-10, binary: https://www.cs.toronto.edu/~kriz/cifar.html
 *   FOLDER/train-images-idx3-ubyte[.gz] ...       MNIST: https://yann.lecun.com/exdb/mnist
 *   FOLDER/train/CLASS/PICTURE, FOLDER/test/...   one sub-folder a class, in alphabetical order; PNG or JPEG
 *   FOLDER/train.npz, FOLDER/test.npz             "images" [n, h, w] or [n, h, w, channels], "labels" [n], whole numbers
 * A folder of classes without train/ and test/, or a .npz file itself, is its own training and test part. */
ATL_API atl_dataset *atl_dataset_open(const char *path, atl_part part);
/* From the caller's tensors, which are copied: float images [n, h, w, channels], int32 labels [n]. */
ATL_API atl_dataset *atl_dataset_of(const atl_tensor *images, const atl_tensor *labels);
ATL_API void atl_dataset_free(atl_dataset *data); /* null is allowed */

ATL_API int64_t atl_dataset_count(const atl_dataset *data);
ATL_API atl_shape atl_dataset_image_shape(const atl_dataset *data); /* [height, width, channels] */
ATL_API int atl_dataset_classes(const atl_dataset *data);
ATL_API const char *atl_dataset_class_name(const atl_dataset *data, int label); /* null if it has none */

/* ---- batches: cut, turned and shuffled --------------------------------------------------------------------------------
 * Ahead of the caller by a thread of their own; by the caller's threads together where these use all processors and their steps are so
 * short that the thread would take more than a fortieth of their time. */
typedef struct atl_batches atl_batches;

typedef struct atl_batches_args {
    const atl_dataset *data; /* must outlive the batches */
    int64_t size; /* examples in a batch; 0: 128.  The last of an epoch is shorter if they do not come out even */
    int64_t height, width; /* of what is cut out of each image; 0: all of it */
    int64_t pad;           /* zeros put around each image first */
    int shuffle;           /* every epoch in another order; else as in the data set */
    int random_crop;       /* anywhere; else from the middle, at floor((size - cut) / 2) */
    int flip;              /* half of them left to right */
    float brightness;      /* added: uniform in +-brightness, in the units of the pixels */
    float contrast;        /* distances from the image's mean times uniform in [1 - contrast, 1 + contrast] */
    uint64_t seed;         /* the same seed gives the same batches, whichever is asked for first */
    int64_t first;         /* the batch to begin with, counted through all epochs: to resume */
    int threads; /* of the caller's, which also make what is not ready when asked for; 0: as many as OpenMP gives */
    int end_;
} atl_batches_args;

typedef struct atl_batch {
    const atl_tensor *images; /* [count, height, width, channels], float32 */
    const atl_tensor *labels; /* [count], int32 */
    int64_t count;
    int64_t epoch; /* from 0 */
    int64_t index; /* within the epoch, from 0 */
    int last;      /* of the epoch */
} atl_batch;

/* Null on failure. */
ATL_API atl_batches *atl_batches_new_with(const atl_batches_args *args);
#define atl_batches_new(...) atl_batches_new_with(ATL_OPTIONS_(atl_batches_args, __VA_ARGS__))
ATL_API void atl_batches_free(atl_batches *batches); /* stops the thread; null is allowed */
ATL_API int64_t atl_batches_per_epoch(const atl_batches *batches);
/* The next batch, epoch after epoch without end.  It belongs to `batches` and is valid until the next call. */
ATL_API const atl_batch *atl_batches_next(atl_batches *batches);

#ifdef __cplusplus
}
#endif
#endif
