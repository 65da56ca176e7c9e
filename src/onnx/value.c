/* Values of the file: names, and the forms in which they are there. */
#include <math.h>
#include <string.h>

#include "atled/op.h"
#include "atled/reference.h"
#include "common/hash.h"
#include "common/plural.h"
#include "graph/error.h"
#include "graph/unset_tensor.h"
#include "graph/variables.h"
#include "onnx/importer.h"
#include "onnx/tensor_data.h"

/* ---- names ------------------------------------------------------------------------------------------------------- */

static size_t hash_of(const char *name)
{
    uint64_t hash = atl_hash_text(name);
    return (size_t)(hash ^ hash >> 32);
}

static onnx_value **slot_of(const onnx_scope *scope, const char *name)
{
    size_t at = hash_of(name) & (scope->slots - 1);
    while (scope->slot[at] && strcmp(scope->slot[at]->name, name) != 0)
        at = (at + 1) & (scope->slots - 1);
    return &scope->slot[at];
}

onnx_value *onnx_lookup(const onnx_scope *scope, const char *name)
{
    for (; scope; scope = scope->parent) {
        onnx_value *value = scope->slots ? *slot_of(scope, name) : NULL;
        if (value)
            return value;
    }
    return NULL;
}

static int grow(onnx_importer *importer, onnx_scope *scope)
{
    onnx_scope larger = {.slots = scope->slots ? 2 * scope->slots : 64};
    larger.slot = onnx_allocate(importer->arena, larger.slots, sizeof *larger.slot);
    if (!larger.slot)
        return 0;
    for (size_t i = 0; i < scope->slots; i++)
        if (scope->slot[i])
            *slot_of(&larger, scope->slot[i]->name) = scope->slot[i];
    scope->slot = larger.slot;
    scope->slots = larger.slots;
    return 1;
}

onnx_value *onnx_new_value(onnx_importer *importer, const char *name)
{
    onnx_scope *scope = importer->scope;
    onnx_value *value = onnx_allocate(importer->arena, 1, sizeof *value);
    if (!value || (2 * scope->used >= scope->slots && !grow(importer, scope))) {
        importer->out_of_memory = 1;
        atl_out_of_memory();
        return NULL;
    }
    value->name = name;
    onnx_value **slot = slot_of(scope, name);
    if (*slot) {
        atl_set_error(ATL_BAD_FILE, "'%.200s' is made twice: each value has one maker", name);
        return NULL;
    }
    scope->used++;
    return *slot = value;
}

void onnx_copy_value(onnx_value *value, onnx_value *from)
{
    const char *name = value->name;
    *value = *from;
    value->name = name;
    value->origin = from->origin ? from->origin : from;
}

/* ---- from tensors and numbers ------------------------------------------------------------------------------------ */

/* The tensor's elements in a tensor of the graph's types. */
static atl_tensor *read_tensor(const onnx_tensor *tensor, const char *folder)
{
    onnx_target target = onnx_is_integer(tensor->type) ? ONNX_TO_INT : ONNX_TO_FLOAT;
    if (!onnx_check_elements(tensor, folder))
        return NULL;
    atl_tensor *values =
        atl_tensor_unset(target == ONNX_TO_INT ? ATL_INT32 : ATL_FLOAT32, atl_shape_from(tensor->rank, tensor->size));
    if (!values)
        return NULL;
    void *to = target == ONNX_TO_INT ? (void *)atl_ints(values) : (void *)atl_floats(values);
    if (onnx_read_elements(tensor, folder, target, to))
        return values;
    atl_tensor_free(values);
    return NULL;
}

/* Initializers are read into the memory that their variable then has. */
static atl_node *node_of_tensor(onnx_importer *importer, const onnx_value *value)
{
    atl_tensor *values = read_tensor(value->tensor, importer->folder);
    atl_node *node = NULL;
    if (!values)
        return NULL;
    if (!value->is_initializer) {
        node = atl_constant(importer->graph, values);
        atl_tensor_free(values);
        return node;
    }
    const char *name = onnx_without_slashes(value->name), *scope = onnx_name_in(importer, NULL);
    node = atl_tensor_dtype(values) == ATL_INT32 ? atl_int_variable(importer->graph, name, value->shape, 0)
                                                 : atl_variable(importer->graph, name, value->shape, atl_zeros());
    onnx_name_in(importer, scope);
    if (node)
        atl_variable_adopt(node, values);
    else
        atl_tensor_free(values);
    return node;
}

static int32_t limited(long double x)
{
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x != x ? 0 : (int32_t)x;
}

static atl_node *constant_of(onnx_importer *importer, atl_tensor *tensor)
{
    atl_node *node = tensor ? atl_constant(importer->graph, tensor) : NULL;
    atl_tensor_free(tensor);
    return node;
}

