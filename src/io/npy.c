/* Arrays in the .npy format, versions 1.0 to 3.0.  The reading of bytes is left to the caller (npy.h), so that files
 * and archives share all of it. */
#include "io/npy.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "atled/files.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/unset_tensor.h"
#include "io/atomic_file.h"
#include "io/input_file.h"

#define SAVE_AGAIN "save it again with numpy.save"

static int is_big_endian_machine(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 0;
}

/* ---- elements ------------------------------------------------------------------------------------------------ */

/* Turns `count` elements at `from`, in this machine's byte order, into floats or int32 at `to`. Gives `count`, or the
 * place of the first value that does not fit. */
typedef int64_t convert_elements(const unsigned char *from, void *to, int64_t count);

struct atl_npy_kind {
    char letter; /* as in the header's descr */
    int size;    /* bytes of one element */
    const char *name;
    atl_dtype becomes;
    convert_elements *convert;
};

/* IEEE 754 binary16: 1 sign bit, 5 bits of exponent (bias 15), 10 of fraction. */
static float float_of_half(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float size = exponent == 31  ? (fraction ? NAN : INFINITY)
                 : exponent == 0 ? ldexpf((float)fraction, -24)
                                 : ldexpf((float)(1024 + fraction), exponent - 25);
    return half >> 15 ? -size : size;
}

static int fits_any(double x)
{
    (void)x;
    return 1;
}
/* From halfway between the largest float and the next power of two on, rounding would give infinity. */
static int fits_float(double x) { return !isfinite(x) || fabs(x) < 0x1.ffffffp127; }

#define CONVERTER(NAME, FROM, TO, FITS, CAST)                                                                          \
    static int64_t NAME(const unsigned char *from, void *to, int64_t count)                                            \
    {                                                                                                                  \
        for (int64_t i = 0; i < count; i++) {                                                                          \
            FROM x;                                                                                                    \
            memcpy(&x, from + i * (int64_t)sizeof x, sizeof x);                                                        \
            if (!(FITS))                                                                                               \
                return i;                                                                                              \
            ((TO *)to)[i] = CAST(x);                                                                                   \
        }                                                                                                              \
        return count;                                                                                                  \
    }
CONVERTER(convert_f2, uint16_t, float, fits_any(x), float_of_half)
CONVERTER(convert_f4, float, float, fits_any(x), )
CONVERTER(convert_f8, double, float, fits_float(x), (float))
CONVERTER(convert_i1, int8_t, int32_t, 1, )
CONVERTER(convert_i2, int16_t, int32_t, 1, )
CONVERTER(convert_i4, int32_t, int32_t, 1, )
CONVERTER(convert_i8, int64_t, int32_t, x >= INT32_MIN && x <= INT32_MAX, (int32_t))
CONVERTER(convert_u1, uint8_t, int32_t, 1, )
CONVERTER(convert_u2, uint16_t, int32_t, 1, )
CONVERTER(convert_u4, uint32_t, int32_t, x <= INT32_MAX, (int32_t))
CONVERTER(convert_u8, uint64_t, int32_t, x <= INT32_MAX, (int32_t))
CONVERTER(convert_bool, uint8_t, int32_t, 1, 0 !=)
#undef CONVERTER

static const atl_npy_kind kinds[] = {
    {'f', 2, "float16", ATL_FLOAT32, convert_f2}, {'f', 4, "float32", ATL_FLOAT32, convert_f4},
    {'f', 8, "float64", ATL_FLOAT32, convert_f8}, {'i', 1, "int8", ATL_INT32, convert_i1},
    {'i', 2, "int16", ATL_INT32, convert_i2},     {'i', 4, "int32", ATL_INT32, convert_i4},
    {'i', 8, "int64", ATL_INT32, convert_i8},     {'u', 1, "uint8", ATL_INT32, convert_u1},
    {'u', 2, "uint16", ATL_INT32, convert_u2},    {'u', 4, "uint32", ATL_INT32, convert_u4},
    {'u', 8, "uint64", ATL_INT32, convert_u8},    {'b', 1, "bool", ATL_INT32, convert_bool},
};

const char *atl_npy_kind_name(const atl_npy_kind *kind) { return kind->name; }

/* ---- the header: a Python dictionary -------------------------------------------------------------------------- */

/* Reads along the text of the header. The first failure sets the message; afterwards nothing moves. */
typedef struct parser {
    const char *at, *end;
    const atl_npy_source *source;
    int failed;
} parser;

