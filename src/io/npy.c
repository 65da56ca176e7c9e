/* Arrays in the .npy format, versions 1.0 to 3.0.  The caller provides the reading of bytes (npy.h), so that files and
 * archives share this code. */
#include "io/npy_kinds.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "atled/files.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/unset_tensor.h"
#include "files/atomic_file.h"
#include "files/input_file.h"

/* ---- the data ---------------------------------------------------------------------------------------------------- */

static void swap_bytes(unsigned char *elements, int64_t count, int size)
{
    for (; count > 0; count--, elements += size) {
        for (int low = 0, high = size - 1; low < high; low++, high--) {
            unsigned char byte = elements[low];
            elements[low] = elements[high];
            elements[high] = byte;
        }
    }
}

/* Reports the element that does not fit: its index among all elements of the file, and its value in the file's type. */
static void refuse_value(const atl_npy_source *source, const atl_npy_header *header, int64_t place,
                         const unsigned char *bytes)
{
    char value[32] = "";
    int64_t whole;
    double real;
    uint32_t unsigned_whole;
    if (header->kind->letter == 'f') {
        memcpy(&real, bytes, sizeof real);
        snprintf(value, sizeof value, "%g", real);
    } else if (header->kind->size == 8) {
        memcpy(&whole, bytes, sizeof whole);
        snprintf(value, sizeof value, header->kind->letter == 'u' ? "%" PRIu64 : "%" PRId64, whole);
    } else {
        memcpy(&unsigned_whole, bytes, sizeof unsigned_whole);
        snprintf(value, sizeof value, "%" PRIu32, unsigned_whole);
    }
    atl_set_error(ATL_BAD_FILE,
                  "%s: element %" PRId64 " of %" PRId64
                  " is %s, which does not fit into %s: scale or clip it before saving",
                  source->label, place, header->count, value, atl_dtype_name(header->dtype));
}

/* Iterates over the elements of a tensor in Fortran order: the first index changes fastest. */
typedef struct fortran_copy {
    atl_shape shape;
    int64_t index[ATL_MAX_RANK], stride[ATL_MAX_RANK]; /* strides of row-major order, in elements */
    int64_t offset;                                    /* of the element at index */
} fortran_copy;

static fortran_copy begin_copy(atl_shape shape)
{
    fortran_copy desc = {.shape = shape};
    int64_t stride = 1;
    for (int d = shape.rank - 1; d >= 0; d--) {
        desc.stride[d] = stride;
        stride *= shape.size[d];
    }
    return desc;
}

static void scatter(fortran_copy *desc, const uint32_t *from, uint32_t *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        to[desc->offset] = from[i];
        for (int d = 0; d < desc->shape.rank; d++) {
            desc->offset += desc->stride[d];
            if (++desc->index[d] < desc->shape.size[d])
                break;
            desc->offset -= desc->stride[d] * desc->shape.size[d];
            desc->index[d] = 0;
        }
    }
}

enum { CHUNK = 4096 }; /* elements converted at a time */

/* Both possible types have four bytes, so moving elements does not depend on the type. */
static uint32_t *cells(const atl_tensor *tensor) { return (uint32_t *)atl_npy_elements(tensor); }

/* Reads the file's elements in chunks, converts them to this machine's byte order and to the tensor's type, and stores
 * them. */
static atl_status read_converted(const atl_npy_source *source, const atl_npy_header *header, atl_tensor *tensor)
{
    unsigned char raw[CHUNK * 8];
    uint32_t converted[CHUNK];
    int size = header->kind->size;
    fortran_copy desc = begin_copy(header->shape);
    for (int64_t done = 0, count; done < header->count; done += count) {
        count = header->count - done < CHUNK ? header->count - done : CHUNK;
        atl_status status = atl_npy_read_bytes(source, raw, count * size);
        if (status)
            return status;
        if (header->big_endian != atl_is_big_endian_machine())
            swap_bytes(raw, count, size);
        uint32_t *to = header->fortran_order ? converted : cells(tensor) + done;
        int64_t fitting = header->kind->convert(raw, to, count);
        if (fitting < count) {
            refuse_value(source, header, done + fitting, raw + fitting * size);
            return ATL_BAD_FILE;
        }
        if (header->fortran_order)
            scatter(&desc, converted, cells(tensor), count);
    }
    return ATL_OK;
}

/* True if the bytes are already those of the tensor: the usual case, without a copy. */
static int is_stored_as_needed(const atl_npy_header *header)
{
    return header->kind->size == 4 && header->kind->letter != 'u' && !header->fortran_order &&
           header->big_endian == atl_is_big_endian_machine();
}

/* Reads the tensor's elements, and checks that nothing follows: reading to the end makes an archive check its
 * checksum. */
