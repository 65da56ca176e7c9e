/* A data set in memory, and its readers: one file per format. */
#ifndef ATLED_IO_DATASET_H
#define ATLED_IO_DATASET_H

#include "atled/data.h"

struct atl_dataset {
    int64_t count;
    int64_t height, width, channels;
    int classes;
    unsigned char *bytes; /* [count, height, width, channels]: one of the two */
    float *floats;
    int32_t *labels; /* [count], in 0..classes-1 */
    char **names;    /* of the classes; null, or `classes` of them */
};

/* A data set of that size without examples, or null. */
atl_dataset *atl_new_dataset(int64_t height, int64_t width, int64_t channels, int classes);
/* Makes room for `more` images of bytes; the caller sets their labels and pixels. */
atl_status atl_extend_dataset(atl_dataset *data, int64_t more);
atl_status atl_name_class(atl_dataset *data, int label, const char *name);

/* Each reader sets *data_out, or fails. */
atl_status atl_read_cifar10(const char *folder, atl_part part, atl_dataset **data_out);
atl_status atl_read_mnist(const char *folder, atl_part part, atl_dataset **data_out);
atl_status atl_read_class_folders(const char *folder, atl_dataset **data_out);
atl_status atl_read_npz_dataset(const char *path, atl_dataset **data_out);

/* True if FOLDER/NAME exists. */
int atl_is_in_folder(const char *folder, const char *name);
#define ATL_PATH_SIZE 4096
/* "FOLDER/NAME" */
const char *atl_path_in(char path[ATL_PATH_SIZE], const char *folder, const char *name);

#endif
