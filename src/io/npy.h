/* The .npy format, for any source of bytes: a file, or an entry of an .npz archive. */
#ifndef ATLED_IO_NPY_H
#define ATLED_IO_NPY_H

#include "atled/tensor.h"

/* The source of an array's bytes. */
typedef struct atl_npy_source {
    /* Reads the next `size` bytes, or as many as remain; returns their number, or -1 with atl_error() set. */
    int64_t (*read)(void *from, void *bytes, int64_t size);
    void *from;
    int64_t size;      /* total bytes, from the file's size or the archive's directory */
    const char *label; /* for messages: "'x.npy'", "'weights.npz', entry 'conv1'" */
} atl_npy_source;

typedef struct atl_npy_kind atl_npy_kind;

/* The content of the header. */
typedef struct atl_npy_header {
    const atl_npy_kind *kind; /* how the elements are stored */
    atl_dtype dtype;          /* the tensor's type */
    atl_shape shape;
    int64_t count;      /* elements */
    int64_t data_bytes; /* from the end of the header to the end of the source */
    int big_endian;
    int fortran_order; /* the first index changes fastest */
} atl_npy_header;

/* NumPy's name of the stored type, "float16" or "uint8". */
const char *atl_npy_kind_name(const atl_npy_kind *kind);

/* Reads the header and checks that it makes sense and fits the size of the source. */
atl_status atl_npy_read_header(const atl_npy_source *source, atl_npy_header *header_out);

/* Reads the elements that follow the header, to the end of the source. *tensor_out is null on failure. */
atl_status atl_npy_read_data(const atl_npy_source *source, const atl_npy_header *header, atl_tensor **tensor_out);

/* Both of the above. */
atl_status atl_npy_read(const atl_npy_source *source, atl_tensor **tensor_out);

/* Writes the header of a tensor in row-major order and in the byte order of this machine; returns its size: a multiple
 * of 64, as in NumPy, at most ATL_NPY_HEADER_SIZE. */
#define ATL_NPY_HEADER_SIZE 384
int atl_npy_format_header(char *header_out, const atl_tensor *tensor);

/* The elements, whatever their type. */
const void *atl_npy_elements(const atl_tensor *tensor);

#endif