/* batch * N + value, where N is counted when the graph runs. */
static atl_node *node_by_batch(onnx_importer *importer, const onnx_known *known, int whole)
{
    atl_tensor *times = atl_tensor_new(ATL_FLOAT32, known->shape), *plus = atl_tensor_new(ATL_FLOAT32, known->shape);
    for (int64_t i = 0; times && plus && i < known->count; i++) {
        atl_floats(times)[i] = (float)known->at[i].batch;
        atl_floats(plus)[i] = (float)known->at[i].value;
    }
    atl_node *one = constant_of(importer, atl_tensor_of_floats(ATL_SCALAR, &(float){1}));
    atl_node *n = atl_sum(atl_broadcast_like(one, onnx_sized_by_batch(importer, (onnx_number){.batch = 1})));
    atl_node *y = atl_add(atl_mul(constant_of(importer, times), n), constant_of(importer, plus));
    return whole ? atl_cast(y, ATL_INT32) : y;
}

static atl_node *node_of_known(onnx_importer *importer, const onnx_known *known, onnx_type type)
{
    int whole = onnx_is_integer(type);
    int64_t of_batch = 0;
    for (int64_t i = 0; i < known->count; i++) {
        of_batch += known->at[i].batch != 0;
        if (isnan(known->at[i].batch)) {
            atl_set_error(ATL_UNSUPPORTED,
                          "a number that is computed from an unknown size, and is no multiple of the batch, is used "
                          "as a value: fix the sizes of the inputs");
            return NULL;
        }
    }
    if (of_batch)
        return node_by_batch(importer, known, whole);
    atl_tensor *tensor = atl_tensor_new(whole ? ATL_INT32 : ATL_FLOAT32, known->shape);
    if (!tensor)
        return NULL;
    for (int64_t i = 0; i < known->count; i++)
        if (whole)
            atl_ints(tensor)[i] = limited(known->at[i].value);
        else
            atl_floats(tensor)[i] = (float)known->at[i].value;
    atl_node *node = atl_constant(importer->graph, tensor);
    atl_tensor_free(tensor);
    return node;
}

/* ---- orders of dimensions ---------------------------------------------------------------------------------------- */

int onnx_axis_in(onnx_order order, int rank, int axis)
{
    const int moved = (int)order;
    return axis == 0 ? 0 : axis <= moved ? rank - 1 - moved + axis : axis - moved;
}

/* From the file's order to another, or back. */
static atl_node *reordered(atl_node *x, onnx_order order, int back)
{
    atl_transpose_args args = {.x = x};
    int rank = atl_shape_of(x).rank;
    for (int i = 0; i < rank; i++)
        if (back)
            args.order[i] = onnx_axis_in(order, rank, i);
        else
            args.order[onnx_axis_in(order, rank, i)] = i;
    return atl_transpose_with(&args);
}

/* In the file's order, made if it is not there. */
static atl_node *as_written(onnx_importer *importer, onnx_value *value)
{
    if (value->node)
        return value->node;
    if (value->last)
        value->node = reordered(value->last, ONNX_CHANNELS_LAST, 1);
    else if (value->grouped)
        value->node = reordered(value->grouped, ONNX_GROUPS_LAST, 1);
    else if (value->origin)
        value->node = as_written(importer, value->origin);
    else if (value->tensor)
        value->node = node_of_tensor(importer, value);
    else if (value->known)
        value->node = node_of_known(importer, value->known, value->type);
    return value->node;
}

atl_node *onnx_node_in(onnx_importer *importer, onnx_value *value, onnx_order order)
{
    if (order == ONNX_AS_WRITTEN)
        return as_written(importer, value);
    if (!value->last && as_written(importer, value))
        value->last = reordered(value->node, ONNX_CHANNELS_LAST, 0);
    return value->last;
}

atl_node *onnx_made_node(const onnx_value *value)
{
    return value->last ? value->last : value->grouped ? value->grouped : value->node;
}

/* ---- known numbers ----------------------------------------------------------------------------------------------- */

enum { MOST_NUMBERS = 1 << 20 };

onnx_known *onnx_new_known(onnx_importer *importer, int is_float, atl_shape shape)
{
    int64_t count = atl_shape_count(shape);
    if (count < 0 || count > MOST_NUMBERS) {
        atl_set_error(ATL_UNSUPPORTED, "shape arithmetic with more than %d numbers", MOST_NUMBERS);
        return NULL;
    }
    onnx_known *known = onnx_allocate(importer->arena, 1, sizeof *known);
    if (!known || !(known->at = onnx_allocate(importer->arena, (size_t)count + 1, sizeof *known->at))) {
        importer->out_of_memory = 1;
        atl_out_of_memory();
        return NULL;
    }
    known->is_float = is_float;
    known->shape = shape;
    known->count = count;
    return known;
}

