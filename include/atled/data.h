/* Data sets of labelled images, and the batches that training takes from them. */
#ifndef ATLED_DATA_H
#define ATLED_DATA_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- data sets: all images in memory, all of one size --------------------------------------------------------------
 * An invalid file gives ATL_BAD_FILE, with a message that names the file and the record, and the expected and actual
 * numbers. */
typedef struct atl_dataset atl_dataset;

typedef enum atl_part {
    ATL_TRAINING = 0, /* for training */
    ATL_TEST          /* for evaluation only */
} atl_part;

/* Detects the format from the files.  Null on failure.
 *   FOLDER/data_batch_1.bin ..., test_batch.bin   CIFAR-10, binary: https://www.cs.toronto.edu/~kriz/cifar.html
 *   FOLDER/train-images-idx3-ubyte[.gz] ...       MNIST: https://yann.lecun.com/exdb/mnist
 *   FOLDER/train/CLASS/IMAGE, FOLDER/test/...     one sub-folder per class, in alphabetical order; PNG or JPEG
 *   FOLDER/train.npz, FOLDER/test.npz             "images" [n, h, w] or [n, h, w, channels], "labels" [n], integers
 * A folder of classes without train/ and test/, or a .npz file itself, is both its training and its test part. */
ATL_API atl_dataset *atl_dataset_open(const char *path, atl_part part);
/* Copies the caller's tensors: float images [n, h, w, channels], int32 labels [n]. */
ATL_API atl_dataset *atl_dataset_of(const atl_tensor *images, const atl_tensor *labels);
ATL_API void atl_dataset_free(atl_dataset *data); /* null is allowed */

ATL_API int64_t atl_dataset_count(const atl_dataset *data);                     /* of images */
ATL_API atl_shape atl_dataset_image_shape(const atl_dataset *data);             /* [height, width, channels] */
ATL_API int atl_dataset_classes(const atl_dataset *data);                       /* number of classes */
ATL_API const char *atl_dataset_class_name(const atl_dataset *data, int label); /* null if it has none */

/* ---- batches: cropped, flipped and shuffled -------------------------------------------------------------------------
 * A separate thread prepares them ahead of the caller.  If the caller's threads use all processors, and their steps are
 * so short that this thread would take more than a fortieth of their time, the caller's threads prepare them together
 * instead. */
typedef struct atl_batches atl_batches;

typedef struct atl_batches_args {
    const atl_dataset *data; /* must outlive the batches */
    int64_t size;            /* examples per batch; 0: 128.  The last batch of an epoch may be smaller */
    int64_t height, width;   /* of the crop taken from each image; 0: the whole image */
    int64_t pad;             /* zeros added on each side of an image before the crop */
    bool shuffle;            /* a new order in every epoch; otherwise the order of the data set */
    bool random_crop;        /* at a random position; otherwise the centre, at floor((size - crop) / 2) */
    bool flip;               /* flips half of the images left to right */
    float brightness;        /* added value: uniform in +-brightness, in the unit of the pixels */
    /* Scales the difference from the image's mean by a factor uniform in [1 - contrast, 1 + contrast]. */
    float contrast;
    uint64_t seed; /* the same seed gives the same batches, in any order of access */
    int64_t first; /* the first batch, counted over all epochs: to resume training */
    int threads;   /* the caller's threads, which also prepare a batch that is not ready in time; 0: OpenMP's number */
    /* Micro-batches: each batch is divided into .parts parts of nearly equal size (0: 1), which come one after another,
     * each as an atl_batch.  A rank takes .part_count of them (0: all), from .first_part on. */
    int64_t parts, first_part, part_count;
    int end_;
} atl_batches_args;

typedef struct atl_batch {
    const atl_tensor *images; /* [count, height, width, channels], float32; null if a part has no examples */
    const atl_tensor *labels; /* [count], int32; null likewise */
    int64_t count;
    int64_t epoch; /* from 0 */
    int64_t index; /* of the batch, within the epoch, from 0 */
    bool last;     /* the last batch of the epoch, and the last part of it that is asked for */
    int64_t part;  /* of the batch, from 0 */
    int64_t whole; /* examples of the batch in all its parts */
} atl_batch;

/* Null on failure. */
ATL_API atl_batches *atl_batches_new_with(const atl_batches_args *args);
#define atl_batches_new(...) atl_batches_new_with(ATL_OPTIONS_(atl_batches_args, __VA_ARGS__))
ATL_API void atl_batches_free(atl_batches *batches); /* stops the thread; null is allowed */
ATL_API int64_t atl_batches_per_epoch(const atl_batches *batches);
/* The next batch; epochs repeat without end.  It belongs to `batches` and is valid until the next call. */
ATL_API const atl_batch *atl_batches_next(atl_batches *batches);

#ifdef __cplusplus
}
#endif
#endif
