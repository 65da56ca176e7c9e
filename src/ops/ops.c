/* Functions shared by the files of src/ops. */
#include "ops/ops.h"

#include <stdarg.h>
#include <stdlib.h>

#include "graph/memory.h"
#include "ops/attributes.h"

/* The ends of the table, which the linker makes. Hidden, for gold would show them to programs. */
__attribute__((visibility("hidden"))) extern const atl_op *const __start_atl_ops[], *const __stop_atl_ops[];
__attribute__((visibility("hidden"))) extern const atl_op *const __start_atl_composed[], *const __stop_atl_composed[];

const atl_op *const *atl_composed_ops(int *count)
{
    *count = (int)(__stop_atl_composed - __start_atl_composed);
    return __start_atl_composed;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const atl_op *const *)a)->name, (*(const atl_op *const *)b)->name);
}

const atl_op *const *atl_builtin_ops(int64_t *count_out)
{
    static const atl_op *table[512];
    static _Atomic int state; /* 0: not sorted, 1: being sorted, 2: ready */
    int n = (int)(__stop_atl_ops - __start_atl_ops), expected = 0;
    if (atomic_compare_exchange_strong(&state, &expected, 1)) {
        memcpy(table, __start_atl_ops, (size_t)n * sizeof *table);
        qsort(table, (size_t)n, sizeof *table, by_name);
        atomic_store(&state, 2);
    }
    while (atomic_load(&state) != 2) {}
    if (count_out)
        *count_out = n;
    return table;
}

const atl_op *atl_op_of_length(const char *name, size_t length)
{
    int64_t count, first = 0;
    const atl_op *const *op = atl_builtin_ops(&count);
    while (first < count) {
        int64_t middle = first + (count - first) / 2;
        int order = strncmp(op[middle]->name, name, length);
        if (order == 0 && op[middle]->name[length])
            order = 1;
        if (order == 0)
            return op[middle];
        if (order < 0)
            first = middle + 1;
        else
            count = middle;
    }
    return NULL;
}

const atl_op *atl_op_named(const char *name) { return name ? atl_op_of_length(name, strlen(name)) : NULL; }

int atl_axis_of(atl_node *y, int axis, int rank)
{
    if (axis >= -rank && axis < rank)
        return axis < 0 ? axis + rank : axis;
    if (rank == 0)
        atl_fail(y, "axis %d of a scalar: it has no dimensions", axis);
    else
        atl_fail(y, "axis %d is out of range for %s: it must be %d..%d", axis, SHAPE_OF(y->inputs[0]), -rank, rank - 1);
    return -1;
}

int atl_axes_of(atl_node *y, int count, const int *axis, int rank, unsigned *set_out)
{
    unsigned set = 0;
    if (count < 0 || count > rank)
        return atl_fail(y, "%d axes are too many for %s", count, SHAPE_OF(y->inputs[0]));
    for (int i = 0; i < count; i++) {
        int resolved = atl_axis_of(y, axis[i], rank);
        if (resolved < 0)
            return 0;
        if (set >> resolved & 1)
            return atl_fail(y, "axis %d of %s is given twice", resolved, SHAPE_OF(y->inputs[0]));
        set |= 1u << resolved;
    }
    if (set_out)
        *set_out = set;
    return 1;
}

bool atl_infer_same(atl_node *y) { return atl_set_type(y, y->inputs[0]->dtype, *y->inputs[0]->shape); }

int atl_require_float(atl_node *y, int i, const char *what)
{
    if (y->inputs[i]->dtype == ATL_FLOAT32)
        return 1;
    return atl_fail(y, "%s, '%s', is %s but must be float32: use atl_cast(x, ATL_FLOAT32)", what,
                    atl_name_of(y->inputs[i]), atl_dtype_name(y->inputs[i]->dtype));
}

int atl_require_int(atl_node *y, int i, const char *what)
{
    if (y->inputs[i]->dtype == ATL_INT32)
        return 1;
    return atl_fail(y, "%s, '%s', is %s but must be int32: use atl_cast(x, ATL_INT32)", what, atl_name_of(y->inputs[i]),
                    atl_dtype_name(y->inputs[i]->dtype));
}

void atl_strides_of(atl_shape shape, int64_t *strides)
{
    int64_t stride = 1;
    for (int i = shape.rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape.size[i];
    }
}

atl_axis_split atl_split_at(atl_shape shape, int axis)
{
    atl_axis_split split = {.outer = 1, .inner = 1};
    axis += axis < 0 ? shape.rank : 0;
    split.size = shape.size[axis];
    for (int i = 0; i < shape.rank; i++)
        *(i < axis ? &split.outer : &split.inner) *= i == axis ? 1 : shape.size[i];
    return split;
}

int atl_shapes_agree(atl_shape a, atl_shape b)
{
    int agree = a.rank == b.rank;
    for (int i = 0; i < a.rank && agree; i++)
        agree = a.size[i] == b.size[i] || a.size[i] == ATL_ANY || b.size[i] == ATL_ANY;
    return agree;
}

void atl_set_shape(atl_shape *to, atl_shape from)
{
    memset(to, 0, sizeof *to);
    to->rank = from.rank;
    for (int i = 0; i < from.rank && i < ATL_MAX_RANK; i++)
        to->size[i] = from.size[i];
}

atl_node *atl_unchanged(atl_node *y) { return atl_shape_equal(*y->shape, *y->inputs[0]->shape) ? y->inputs[0] : NULL; }

atl_node *atl_only_reshaped(atl_node *y)
{
    atl_node *x = y->inputs[0];
    if (atl_shape_count(*y->shape) != atl_shape_count(*x->shape))
        return NULL;
    return atl_shape_equal(*y->shape, *x->shape) ? x : atl_reshape(x, *y->shape);
}

int atl_is_read_once(const atl_node *x) { return x->read_once; }
