/* The wire format, written: https://protobuf.dev/programming-guides/encoding/ */
#include <string.h>

#include "graph/memory.h"
#include "onnx/write.h"

static int make_room(onnx_bytes *to, int64_t more)
{
    if (to->failed || more > INT64_MAX / 4 - to->size)
        return to->failed = 1, 0;
    if (to->size + more <= to->capacity)
        return 1;
    int64_t capacity = 2 * (to->size + more) + 64;
    unsigned char *larger = atl_reallocate(to->at, (size_t)capacity, 1);
    if (!larger)
        return to->failed = 1, 0;
    to->at = larger;
    to->capacity = capacity;
    return 1;
}

static void put_varint(onnx_bytes *to, uint64_t value)
{
    if (!make_room(to, 10))
        return;
    for (; value >= 128; value >>= 7)
        to->at[to->size++] = (unsigned char)(value | 128);
    to->at[to->size++] = (unsigned char)value;
}

static void put_raw(onnx_bytes *to, const void *data, int64_t size)
{
    if (!size || !make_room(to, size))
        return;
    memcpy(to->at + to->size, data, (size_t)size);
    to->size += size;
}

void onnx_put_int(onnx_bytes *to, int field, int64_t value)
{
    put_varint(to, (uint64_t)field << 3);
    put_varint(to, (uint64_t)value);
}

void onnx_put_float(onnx_bytes *to, int field, float value)
{
    put_varint(to, (uint64_t)field << 3 | 5);
    put_raw(to, &value, sizeof value);
}

void onnx_put_extent(onnx_bytes *to, int field, int64_t size)
{
    put_varint(to, (uint64_t)field << 3 | 2);
    put_varint(to, (uint64_t)size);
}

void onnx_put_bytes(onnx_bytes *to, int field, const void *data, int64_t size)
{
    onnx_put_extent(to, field, size);
    put_raw(to, data, size);
}

void onnx_put_text(onnx_bytes *to, int field, const char *text)
{
    onnx_put_bytes(to, field, text, (int64_t)strlen(text));
}

void onnx_put_message(onnx_bytes *to, int field, onnx_bytes *inner)
{
    to->failed |= inner->failed;
    onnx_put_bytes(to, field, inner->at, inner->size);
    atl_release(inner->at);
    *inner = (onnx_bytes){0};
}