static atl_status fill_tensor(const atl_npy_source *source, const atl_npy_header *header, atl_tensor *tensor)
{
    char beyond;
    atl_status status = is_stored_as_needed(header) ? atl_npy_read_bytes(source, cells(tensor), header->count * 4)
                                                    : read_converted(source, header, tensor);
    int64_t more = status ? 0 : source->read(source->from, &beyond, 1);
    if (more > 0)
        return atl_set_error(ATL_BAD_FILE, "%s: is longer than it says: fetch or save it again", source->label);
    return more < 0 ? atl_error_status() : status;
}

atl_status atl_npy_read_data(const atl_npy_source *source, const atl_npy_header *header, atl_tensor **tensor_out)
{
    *tensor_out = NULL;
    /* The memory is not touched before there are elements for it: a damaged file's claims cost nothing. */
    atl_tensor *tensor = atl_tensor_unset(header->dtype, header->shape);
    if (!tensor)
        return atl_set_error(ATL_OUT_OF_MEMORY, "%s: out of memory for its %" PRId64 " elements", source->label,
                             header->count);
    atl_status status = fill_tensor(source, header, tensor);
    if (status)
        atl_tensor_free(tensor);
    else
        *tensor_out = tensor;
    return status;
}

atl_status atl_npy_read(const atl_npy_source *source, atl_tensor **tensor_out)
{
    atl_npy_header header;
    *tensor_out = NULL;
    atl_status status = atl_npy_read_header(source, &header);
    return status ? status : atl_npy_read_data(source, &header, tensor_out);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

const void *atl_npy_elements(const atl_tensor *tensor)
{
    switch (atl_tensor_dtype(tensor)) {
    case ATL_INT32:
        return atl_ints(tensor);
    case ATL_FLOAT64:
        return atl_doubles(tensor);
    default:
        return atl_floats(tensor);
    }
}

int atl_npy_format_header(char *header_out, const atl_tensor *tensor)
{
    atl_shape shape = atl_tensor_shape(tensor);
    char sizes[ATL_MAX_RANK * 22 + 1] = "";
    int length = 0;
    for (int d = 0; d < shape.rank; d++)
        length += snprintf(sizes + length, sizeof sizes - (size_t)length, d ? ", %" PRId64 : "%" PRId64, shape.size[d]);
    atl_dtype dtype = atl_tensor_dtype(tensor);
    /* 10 bytes precede the dictionary, which ends in a newline. */
    int text = snprintf(header_out + 10, ATL_NPY_HEADER_SIZE - 10,
                        "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (%s%s), }",
                        atl_is_big_endian_machine() ? '>' : '<', dtype == ATL_INT32 ? 'i' : 'f',
                        (int)atl_dtype_size(dtype), sizes, shape.rank == 1 ? "," : "");
    int total = (10 + text + 1 + 63) / 64 * 64;
    memset(header_out + 10 + text, ' ', (size_t)(total - 10 - text));
    header_out[total - 1] = '\n';
    memcpy(header_out, "\x93NUMPY\x01\x00", 8);
    header_out[8] = (char)((total - 10) & 255);
    header_out[9] = (char)((total - 10) >> 8);
    return total;
}

atl_status atl_write_npy(const char *path, const atl_tensor *tensor)
{
    if (!tensor)
        return atl_set_error(ATL_INVALID, "'%s' was not written: the tensor is null", path ? path : "");
    char header[ATL_NPY_HEADER_SIZE];
    int length = atl_npy_format_header(header, tensor);
    size_t bytes = (size_t)atl_tensor_count(tensor) * atl_dtype_size(atl_tensor_dtype(tensor));
    atl_atomic_file *file;
    atl_status status = atl_atomic_open(&file, path);
    if (status)
        return status;
    FILE *stream = atl_atomic_stream(file);
    errno = 0;
    if (fwrite(header, 1, (size_t)length, stream) != (size_t)length ||
        fwrite(atl_npy_elements(tensor), 1, bytes, stream) != bytes)
        return atl_atomic_fail(file, ATL_BAD_FILE, strerror(errno));
    return atl_atomic_commit(file);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int64_t read_stream(void *from, void *bytes, int64_t size)
{
    errno = 0;
    size_t got = fread(bytes, 1, (size_t)size, from);
    if ((int64_t)got == size || !ferror((FILE *)from))
        return (int64_t)got;
    atl_set_error(ATL_BAD_FILE, "reading an .npy array failed: %s", strerror(errno));
    return -1;
}

/* "'path'", cut when it is very long. */
static const char *label_of(const char *path, char *label, size_t size)
{
    snprintf(label, size, "'%.900s'", path);
    return label;
}

atl_tensor *atl_read_npy(const char *path)
{
    char label[1024];
    atl_npy_source source = {.read = read_stream};
    FILE *stream;
    if (atl_open_input(path, "a .npy array", &stream, &source.size) != ATL_OK)
        return NULL;
    source.from = stream;
    source.label = label_of(path, label, sizeof label);
    atl_tensor *tensor;
    atl_npy_read(&source, &tensor);
    fclose(stream);
    return tensor;
}
