/* A file of weights for reading: .npz, or .safetensors if its name ends like that. */
#ifndef ATLED_IO_WEIGHT_FILE_H
#define ATLED_IO_WEIGHT_FILE_H

#include "atled/files.h"

/* One of the two is open. */
typedef struct atl_weight_file {
    atl_npz *npz;
    atl_safetensors *safetensors;
} atl_weight_file;

typedef struct atl_weight_header {
    const char *kind; /* the stored type: "float16", "BF16" */
    int is_read;      /* 0: a type that is not read; then there is no dtype */
    atl_dtype dtype;
    atl_shape shape;
} atl_weight_header;

atl_status atl_weight_file_open(const char *path, atl_weight_file *file_out);
void atl_weight_file_close(atl_weight_file *file);
int64_t atl_weight_file_count(const atl_weight_file *file);
const char *atl_weight_file_name(const atl_weight_file *file, int64_t index);
int atl_weight_file_has(const atl_weight_file *file, const char *name);
/* The entry must be there.  The header is valid as long as the file is open. */
atl_status atl_weight_file_header(const atl_weight_file *file, const char *name, atl_weight_header *header_out);
atl_status atl_weight_file_read(const atl_weight_file *file, const char *name, atl_tensor **tensor_out);

#endif
