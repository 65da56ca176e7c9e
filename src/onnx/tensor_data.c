/* Elements from raw bytes, from lists of numbers, from files beside the model. */
#include "onnx/tensor_data.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/plural.h"
#include "graph/error.h"
#include "graph/memory.h"

size_t onnx_type_size(onnx_type type)
{
    static const unsigned char size[ONNX_TYPES] = {
        [ONNX_FLOAT] = 4,  [ONNX_UINT8] = 1,  [ONNX_INT8] = 1,     [ONNX_UINT16] = 2,  [ONNX_INT16] = 2,
        [ONNX_INT32] = 4,  [ONNX_INT64] = 8,  [ONNX_BOOL] = 1,     [ONNX_FLOAT16] = 2, [ONNX_DOUBLE] = 8,
        [ONNX_UINT32] = 4, [ONNX_UINT64] = 8, [ONNX_BFLOAT16] = 2, [ONNX_UINT4] = 1,   [ONNX_INT4] = 1,
        [ONNX_UINT2] = 1,  [ONNX_INT2] = 1};
    return type < ONNX_TYPES ? size[type] : 0;
}

int onnx_narrow_bits(onnx_type type)
{
    return type == ONNX_UINT4 || type == ONNX_INT4 ? 4 : type == ONNX_UINT2 || type == ONNX_INT2 ? 2 : 0;
}

/* Elements in a byte; 1 of types that take one or more. */
static int64_t elements_in_byte(onnx_type type) { return onnx_narrow_bits(type) ? 8 / onnx_narrow_bits(type) : 1; }

int onnx_is_float(onnx_type type)
{
    return type == ONNX_FLOAT || type == ONNX_DOUBLE || type == ONNX_FLOAT16 || type == ONNX_BFLOAT16;
}

int onnx_is_integer(onnx_type type) { return onnx_type_size(type) && !onnx_is_float(type) && type != ONNX_BOOL; }

float onnx_float_of_half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float value = exponent == 0    ? ldexpf((float)fraction, -24)
                  : exponent == 31 ? fraction ? NAN : INFINITY
                                   : ldexpf((float)(fraction | 1024), exponent - 25);
    return bits >> 15 ? -value : value;
}

