/* The .npy format, read from and written to anything that carries bytes: a file, or an entry of an .npz archive.
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef ATLED_IO_NPY_H
#define ATLED_IO_NPY_H

#include "atled/tensor.h"

/* Where the bytes of an array come from. */
typedef struct atl_npy_source {
    /* Reads the next `size` bytes, or as many as are left: how many, or -1 with atl_error() set. */
    int64_t (*read)(void *from, void *bytes, int64_t size);
    void *from;
    int64_t size;      /* bytes in all: what the file or the archive's directory says */
    const char *label; /* for messages: "'x.npy'", "'weights.npz', entry 'conv1'" */
} atl_npy_source;

typedef struct atl_npy_kind atl_npy_kind;

/* What the header says. */
typedef struct atl_npy_header {
    const atl_npy_kind *kind; /* how the elements are stored */
    atl_dtype dtype;          /* what they become */
    atl_shape shape;
    int64_t count;      /* elements */
    int64_t data_bytes; /* from the end of the header to the end of the source */
    int big_endian;
    int fortran_order; /* the first index runs fastest */
} atl_npy_header;

/* The name of how the elements are stored, "float16" or "uint8", as NumPy has it. */
const char *atl_npy_kind_name(const atl_npy_kind *kind);

/* Reads the header and checks that it makes sense and fits the size of the source. */
atl_status atl_npy_read_header(const atl_npy_source *source, atl_npy_header *header_out);

/* Reads the elements that follow the header, to the end of the source. *tensor_out is null on failure. */
atl_status atl_npy_read_data(const atl_npy_source *source, const atl_npy_header *header, atl_tensor **tensor_out);

/* Both of the above. */
atl_status atl_npy_read(const atl_npy_source *source, atl_tensor **tensor_out);

/* Writes the bytes that precede the elements of a tensor in row-major order and in the byte order of this machine; how
 * many they are: a multiple of 64, as NumPy makes it, at most ATL_NPY_HEADER_SIZE. */
#define ATL_NPY_HEADER_SIZE 384
int atl_npy_format_header(char *header_out, const atl_tensor *tensor);

/* The elements, whatever their type. */
const void *atl_npy_elements(const atl_tensor *tensor);

#endif
