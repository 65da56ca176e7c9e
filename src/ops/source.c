/* Sources of values: inputs, variables, constants, and constants with the shape of another node. */
#include "graph/memory.h"
#include "graph/tensor.h"
#include "ops/ops.h"

static bool infer_source(atl_node *y)
{
    const atl_source_type *type = y->attributes;
    return atl_set_type(y, type->dtype, type->shape);
}

static const atl_op input_op = {.name = "input",
                                .attributes = sizeof(atl_source_type),
                                .flags = ATL_OP_INPUT,
                                .infer = infer_source};
ATL_BUILTIN(input_op);

/* Inputs and variables: the name is given, and must be unused. */
static atl_node *new_source(atl_graph *graph, const atl_op *op, const char *name, atl_dtype dtype, atl_shape shape)
{
    atl_source_type type;
    if (!graph)
        return NULL;
    if (!name || !name[0])
        return atl_builder_error(graph, op->name, "it needs a name, and that given is %s%s",
                                 name ? "empty" : "null: ", name ? "" : "ATL_NAME gives null for more than 255 bytes");
    const char *place = atl_graph_format(graph, "%s%s%s", graph->scope, graph->scope[0] ? "/" : "", name);
    if (!place)
        return NULL;
    if (atl_find(graph, place))
        return atl_graph_fail(graph,
                              "%s '%s': there is already a node of that name; give another name, or use a scope "
                              "(to use its value again, use the same node: see atl_find)",
                              op->name, place);
    memset(&type, 0, sizeof type); /* padding bytes are compared, too */
    type.dtype = dtype;
    type.shape = shape;
    return atl_named(atl_apply_in(graph, op, &type, 0, NULL), "%s", name);
}

atl_node *atl_input(atl_graph *graph, const char *name, atl_dtype dtype, atl_shape shape)
{
    return new_source(graph, &input_op, name, dtype, shape);
}

static const atl_op variable_op = {.name = "variable",
                                   .attributes = sizeof(atl_source_type),
                                   .flags = ATL_OP_VARIABLE | ATL_OP_SIDE_EFFECT,
                                   .infer = infer_source};
ATL_BUILTIN(variable_op);

static int give_storage(atl_node *node)
{
    node->storage = atl_graph_allocate(node->graph, sizeof *node->storage);
    if (!node->storage)
        return 0;
    node->storage->node = node;
    return 1;
}

static atl_node *new_variable(atl_graph *graph, const char *name, atl_dtype dtype, atl_shape shape,
                              atl_initializer initializer)
{
    if (!graph)
        return NULL;
    if (atl_shape_count(shape) < 0)
        return atl_graph_fail(graph, "variable '%s': the shape %s must be fully known", name ? name : "",
                              SHAPE_TEXT(shape));
    if ((unsigned)initializer.kind > ATL_INIT_INTEGER)
        return atl_graph_fail(graph, "variable '%s': there is no initializer of the kind %d", name ? name : "",
                              (int)initializer.kind);
    atl_node *node = new_source(graph, &variable_op, name, dtype, shape);
    if (!node || !give_storage(node))
        return NULL;
    if (!ATL_GROW(graph->variables, graph->variable_count, graph->variable_capacity))
        return atl_graph_out_of_memory(graph);
    graph->variables[graph->variable_count++] = node;
    node->storage->initializer = initializer;
    node->storage->version = 1;
    node->storage->rate_scale = 1;
    node->storage->is_trainable = dtype == ATL_FLOAT32;
    return node;
}

atl_node *atl_variable(atl_graph *graph, const char *name, atl_shape shape, atl_initializer initializer)
{
    return new_variable(graph, name, ATL_FLOAT32, shape, initializer);
}

atl_node *atl_int_variable(atl_graph *graph, const char *name, atl_shape shape, int32_t value)
{
    return new_variable(graph, name, ATL_INT32, shape, (atl_initializer){.kind = ATL_INIT_INTEGER, .integer = value});
}

static void describe_constant(const atl_node *y, char *text, size_t size)
{
    const atl_tensor *value = y->storage ? y->storage->value : NULL;
    text[0] = 0;
    size_t at = 0;
    for (int64_t i = 0; value && value->count <= 4 && i < value->count && at < size; i++) {
        double x = value->dtype == ATL_FLOAT32 ? atl_floats(value)[i] : atl_ints(value)[i];
        at += (size_t)snprintf(text + at, size - at, "%s%g", i ? ", " : "", x);
    }
}

static const atl_op constant_op = {.name = "constant",
                                   .attributes = sizeof(atl_source_type),
                                   .flags = ATL_OP_CONSTANT,
                                   .infer = infer_source,
                                   .describe = describe_constant};
ATL_BUILTIN(constant_op);