static onnx_known *known_of_tensor(onnx_importer *importer, const onnx_tensor *tensor)
{
    if (!onnx_check_elements(tensor, importer->folder))
        return NULL;
    onnx_known *known =
        onnx_new_known(importer, onnx_is_float(tensor->type), atl_shape_from(tensor->rank, tensor->size));
    long double *numbers = known ? onnx_allocate(importer->arena, (size_t)known->count + 1, sizeof *numbers) : NULL;
    if (!numbers || !onnx_read_elements(tensor, importer->folder, ONNX_TO_NUMBER, numbers))
        return NULL;
    for (int64_t i = 0; i < known->count; i++)
        known->at[i].value = numbers[i];
    return known;
}

static onnx_known *known_of_fed(onnx_importer *importer, const atl_tensor *tensor)
{
    int whole = atl_tensor_dtype(tensor) == ATL_INT32;
    onnx_known *known = onnx_new_known(importer, !whole, atl_tensor_shape(tensor));
    for (int64_t i = 0; known && i < known->count; i++)
        known->at[i].value = whole ? (long double)atl_ints(tensor)[i] : (long double)atl_floats(tensor)[i];
    return known;
}

/* What the nodes compute that make a constant, or a value of inputs for which the caller gave values. */
static onnx_known *known_of_node(onnx_importer *importer, onnx_value *value)
{
    atl_node *node = as_written(importer, value);
    atl_reference *run = node ? atl_reference_run(ATL_NODES(node), importer->feed) : NULL;
    const atl_tensor *made = run ? atl_reference_value(run, node) : NULL;
    onnx_known *known = made ? onnx_new_known(importer, onnx_is_float(value->type), atl_tensor_shape(made)) : NULL;
    for (int64_t i = 0; known && i < known->count; i++)
        known->at[i].value = (long double)atl_doubles(made)[i];
    atl_reference_free(run);
    return known;
}

const onnx_known *onnx_if_known(onnx_importer *importer, onnx_value *value)
{
    if (!value->known && value->tensor)
        value->known = known_of_tensor(importer, value->tensor);
    return value->known;
}

const onnx_known *onnx_numbers(onnx_op *op, int64_t i)
{
    onnx_value *value = onnx_has(op, i) ? op->input[i] : NULL;
    if (!value) {
        onnx_reject(op, "it needs an input %lld", (long long)i);
        return NULL;
    }
    if (value->tensor && !onnx_if_known(op->importer, value)) {
        onnx_reject(op, "%s", atl_error());
        return NULL;
    }
    if (!value->known && value->fed)
        value->known = known_of_fed(op->importer, value->fed);
    else if (!value->known && (value->is_constant || op->importer->feeds) && !value->is_missing && !value->sequence &&
             !*atl_graph_error(op->importer->graph))
        value->known = known_of_node(op->importer, value);
    if (!value->known)
        onnx_reject(op,
                    "the value of its input '%.200s' must be known when the graph is built, and it depends on an input "
                    "of the model",
                    value->name);
    return value->known;
}

int64_t onnx_saturated(long double x)
{
    return x >= 9223372036854775807.0L ? INT64_MAX : x <= -9223372036854775808.0L ? INT64_MIN : x != x ? 0 : (int64_t)x;
}

const onnx_known *onnx_plain_numbers(onnx_op *op, int64_t i)
{
    const onnx_known *known = onnx_numbers(op, i);
    for (int64_t k = 0; known && k < known->count; k++) {
        if (known->at[k].batch == 0)
            continue;
        onnx_reject(op, "its input '%.200s' depends on %s", op->input[i]->name,
                    isnan(known->at[k].batch) ? "an unknown size or batch: fix the sizes of the inputs"
                                              : "the unknown batch size: fix the batch");
        return NULL;
    }
    return known;
}

int onnx_whole(onnx_op *op, int64_t i, int most, int64_t *to)
{
    const onnx_known *known = onnx_plain_numbers(op, i);
    if (!known)
        return -1;
    if (known->count > most) {
        onnx_reject(op, "its input '%.200s' has %lld number%s; at most %d are read", op->input[i]->name,
                    (long long)known->count, atl_plural(known->count), most);
        return -1;
    }
    for (int64_t k = 0; k < known->count; k++)
        to[k] = onnx_saturated(known->at[k].value);
    return (int)known->count;
}

int onnx_one(onnx_op *op, int64_t i, double *to)
{
    const onnx_known *known = onnx_plain_numbers(op, i);
    if (!known)
        return 0;
    if (known->count != 1)
        return onnx_reject(op, "its input '%.200s' must be one number", op->input[i]->name);
    *to = (double)known->at[0].value;
    return 1;
}

int onnx_one_whole(onnx_op *op, int64_t i, int64_t *to)
{
    double value = 0;
    if (!onnx_one(op, i, &value))
        return 0;
    *to = onnx_saturated((long double)value);
    return 1;
}