static int fail_parsing(parser *p, const char *expected)
{
    if (!p->failed) {
        char found[24] = "the end of it";
        if (p->at < p->end) {
            int length = (int)(p->end - p->at < 16 ? p->end - p->at : 16);
            snprintf(found, sizeof found, "\"%.*s\"", length, p->at);
        }
        atl_set_error(ATL_BAD_FILE, "%s: the .npy header is damaged: expected %s, found %s: " SAVE_AGAIN,
                      p->source->label, expected, found);
    }
    p->failed = 1;
    return 0;
}

static int accept(parser *p, char c)
{
    while (p->at < p->end && isspace((unsigned char)*p->at))
        p->at++;
    if (p->failed || p->at == p->end || *p->at != c)
        return 0;
    p->at++;
    return 1;
}

static int expect(parser *p, char c) { return accept(p, c) || fail_parsing(p, (const char[]){'\'', c, '\'', '\0'}); }

/* 'text' or "text", into text_out. */
static int parse_string(parser *p, char *text_out, size_t size, const char *expected)
{
    char quote = accept(p, '\'') ? '\'' : '"';
    if (quote == '"' && !accept(p, '"'))
        return fail_parsing(p, expected);
    const char *close = memchr(p->at, quote, (size_t)(p->end - p->at));
    if (!close || (size_t)(close - p->at) >= size)
        return fail_parsing(p, expected);
    memcpy(text_out, p->at, (size_t)(close - p->at));
    text_out[close - p->at] = '\0';
    p->at = close + 1;
    return 1;
}

static int accept_word(parser *p, const char *word)
{
    size_t length = strlen(word);
    accept(p, ' ');
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return 0;
    p->at += length;
    return 1;
}

static int parse_bool(parser *p, int *value_out)
{
    *value_out = accept_word(p, "True");
    return *value_out || accept_word(p, "False") || fail_parsing(p, "True or False for fortran_order");
}

/* One size of the shape; Python 2 may have put an L behind it. */
static int parse_size(parser *p, int64_t *size_out)
{
    if (accept(p, '-'))
        return fail_parsing(p, "no negative size in the shape");
    int64_t size = 0;
    const char *start = p->at;
    for (; p->at < p->end && isdigit((unsigned char)*p->at); p->at++) {
        if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, *p->at - '0', &size))
            return fail_parsing(p, "sizes below 2^63 in the shape");
    }
    if (p->at == start)
        return fail_parsing(p, "a size in the shape");
    accept(p, 'L');
    *size_out = size;
    return 1;
}

/* (3, 5), (3,) or (). */
static int parse_shape(parser *p, atl_shape *shape_out)
{
    atl_shape shape = {0};
    if (!expect(p, '('))
        return 0;
    while (!accept(p, ')')) {
        int64_t size = 0;
        if (!parse_size(p, &size))
            return 0;
        if (shape.rank == ATL_MAX_RANK) {
            p->failed = 1;
            atl_set_error(ATL_BAD_FILE, "%s: the array has more than %d dimensions: reshape it before saving",
                          p->source->label, ATL_MAX_RANK);
            return 0;
        }
        shape.size[shape.rank++] = size;
        if (!accept(p, ',')) {
            if (!expect(p, ')'))
                return 0;
            break;
        }
    }
    *shape_out = shape;
    return 1;
}

static const char *words_for_letter(char letter)
{
    switch (letter) {
    case 'O':
        return "Python objects";
    case 'c':
        return "complex numbers";
    case 'S':
    case 'a':
    case 'U':
        return "text";
    case 'M':
    case 'm':
        return "times";
    case 'V':
        return "raw bytes";
    default:
        return "elements of a type that atled does not know";
    }
}

/* "<f4", "|u1", ">i8": byte order, letter, bytes. Without byte order, or with '=', it is this machine's. */
static int find_kind(parser *p, const char *descr, atl_npy_header *header)
{
    const char *type = descr + (*descr && strchr("<>=|", *descr) != NULL);
    header->big_endian = *descr == '>' || (*descr != '<' && is_big_endian_machine());
    if (strcmp(type, "?") == 0)
        type = "b1";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (type[0] == kinds[i].letter && type[1] == '0' + kinds[i].size && type[2] == '\0') {
            header->kind = &kinds[i];
            header->dtype = kinds[i].becomes;
            return 1;
        }
    }
    p->failed = 1;
    atl_set_error(ATL_BAD_FILE,
                  "%s: holds %s (type '%s'); atled reads float16, 32 and 64, int and uint of 8 to 64 bits, and bool: "
                  "convert it first, as with x.astype('float32')",
                  p->source->label, words_for_letter(*type), descr);
    return 0;
}

