/* Shapes: counting without overflow, comparison, text. */
#include "atled/tensor.h"

#include <stdio.h>
#include <string.h>

atl_shape atl_shape_from(int rank, const int64_t *sizes)
{
    atl_shape shape = {.rank = rank > 0 && !sizes ? -1 : rank}; /* a rank of -1 is rejected by every function */
    if (shape.rank > 0 && shape.rank <= ATL_MAX_RANK)
        memcpy(shape.size, sizes, (size_t)rank * sizeof *sizes);
    return shape;
}

/* Strides are products of sizes.  One size may be 0, so the product of the others must not overflow by itself. */
int64_t atl_shape_count(atl_shape shape)
{
    int64_t count = 1;
    int zero = 0;
    if (shape.rank < 0 || shape.rank > ATL_MAX_RANK)
        return -1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.size[i] == 0)
            zero = 1;
        else if (shape.size[i] < 0 || __builtin_mul_overflow(count, shape.size[i], &count))
            return -1;
    }
    return zero ? 0 : count;
}

bool atl_shape_equal(atl_shape a, atl_shape b)
{
    if (a.rank != b.rank || a.rank < 0 || a.rank > ATL_MAX_RANK) /* there are no sizes to compare beyond that */
        return 0;
    for (int i = 0; i < a.rank; i++)
        if (a.size[i] != b.size[i])
            return 0;
    return 1;
}

char *atl_shape_text(atl_shape shape, char *text, size_t size)
{
    size_t at = 0;
    if (!text || !size)
        return text;
    at += (size_t)snprintf(text, size, "[");
    for (int i = 0; i < shape.rank && i < ATL_MAX_RANK && at < size; i++) {
        const char *comma = i ? ", " : "";
        if (shape.size[i] == ATL_ANY)
            at += (size_t)snprintf(text + at, size - at, "%s?", comma);
        else
            at += (size_t)snprintf(text + at, size - at, "%s%lld", comma, (long long)shape.size[i]);
    }
    if (at < size)
        snprintf(text + at, size - at, "]");
    return text;
}