/* Takes ownership of the tensor, also on failure. */
static atl_node *own_constant(atl_graph *graph, atl_tensor *value)
{
    atl_source_type type;
    if (!graph || !value) {
        if (graph && atl_error_status() == ATL_OUT_OF_MEMORY)
            atl_graph_out_of_memory(graph);
        else if (graph)
            atl_graph_fail(graph, "constant: %s", atl_error());
        atl_tensor_free(value);
        return NULL;
    }
    memset(&type, 0, sizeof type);
    type.dtype = value->dtype;
    type.shape = value->shape;
    atl_node *node = atl_apply_in(graph, &constant_op, &type, 0, NULL);
    if (!node || !give_storage(node)) {
        atl_tensor_free(value);
        return NULL;
    }
    node->storage->value = value;
    return node;
}

atl_node *atl_constant(atl_graph *graph, const atl_tensor *value)
{
    return graph ? own_constant(graph, atl_tensor_copy(value)) : NULL;
}

atl_node *atl_vector(const atl_node *in_graph_of, int64_t count, const float *values)
{
    return in_graph_of ? own_constant(in_graph_of->graph, atl_tensor_of_floats(ATL_SHAPE(count), values)) : NULL;
}

atl_node *atl_scalar(const atl_node *in_graph_of, float value)
{
    return in_graph_of ? own_constant(in_graph_of->graph, atl_tensor_of_floats(ATL_SCALAR, &value)) : NULL;
}

/* fill(like): the shape of `like`, every element the same.  No gradient: only the shape of `like` is used. */
static bool infer_fill(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, *y->inputs[0]->shape); }

static void reference_fill(const atl_node *y, const double *const *x, double *result)
{
    (void)x;
    int64_t count = atl_shape_count(*y->shape);
    for (int64_t i = 0; i < count; i++)
        result[i] = *(const float *)y->attributes;
}

static void kernel_fill(const atl_node *y, const void *const *x, void *result)
{
    (void)x;
    int64_t count = atl_shape_count(*y->shape);
    for (int64_t i = 0; i < count; i++)
        ((float *)result)[i] = *(const float *)y->attributes;
}

static void describe_fill(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "%g", (double)*(const float *)y->attributes);
}

static int fill_is_uniform(const atl_node *y, float *value_out)
{
    *value_out = *(const float *)y->attributes;
    return 1;
}

static atl_node *sample_fill(atl_node *x) { return atl_add(x, atl_fill(x, 2.5f)); }

static const atl_op fill_op = {
    .name = "fill",
    .arity = 1,
    .attributes = sizeof(float),
    .shape_inputs = 1,
    .infer = infer_fill,
    .reference = reference_fill,
    .kernel = kernel_fill,
    .describe = describe_fill,
    .samples = (const atl_sample[]){{"fill", .unary = sample_fill, .input = {{2, {2, 3}}}, .inputs = 1}, {0}},
    .hooks = &(const atl_op_hooks){.uniform = fill_is_uniform}};
ATL_BUILTIN(fill_op);

atl_node *atl_fill(atl_node *like, float value) { return ATL_APPLY(&fill_op, &value, like); }

/* size_ratio(a, b): the number of elements of a divided by that of b. */
static bool infer_size_ratio(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, ATL_SCALAR); }

static void reference_size_ratio(const atl_node *y, const double *const *x, double *result)
{
    (void)x;
    *result = (double)atl_shape_count(*y->inputs[0]->shape) / (double)atl_shape_count(*y->inputs[1]->shape);
}

static void kernel_size_ratio(const atl_node *y, const void *const *x, void *result)
{
    double ratio;
    (void)x;
    reference_size_ratio(y, NULL, &ratio);
    *(float *)result = (float)ratio;
}

static int size_ratio_is_uniform(const atl_node *y, float *value_out)
{
    if (atl_shape_count(*y->inputs[0]->shape) < 0 || atl_shape_count(*y->inputs[1]->shape) <= 0)
        return 0;
    kernel_size_ratio(y, NULL, value_out);
    return 1;
}

static atl_node *sample_size_ratio(atl_node *a, atl_node *b) { return atl_mul(a, atl_size_ratio(a, b)); }

static const atl_op size_ratio_op = {.name = "size_ratio",
                                     .arity = 2,
                                     .shape_inputs = 3,
                                     .infer = infer_size_ratio,
                                     .reference = reference_size_ratio,
                                     .kernel = kernel_size_ratio,
                                     .samples = (const atl_sample[]){{"size ratio", .binary = sample_size_ratio,
                                                                      .input = {{2, {4, 3}}, {1, {5}}}, .inputs = 2},
                                                                     {0}},
                                     .hooks = &(const atl_op_hooks){.uniform = size_ratio_is_uniform}};
ATL_BUILTIN(size_ratio_op);

atl_node *atl_size_ratio(atl_node *a, atl_node *b) { return ATL_APPLY(&size_ratio_op, NULL, a, b); }