static int parse_descr(parser *p, atl_npy_header *header)
{
    char descr[32];
    if (accept(p, '[')) {
        p->failed = 1;
        atl_set_error(ATL_BAD_FILE,
                      "%s: holds records of several fields; atled reads arrays of numbers: save each field by itself",
                      p->source->label);
        return 0;
    }
    return parse_string(p, descr, sizeof descr, "the type of the elements, such as '<f4'") &&
           find_kind(p, descr, header);
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }   in any order, each once. */
static int parse_dictionary(parser *p, atl_npy_header *header)
{
    enum { DESCR = 1, ORDER = 2, SHAPE = 4, ALL = 7 };
    int seen = 0;
    expect(p, '{');
    while (!p->failed && !accept(p, '}')) {
        char key[32];
        if (!parse_string(p, key, sizeof key, "a key in quotes") || !expect(p, ':'))
            return 0;
        int which = strcmp(key, "descr") == 0           ? DESCR
                    : strcmp(key, "fortran_order") == 0 ? ORDER
                    : strcmp(key, "shape") == 0         ? SHAPE
                                                        : 0;
        if (!which || (seen & which))
            return fail_parsing(p, "the keys descr, fortran_order and shape, each once, before this value");
        seen |= which;
        if (which == DESCR)
            parse_descr(p, header);
        else if (which == ORDER)
            parse_bool(p, &header->fortran_order);
        else
            parse_shape(p, &header->shape);
        if (!p->failed && !accept(p, ',')) {
            expect(p, '}');
            break;
        }
    }
    accept(p, '\n'); /* and any white space before it */
    if (p->failed)
        return 0;
    if (p->at != p->end)
        return fail_parsing(p, "nothing after the dictionary");
    return seen == ALL || fail_parsing(p, "all of the keys descr, fortran_order and shape");
}

/* Elements and bytes of the data against what is there; each product checked before it is used. */
static atl_status check_sizes(const atl_npy_source *source, atl_npy_header *header)
{
    char text[200];
    int64_t bytes;
    atl_shape_text(header->shape, text, sizeof text);
    header->count = atl_shape_count(header->shape);
    if (header->count < 0 || __builtin_mul_overflow(header->count, (int64_t)header->kind->size, &bytes))
        return atl_set_error(ATL_BAD_FILE,
                             "%s: the shape %s in the .npy header has more elements than 2^63: " SAVE_AGAIN,
                             source->label, text);
    if (bytes > header->data_bytes)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: is cut short: %s of %s takes %" PRId64 " bytes, but %" PRId64
                             " follow the header: fetch or save it again",
                             source->label, text, header->kind->name, bytes, header->data_bytes);
    if (bytes < header->data_bytes)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: %" PRId64
                             " bytes follow the array %s of %s: atled reads one array a file: " SAVE_AGAIN,
                             source->label, header->data_bytes - bytes, text, header->kind->name);
    return ATL_OK;
}

/* Exactly `size` bytes. */
static atl_status read_bytes(const atl_npy_source *source, void *bytes, int64_t size)
{
    int64_t got = source->read(source->from, bytes, size);
    if (got < 0)
        return atl_error_status();
    return got == size ? ATL_OK : atl_set_error(ATL_BAD_FILE, "%s: ends early: fetch or save it again", source->label);
}

/* Magic bytes, version, and the length of the dictionary: 2 bytes in version 1, else 4, the least significant first.
 * Gives also the bytes read so far. */
static atl_status read_preamble(const atl_npy_source *source, int64_t *length_out, int64_t *read_out)
{
    unsigned char start[12] = {0};
    if (source->size < 10)
        return atl_set_error(ATL_BAD_FILE, "%s: is no .npy array: it has only %" PRId64 " bytes: " SAVE_AGAIN,
                             source->label, source->size);
    atl_status status = read_bytes(source, start, 10);
    if (status)
        return status;
    if (memcmp(start, "\x93NUMPY", 6) != 0)
        return atl_set_error(ATL_BAD_FILE, "%s: is no .npy array: it does not begin with \\x93NUMPY%s: " SAVE_AGAIN,
                             source->label, memcmp(start, "PK", 2) == 0 ? " (it is a zip: read it as .npz)" : "");
    if (start[6] < 1 || start[6] > 3)
        return atl_set_error(ATL_BAD_FILE, "%s: has .npy version %d.%d; atled reads 1.0 to 3.0: " SAVE_AGAIN,
                             source->label, start[6], start[7]);
    *read_out = start[6] == 1 ? 10 : 12;
    if (*read_out > source->size)
        return atl_set_error(ATL_BAD_FILE, "%s: ends within the .npy header: " SAVE_AGAIN, source->label);
    if (*read_out == 12 && (status = read_bytes(source, start + 10, 2)))
        return status;
    *length_out = start[8] | start[9] << 8 | start[10] << 16 | (int64_t)start[11] << 24;
    return ATL_OK;
}