float onnx_float_of_bfloat16(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

int64_t onnx_tensor_count(const onnx_tensor *tensor)
{
    int64_t count = 1;
    if (tensor->rank > ATL_MAX_RANK) {
        atl_set_error(ATL_UNSUPPORTED, "'%s' has %d dimensions; the limit is %d", tensor->name, tensor->rank,
                      ATL_MAX_RANK);
        return -1;
    }
    for (int i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(count, tensor->size[i], &count) || count > INT64_MAX / 16) {
            atl_set_error(ATL_BAD_FILE, "'%s' has more elements than there are bytes in the world", tensor->name);
            return -1;
        }
    return count;
}

/* ---- conversion -------------------------------------------------------------------------------------------------- */

/* Element i of little-endian bytes: a real number in *real and 0, or a whole one in *whole and 1. */
static int decode(onnx_type type, const unsigned char *bytes, int64_t i, double *real, int64_t *whole)
{
    union {
        float f;
        double d;
        int8_t i8;
        uint8_t u8;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
    } v = {.i64 = 0};
    size_t size = onnx_type_size(type);
    int bits = onnx_narrow_bits(type);
    if (bits) {
        int value = bytes[i / (8 / bits)] >> i % (8 / bits) * bits & ((1 << bits) - 1),
            is_signed = type == ONNX_INT4 || type == ONNX_INT2;
        return *whole = is_signed && value >> (bits - 1) ? value - (1 << bits) : value, 1;
    }
    memcpy(&v, bytes + (size_t)i * size, size);
    switch (type) {
    case ONNX_FLOAT:
        return *real = (double)v.f, 0;
    case ONNX_DOUBLE:
        return *real = v.d, 0;
    case ONNX_FLOAT16:
        return *real = (double)onnx_float_of_half(v.u16), 0;
    case ONNX_BFLOAT16:
        return *real = (double)onnx_float_of_bfloat16(v.u16), 0;
    case ONNX_INT8:
        return *whole = v.i8, 1;
    case ONNX_UINT8:
        return *whole = v.u8, 1;
    case ONNX_BOOL:
        return *whole = v.u8 != 0, 1;
    case ONNX_INT16:
        return *whole = v.i16, 1;
    case ONNX_UINT16:
        return *whole = v.u16, 1;
    case ONNX_INT32:
        return *whole = v.i32, 1;
    case ONNX_UINT32:
        return *whole = v.u32, 1;
    default: /* of uint64 what lies beyond int64 is its limit */
        return *whole = type == ONNX_UINT64 && v.i64 < 0 ? INT64_MAX : v.i64, 1;
    }
}

static int32_t limited(double x)
{
    return x >= INT32_MAX ? INT32_MAX : x <= INT32_MIN ? INT32_MIN : x != x ? 0 : (int32_t)x;
}

/* `count` elements to position `at` of the target. */
static void convert(onnx_type type, const unsigned char *bytes, int64_t count, onnx_target target, void *to, int64_t at)
{
    if (type == ONNX_FLOAT && target == ONNX_TO_FLOAT) {
        memcpy((float *)to + at, bytes, (size_t)count * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        double real = 0;
        int64_t whole = 0;
        int is_whole = decode(type, bytes, i, &real, &whole);
        if (target == ONNX_TO_FLOAT)
            ((float *)to)[at + i] = is_whole ? (float)whole : (float)real;
        else if (target == ONNX_TO_INT)
            ((int32_t *)to)[at + i] = !is_whole           ? limited(real)
                                      : whole > INT32_MAX ? INT32_MAX
                                      : whole < INT32_MIN ? INT32_MIN
                                                          : (int32_t)whole;
        else
            ((long double *)to)[at + i] = is_whole ? (long double)whole : (long double)real;
    }
}

/* ---- where the elements are -------------------------------------------------------------------------------------- */

typedef struct element_run {
    const onnx_tensor *tensor;
    onnx_target target;
    void *to;
    int64_t count, done;
} element_run;

static int wrong_count(const element_run *run, int64_t found)
{
    char text[160];
    atl_set_error(ATL_BAD_FILE, "'%s' %s of type %s has %" PRId64 " element%s, but its data has %s%" PRId64,
                  run->tensor->name,
                  atl_shape_text(atl_shape_from(run->tensor->rank, run->tensor->size), text, sizeof text),
                  onnx_type_name(run->tensor->type), run->count, atl_plural(run->count),
                  found > run->count ? "at least " : "", found);
    return 0;
}

/* Elements of which several share a byte. */
static int take_narrow(element_run *run, onnx_source *source, int64_t begin, int64_t size)
{
    unsigned char chunk[16 << 10];
    int64_t in_byte = elements_in_byte(run->tensor->type), bytes = (run->count - run->done + in_byte - 1) / in_byte;
    if (size != bytes)
        return wrong_count(run, run->done + size * in_byte);
    while (size > 0) {
        int64_t some = size < (int64_t)sizeof chunk ? size : (int64_t)sizeof chunk, left = run->count - run->done;
        if (!onnx_read(source, begin, some, chunk))
            return 0;
        int64_t elements = some * in_byte < left ? some * in_byte : left;
        convert(run->tensor->type, chunk, elements, run->target, run->to, run->done);
        run->done += elements;
        begin += some;
        size -= some;
    }
    return 1;
}

/* Elements of the tensor's own type, from bytes of the source. */
static int take_bytes(element_run *run, onnx_source *source, int64_t begin, int64_t size)
{
    unsigned char chunk[16 << 10];
    onnx_type type = run->tensor->type;
    int64_t width = (int64_t)onnx_type_size(type), count = size / width;
    if (onnx_narrow_bits(type))
        return take_narrow(run, source, begin, size);
    if (size % width)
        return atl_set_error(ATL_BAD_FILE,
                             "'%s' of type %s has %" PRId64 " element%s of %" PRId64
                             " byte%s, but its data has %" PRId64 " bytes",
                             run->tensor->name, onnx_type_name(type), run->count, atl_plural(run->count), width,
                             atl_plural(width), size) == ATL_OK;
    if (count > run->count - run->done)
        return wrong_count(run, run->done + count);
    if (type == ONNX_FLOAT && run->target == ONNX_TO_FLOAT) {
        if (!onnx_read(source, begin, size, (float *)run->to + run->done))
            return 0;
        run->done += count;
        return 1;
    }
    while (count > 0) {
        int64_t some = count < (int64_t)sizeof chunk / width ? count : (int64_t)sizeof chunk / width;
        if (!onnx_read(source, begin, some * width, chunk))
            return 0;
        convert(type, chunk, some, run->target, run->to, run->done);
        run->done += some;
        begin += some * width;
        count -= some;
    }
    return 1;
}

/* One number of a list, of which the tensor's type takes the low bytes. */
static int take_number(element_run *run, uint64_t value)
{
    if (run->done >= run->count)
        return wrong_count(run, run->done + 1);
    int64_t left = run->count - run->done, in_byte = elements_in_byte(run->tensor->type);
    int64_t elements = in_byte < left ? in_byte : left;
    convert(run->tensor->type, (const unsigned char *)&value, elements, run->target, run->to, run->done);
    run->done += elements;
    return 1;
}

/* The field in which numbers of that type stand, and how. */
static int list_of(onnx_type type, onnx_wire_type *wire_out)
{
    *wire_out = type == ONNX_FLOAT ? ONNX_FIXED32 : type == ONNX_DOUBLE ? ONNX_FIXED64 : ONNX_VARINT;
    switch (type) {
    case ONNX_FLOAT:
        return 4;
    case ONNX_DOUBLE:
        return 10;
    case ONNX_INT64:
        return 7;
    case ONNX_UINT32:
    case ONNX_UINT64:
        return 11;
    default:
        return 5;
    }
}

static int take_list(element_run *run, const onnx_reader *message, const onnx_field *field, onnx_wire_type wire)
{
    uint64_t value;
    if (field->type != ONNX_BYTES)
        return field->type == wire
                   ? take_number(run, field->value)
                   : onnx_bad_wire(message, "the data of '%s' is of the wrong wire type", run->tensor->name);
    if (wire != ONNX_VARINT)
        return take_bytes(run, message->source, field->begin, field->size);
    onnx_reader list = onnx_inside(message, field);
    while (onnx_next_packed(&list, wire, &value))
        if (!take_number(run, value))
            return 0;
    return !message->source->failed;
}

static int take_message(element_run *run)
{
    onnx_reader message = {run->tensor->source, run->tensor->begin, run->tensor->end};
    onnx_field field;
    onnx_wire_type wire;
    int number = list_of(run->tensor->type, &wire);
    while (onnx_next(&message, &field)) {
        if (field.number == 9 && field.type != ONNX_BYTES)
            return onnx_bad_wire(&message, "the raw data of '%s' is of the wrong wire type", run->tensor->name);
        if (field.number == 9 && !take_bytes(run, message.source, field.begin, field.size))
            return 0;
        if (field.number == number && !take_list(run, &message, &field, wire))
            return 0;
    }
    return !message.source->failed;
}

/* ---- data in a file beside the model ----------------------------------------------------------------------------- */

/* The real path of location below the folder, to be released; null with the message set if it is outside or missing. */
static char *inside_folder(const onnx_tensor *tensor, const char *folder)
{
    char joined[PATH_MAX];
    if (!folder || !*tensor->location || *tensor->location == '/') {
        atl_set_error(ATL_BAD_FILE, "the data of '%s' is external, at '%.200s', but %s", tensor->name, tensor->location,
                      folder ? "only a path below the model's folder is followed"
                             : "the model was read from memory: read it from its file");
        return NULL;
    }
    if ((size_t)snprintf(joined, sizeof joined, "%s/%s", folder, tensor->location) >= sizeof joined) {
        atl_set_error(ATL_BAD_FILE, "the path of the data of '%s' is too long", tensor->name);
        return NULL;
    }
    char *base = realpath(folder, NULL), *path = realpath(joined, NULL);
    size_t length = base ? strlen(base) : 0;
    int fine =
        base && path && strncmp(path, base, length) == 0 && (path[length] == '/' || (length == 1 && *base == '/'));
    if (!fine)
        atl_set_error(
            ATL_BAD_FILE,
            path
                ? "the data of '%s' is external, at '%.200s', which leads out of the model's folder: it is not followed"
                : "the data of '%s' is external, but there is no file '%.200s' beside the model",
            tensor->name, tensor->location);
    char *copy = fine ? atl_copy_text(path) : NULL;
    if (fine && !copy)
        atl_out_of_memory();
    free(base);
    free(path);
    return copy;
}

/* Opens the file of the data, and finds how many bytes of it are the tensor's. */
static int open_external(const onnx_tensor *t, const char *folder, onnx_source *source, int64_t *length_out)
{
    char *path = inside_folder(t, folder);
    int64_t count = onnx_tensor_count(t);
    int opened = path && count >= 0 && !onnx_source_open(source, path, "external data of a model");
    if (opened) {
        int64_t in_byte = elements_in_byte(t->type);
        *length_out = t->length >= 0 ? t->length : (count + in_byte - 1) / in_byte * (int64_t)onnx_type_size(t->type);
        if (t->offset > source->size || *length_out > source->size - t->offset) {
            atl_set_error(ATL_BAD_FILE,
                          "the data of '%s' should be %" PRId64 " byte%s from byte %" PRId64
                          " of '%s', which has %" PRId64,
                          t->name, *length_out, atl_plural(*length_out), t->offset, path, source->size);
            onnx_source_close(source);
            opened = 0;
        }
    }
    if (opened)
        source->name = t->location;
    atl_release(path);
    return opened;
}

static int take_external(element_run *run, const char *folder)
{
    onnx_source source;
    int64_t length;
    if (!open_external(run->tensor, folder, &source, &length))
        return 0;
    int fine = take_bytes(run, &source, run->tensor->offset, length);
    onnx_source_close(&source);
    return fine;
}

/* Each element takes at least one byte of the message, or its part of one. */
int onnx_check_elements(const onnx_tensor *tensor, const char *folder)
{
    int64_t count = onnx_tensor_count(tensor), length = tensor->end - tensor->begin;
    onnx_source source;
    if (count < 0)
        return 0;
    if (tensor->is_external) {
        if (!open_external(tensor, folder, &source, &length))
            return 0;
        onnx_source_close(&source);
    }
    if (count / elements_in_byte(tensor->type) <= length)
        return 1;
    char text[160];
    atl_set_error(ATL_BAD_FILE,
                  "'%s' %s of type %s has %" PRId64 " element%s, but its data has at most %" PRId64 " byte%s",
                  tensor->name, atl_shape_text(atl_shape_from(tensor->rank, tensor->size), text, sizeof text),
                  onnx_type_name(tensor->type), count, atl_plural(count), length, atl_plural(length));
    return 0;
}

int onnx_read_elements(const onnx_tensor *tensor, const char *folder, onnx_target target, void *to)
{
    element_run run = {.tensor = tensor, .target = target, .to = to, .count = onnx_tensor_count(tensor)};
    if (run.count < 0)
        return 0;
    if (!onnx_type_size(tensor->type)) {
        atl_set_error(ATL_UNSUPPORTED, "'%s' is of type %s, which is not read", tensor->name,
                      onnx_type_name(tensor->type));
        return 0;
    }
    if (!(tensor->is_external ? take_external(&run, folder) : take_message(&run)))
        return 0;
    return run.done == run.count ? 1 : wrong_count(&run, run.done);
}
