/* Nodes, constants and small moves, as the writers of ops emit them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/memory.h"
#include "onnx/write.h"

enum { FLOAT = 1, INT32 = 6, INT64 = 7, BOOL = 9 }; /* TensorProto.DataType */

const char *onnx_cannot_write(onnx_writer *w, const char *format, ...)
{
    va_list arguments;
    if (!*w->why) {
        va_start(arguments, format);
        vsnprintf(w->why, sizeof w->why, format, arguments);
        va_end(arguments);
    }
    return NULL;
}

/* A name that no node of the graph has: it begins with more of these signs than any of theirs. */
static const char *new_name(onnx_writer *w)
{
    char name[ATL_NAME_SIZE + 32];
    size_t signs = w->signs < ATL_NAME_SIZE ? (size_t)w->signs : ATL_NAME_SIZE;
    memset(name, '~', signs);
    int length = (int)signs + snprintf(name + signs, 32, "%lld", (long long)w->made++);
    const char *copy = onnx_copy_text(&w->arena, name, (size_t)length);
    return copy ? copy : onnx_cannot_write(w, "out of memory");
}

static void put_attribute(onnx_bytes *node, const onnx_written_attribute *a)
{
    onnx_bytes message = {0};
    onnx_put_text(&message, 1, a->name);
    if (a->text) {
        onnx_put_text(&message, 4, a->text);
        onnx_put_int(&message, 20, 3);
    } else if (a->is_float) {
        onnx_put_float(&message, 2, a->number);
        onnx_put_int(&message, 20, 1);
    } else if (a->integers) {
        for (int i = 0; i < a->count; i++)
            onnx_put_int(&message, 8, a->integers[i]);
        onnx_put_int(&message, 20, 7);
    } else {
        onnx_put_int(&message, 3, a->integer);
        onnx_put_int(&message, 20, 2);
    }
    onnx_put_message(node, 5, &message);
}

const char *onnx_emit_two(onnx_writer *w, const char *op, int inputs, const char *const *input,
                          const onnx_written_attribute *attributes, const char **second)
{
    onnx_bytes node = {0};
    const char *output = new_name(w), *other = second ? new_name(w) : NULL;
    int given = inputs;
    for (int i = 0; i < inputs; i++)
        if (!input[i])
            return *w->why ? NULL : onnx_cannot_write(w, "out of memory");
    while (given > 0 && !*input[given - 1])
        given--;
    if (!output || (second && !other))
        return NULL;
    for (int i = 0; i < given; i++)
        onnx_put_text(&node, 1, input[i]);
    onnx_put_text(&node, 2, output);
    if (second)
        onnx_put_text(&node, 2, *second = other);
    onnx_put_text(&node, 4, op);
    for (const onnx_written_attribute *a = attributes; a && a->name; a++)
        put_attribute(&node, a);
    onnx_put_message(&w->nodes, 1, &node);
    return w->nodes.failed ? onnx_cannot_write(w, "out of memory") : output;
}

/* A constant of a few bytes, which are copied. */
static const char *write_constant(onnx_writer *w, int type, atl_shape shape, const void *data, int64_t size)
{
    onnx_bytes tensor = {0};
    const char *name = new_name(w);
    for (int i = 0; i < shape.rank; i++)
        onnx_put_int(&tensor, 1, shape.size[i]);
    onnx_put_int(&tensor, 2, type);
    onnx_put_text(&tensor, 8, name ? name : "");
    onnx_put_bytes(&tensor, 9, data, size);
    onnx_put_message(&w->nodes, 5, &tensor);
    return w->nodes.failed ? onnx_cannot_write(w, "out of memory") : name;
}

const char *onnx_write_float(onnx_writer *w, float value)
{
    return write_constant(w, FLOAT, ATL_SCALAR, &value, sizeof value);
}

const char *onnx_write_floats(onnx_writer *w, atl_shape shape, const float *values)
{
    return write_constant(w, FLOAT, shape, values, atl_shape_count(shape) * (int64_t)sizeof *values);
}

const char *onnx_write_ints(onnx_writer *w, int count, const int64_t *values)
{
    return write_constant(w, INT64, ATL_SHAPE(count), values, count * (int64_t)sizeof *values);
}

const char *onnx_write_int32s(onnx_writer *w, int count, const int32_t *values)
{
    return write_constant(w, INT32, ATL_SHAPE(count), values, count * (int64_t)sizeof *values);
}

const char *onnx_write_shape_of(onnx_writer *w, const atl_node *x, const char *name)
{
    atl_shape shape = atl_shape_of(x);
    return atl_shape_count(shape) >= 0 ? onnx_write_ints(w, shape.rank, shape.size) : ONNX_EMIT(w, "Shape", NULL, name);
}

const char *onnx_write_transpose(onnx_writer *w, const char *x, int rank, const int *order)
{
    int64_t perm[ATL_MAX_RANK];
    for (int i = 0; i < rank; i++)
        perm[i] = order[i];
    return ONNX_EMIT(w, "Transpose", ONNX_ATTRIBUTES({"perm", rank, perm}), x);
}

const char *onnx_write_reshape(onnx_writer *w, const char *x, int rank, const int64_t *size)
{
    return ONNX_EMIT(w, "Reshape", NULL, x, onnx_write_ints(w, rank, size));
}

const char *onnx_write_slice(onnx_writer *w, const char *x, int axis, int64_t begin, int64_t end, int64_t step)
{
    int64_t of[] = {axis};
    return ONNX_EMIT(w, "Slice", NULL, x, onnx_write_ints(w, 1, &begin), onnx_write_ints(w, 1, &end),
                     onnx_write_ints(w, 1, of), onnx_write_ints(w, 1, &step));
}

const char *onnx_write_cast(onnx_writer *w, const char *x, int64_t type)
{
    return ONNX_EMIT(w, "Cast", ONNX_ATTRIBUTES({"to", .integer = type}), x);
}
const char *onnx_write_truth(onnx_writer *w, const char *x) { return onnx_write_cast(w, x, BOOL); }