atl_status atl_npy_read_header(const atl_npy_source *source, atl_npy_header *header_out)
{
    enum { LONGEST = 1 << 20 }; /* ours have 118 bytes; records of many fields are longer, and refused anyway */
    int64_t length = 0, read = 0;
    atl_status status = read_preamble(source, &length, &read);
    if (status)
        return status;
    if (length > source->size - read)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: the .npy header says that it is %" PRId64 " bytes long, but %" PRId64
                             " are left: fetch or save it again",
                             source->label, length, source->size - read);
    if (length > LONGEST)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: the .npy header is %" PRId64 " bytes long; atled reads up to %d: " SAVE_AGAIN,
                             source->label, length, LONGEST);
    char *text = atl_allocate((size_t)length + 1, 1);
    if (!text)
        return atl_set_error(ATL_OUT_OF_MEMORY, "%s: out of memory for its header", source->label);
    *header_out = (atl_npy_header){.data_bytes = source->size - read - length};
    status = read_bytes(source, text, length);
    parser p = {text, text + length, source, 0};
    if (!status)
        status = parse_dictionary(&p, header_out) ? check_sizes(source, header_out) : ATL_BAD_FILE;
    atl_release(text);
    return status;
}

/* ---- the data ------------------------------------------------------------------------------------------------- */

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

/* Names the element that does not fit: its place among all elements of the file, and its value in the file's type. */
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

/* Walks the elements of a tensor as a file in Fortran order gives them: the first index fastest. */
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

/* Both types an array can become have four bytes, so that moving elements need not know which it is. */
static uint32_t *cells(const atl_tensor *tensor) { return (uint32_t *)atl_npy_elements(tensor); }

/* The file's elements are read a chunk at a time, put into this machine's byte order, converted, and put in their
 * place. */
static atl_status read_converted(const atl_npy_source *source, const atl_npy_header *header, atl_tensor *tensor)
{
    unsigned char raw[CHUNK * 8];
    uint32_t converted[CHUNK];
    int size = header->kind->size;
    fortran_copy desc = begin_copy(header->shape);
    for (int64_t done = 0, count; done < header->count; done += count) {
        count = header->count - done < CHUNK ? header->count - done : CHUNK;
        atl_status status = read_bytes(source, raw, count * size);
        if (status)
            return status;
        if (header->big_endian != is_big_endian_machine())
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

/* The bytes are already those of the tensor: the usual case, and no copy. */
static int is_stored_as_needed(const atl_npy_header *header)
{
    return header->kind->size == 4 && header->kind->letter != 'u' && !header->fortran_order &&
           header->big_endian == is_big_endian_machine();
}

/* The tensor's elements, and that nothing follows them: reading on to the end makes an archive compare its checksum. */
static atl_status fill_tensor(const atl_npy_source *source, const atl_npy_header *header, atl_tensor *tensor)
{
    char beyond;
    atl_status status = is_stored_as_needed(header) ? read_bytes(source, cells(tensor), header->count * 4)
                                                    : read_converted(source, header, tensor);
    int64_t more = status ? 0 : source->read(source->from, &beyond, 1);
    if (more > 0)
        return atl_set_error(ATL_BAD_FILE, "%s: is longer than it says: fetch or save it again", source->label);
    return more < 0 ? atl_error_status() : status;
}

atl_status atl_npy_read_data(const atl_npy_source *source, const atl_npy_header *header, atl_tensor **tensor_out)
{
    *tensor_out = NULL;
    /* Its memory is not touched before there are elements to put there: what a damaged file claims costs nothing. */
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

/* ---- writing -------------------------------------------------------------------------------------------------- */

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
    int text =
        snprintf(header_out + 10, ATL_NPY_HEADER_SIZE - 10,
                 "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (%s%s), }", is_big_endian_machine() ? '>' : '<',
                 dtype == ATL_INT32 ? 'i' : 'f', (int)atl_dtype_size(dtype), sizes, shape.rank == 1 ? "," : "");
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

/* ---- files ---------------------------------------------------------------------------------------------------- */

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
