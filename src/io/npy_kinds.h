/* The stored element types of an .npy array, and their conversion to floats and int32. */
#ifndef ATLED_IO_NPY_KINDS_H
#define ATLED_IO_NPY_KINDS_H

#include "io/npy.h"

#define SAVE_AGAIN "save it again with numpy.save"

/* Converts `count` elements at `from`, in this machine's byte order, to floats or int32 at `to`.  Returns `count`, or
 * the index of the first value that does not fit. */
typedef int64_t atl_convert_elements(const unsigned char *from, void *to, int64_t count);

struct atl_npy_kind {
    char letter; /* as in the header's descr */
    int size;    /* bytes of one element */
    const char *name;
    atl_dtype becomes;
    atl_convert_elements *convert;
};

/* The kind of a type in NumPy's notation without byte order, "f4" or "b1"; null if atled does not read it. */
const atl_npy_kind *atl_npy_kind_of(const char *type);

/* Reads exactly `size` bytes of the source. */
atl_status atl_npy_read_bytes(const atl_npy_source *source, void *bytes, int64_t size);

static inline int atl_is_big_endian_machine(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 0;
}

#endif
