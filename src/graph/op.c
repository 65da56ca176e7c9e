/* Applies an op: the only file that creates nodes. */
#include "graph/graph.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/plural.h"
#include "graph/memory.h"

enum { MOST_INPUTS = 1 << 20, MOST_ATTRIBUTES = 1 << 16, LONGEST_NAME = 64 };

/* Printable, without spaces, and without '/', which separates scopes. */
static int is_good_name(const char *name)
{
    size_t length = 0;
    while (name[length] > ' ' && name[length] < 127 && name[length] != '/' && length <= LONGEST_NAME)
        length++;
    return length > 0 && length <= LONGEST_NAME && !name[length];
}

/* Checks the flags that promise a property of the inputs; the compiler relies on them. */
static const char *flags_fault(const atl_op *op)
{
    unsigned flags = op->flags;
    if (flags & ~(unsigned)(2 * ATL_OP_STRAIGHT_THROUGH - 1))
        return "flags has bits that are no atl_op_flags";
    if (flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT) && op->arity != 0)
        return "a flag of the library's own sources (ATL_OP_INPUT, _VARIABLE, _CONSTANT) is set";
    if (flags & (ATL_OP_ALIAS | ATL_OP_BROADCAST | ATL_OP_STOPS_GRADIENT) && op->arity == 0)
        return "a flag about the first input is set, but there is none";
    if (flags & (ATL_OP_SUM | ATL_OP_PRODUCT) && (op->arity != 2 || !atl_is_elementwise(op)))
        return "ATL_OP_SUM and ATL_OP_PRODUCT are for element-wise ops of arity 2";
    if (flags & ATL_OP_RELU_GRAD && (op->arity != 2 || !atl_is_elementwise(op)))
        return "ATL_OP_RELU_GRAD is for element-wise ops of arity 2";
    if (flags & ATL_OP_CONCAT && op->arity == 0)
        return "ATL_OP_CONCAT is for ops that have inputs";
    if (flags & ATL_OP_RELU && (op->arity != 1 || !atl_is_elementwise(op)))
        return "ATL_OP_RELU is for an element-wise op of arity 1";
    if (flags & ATL_OP_ASSIGN && op->arity != 2)
        return "ATL_OP_ASSIGN is for ops of arity 2";
    return NULL;
}

/* Checks fields that refer to inputs beyond the arity. */
static const char *inputs_fault(const atl_op *op)
{
    if (op->arity == ATL_VARIADIC)
        return NULL;
    if (op->arity < 31 && op->shape_inputs >> op->arity)
        return "shape_inputs names an input beyond the arity";
    for (int i = op->arity; i < ATL_MAX_RULES; i++)
        if (op->gradient[i])
            return "gradient has a rule for an input beyond the arity";
    return NULL;
}

const char *atl_op_fault(const atl_op *op)
{
    if (!op)
        return "the op is null";
    if (!op->name || !op->name[0])
        return "the op has no name";
    if (!is_good_name(op->name))
        return "its name is not 1 to 64 printable characters without spaces and '/'";
    if (op->arity < ATL_VARIADIC || op->arity > 64)
        return "arity is neither 0..64 nor ATL_VARIADIC";
    if (atl_is_elementwise(op) && op->arity > ATL_MAX_RULES)
        return "an element-wise op has at most 8 inputs";
    if (op->attributes > MOST_ATTRIBUTES)
        return "attributes is more than 65536 bytes";
    if (op->function && op->arity != 1)
        return "function is for ops of arity 1; give element";
    if (!op->infer && !atl_is_elementwise(op))
        return "infer is missing, and the op is not element-wise";
    if (op->arity == 0 && !op->infer)
        return "an op without inputs needs infer";
    if (op->gradient_of && op->gradient[0])
        return "gradient and gradient_of exclude each other";
    if (!op->map && !op->function && !op->element && !op->reference && !op->kernel && !op->hooks &&
        !(op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT | ATL_OP_ALIAS)))
        return "there is nothing to compute it with: give function, element, map, reference or kernel";
    const char *fault = flags_fault(op);
    return fault ? fault : inputs_fault(op);
}

int atl_broadcast_shapes(atl_shape a, atl_shape b, atl_shape *result_out)
{
    atl_shape result = {.rank = a.rank > b.rank ? a.rank : b.rank};
    for (int i = 1; i <= result.rank; i++) { /* from the last dimension to the first */
        int64_t m = i <= a.rank ? a.size[a.rank - i] : 1, n = i <= b.rank ? b.size[b.rank - i] : 1;
        int64_t *size = &result.size[result.rank - i];
        if (m == n || n == 1)
            *size = m;
        else if (m == 1 || m == ATL_ANY)
            *size = n; /* an unknown size with n is n or 1 */
        else if (n == ATL_ANY)
            *size = m;
        else
            return 0;
    }
    *result_out = result;
    return 1;
}

/* The rule for ops without infer: float32, broadcast over all inputs. */
static bool infer_elementwise(atl_node *y)
{
    atl_shape shape = *y->inputs[0]->shape;
    char a[160], b[160];
    for (int i = 0; i < y->input_count; i++) {
        if (y->inputs[i]->dtype != ATL_FLOAT32)
            return atl_fail(y, "input %d, '%s', is %s; only float32 can be computed with: use atl_cast(x, ATL_FLOAT32)",
                            i + 1, atl_name_of(y->inputs[i]), atl_dtype_name(y->inputs[i]->dtype));
        if (!atl_broadcast_shapes(shape, *y->inputs[i]->shape, &shape))
            return atl_fail(
                y,
                "the shapes %s ('%s') and %s ('%s') cannot be broadcast: counted from the last, sizes must be "
                "equal or 1",
                atl_shape_text(*y->inputs[0]->shape, a, sizeof a), atl_name_of(y->inputs[0]),
                atl_shape_text(*y->inputs[i]->shape, b, sizeof b), atl_name_of(y->inputs[i]));
    }
    return atl_set_type(y, ATL_FLOAT32, shape);
}

/* The shape in the graph's memory: usually an input or the last node has the same one.  Null, with the error recorded:
 * out of memory. */
static const atl_shape *kept_shape(const atl_node *y, atl_shape shape)
{
    atl_graph *graph = y->graph;
    for (int i = 0; i < y->input_count && i < 4; i++)
        if (atl_shape_equal(*y->inputs[i]->shape, shape))
            return y->inputs[i]->shape;
    if (graph->shape && atl_shape_equal(*graph->shape, shape))
        return graph->shape;
    atl_shape *kept = atl_graph_allocate(graph, sizeof *kept);
    if (kept)
        graph->shape = memcpy(kept, &shape, sizeof shape);
    return kept;
}

bool atl_set_type(atl_node *y, atl_dtype dtype, atl_shape shape)
{
    char text[200];
    if (!y)
        return atl_null_argument("atl_set_type", "the node is"), 0;
    y->dtype = (uint8_t)dtype;
    y->shape = kept_shape(y, shape);
    if (!y->shape)
        return 0;
    if (dtype != ATL_FLOAT32 && dtype != ATL_INT32)
        return atl_fail(y, "the result would be %s; nodes are float32 or int32", atl_dtype_name(dtype));
    if (shape.rank < 0 || shape.rank > ATL_MAX_RANK)
        return atl_fail(y, "the result would have %d dimensions; the limit is %d", shape.rank, ATL_MAX_RANK);
    for (int i = 0; i < shape.rank; i++) {
        if (shape.size[i] < ATL_ANY)
            return atl_fail(y, "the result would have a negative size: %s", atl_shape_text(shape, text, sizeof text));
        if (shape.size[i] == ATL_ANY || shape.size[i] == 0)
            shape.size[i] = 1; /* the other sizes must not overflow by themselves: strides are made of them */
    }
    int64_t count = atl_shape_count(shape);
    if (count < 0 || count > INT64_MAX / 8)
        return atl_fail(y, "the result %s has more than 2^60 elements, or would have but for a size of 0",
                        atl_shape_text(*y->shape, text, sizeof text));
    return 1;
}

bool atl_fail(atl_node *y, const char *format, ...)
{
    char text[ATL_ERROR_SIZE], place[600];
    va_list arguments;
    if (!y || !format)
        return atl_null_argument("atl_fail", y ? "the message is" : "the node is"), 0;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    atl_graph_fail(y->graph, "%s: %s", atl_node_location(y, place, sizeof place), text);
    return 0;
}

const void *atl_attributes_of(const atl_node *node) { return node ? node->attributes : NULL; }

/* Returns 0 with the error recorded. */
static int check_call(atl_graph *graph, const atl_op *op, int count, atl_node *const *inputs)
{
    const char *fault = atl_op_fault(op);
    if (fault) {
        atl_graph_fail(graph, "%s: bad op descriptor: %s",
                       op && op->name && is_good_name(op->name) ? op->name : "atl_apply", fault);
        return 0;
    }
    if (count < 0 || count > MOST_INPUTS || (op->arity != ATL_VARIADIC && count != op->arity)) {
        atl_graph_fail(graph, "%s: takes %d input%s, but was given %d", op->name, op->arity, atl_plural(op->arity),
                       count);
        return 0;
    }
    if (atl_is_elementwise(op) && count > ATL_MAX_RULES) {
        atl_graph_fail(graph, "%s: an element-wise op takes at most %d inputs, but was given %d", op->name,
                       ATL_MAX_RULES, count);
        return 0;
    }
    for (int i = 0; i < count; i++)
        if (inputs[i]->graph != graph) {
            atl_graph_fail(graph, "%s: '%s' and '%s' are nodes of different graphs", op->name, atl_name_of(inputs[0]),
                           atl_name_of(inputs[i]));
            return 0;
        }
    return 1;
}

/* Sets graph->label to the label of new nodes.  Returns 0 if out of memory. */
static int label_nodes(atl_graph *graph)
{
    if (graph->label && graph->label->scope == graph->scope)
        return 1;
    atl_label *label = atl_graph_allocate(graph, sizeof *label);
    if (!label)
        return 0;
    label->scope = graph->scope;
    graph->label = label;
    return 1;
}

static atl_node *new_node(atl_graph *graph, const atl_op *op, const void *attributes, int count,
                          atl_node *const *inputs)
{
    size_t own = (sizeof(atl_node) + (size_t)count * sizeof *inputs + 15) / 16 * 16;
    if (graph->count >= INT32_MAX) { /* the compiler's tables refer to nodes by 32-bit indices */
        atl_graph_fail(graph, "%s: a graph cannot have more than %d nodes", op->name, INT32_MAX);
        return NULL;
    }
    char *memory = label_nodes(graph) ? atl_graph_allocate(graph, own + op->attributes) : NULL;
    if (!memory)
        return NULL;
    atl_node *node = (atl_node *)memory;
    node->graph = graph;
    node->op = op;
    node->label = graph->label;
    node->forward = graph->forward;
    node->input_count = count;
    if (count)
        memcpy(node->inputs, inputs, (size_t)count * sizeof *inputs);
    node->attributes = memory + own;
    if (op->attributes && attributes)
        memcpy(memory + own, attributes, op->attributes);
    node->index = (int32_t)graph->count;
    return node;
}

/* True if the sizes known in both agree. */
static int shapes_may_agree(atl_shape a, atl_shape b)
{
    int agree = a.rank == b.rank;
    for (int d = 0; agree && d < a.rank; d++)
        agree = a.size[d] == b.size[d] || a.size[d] == ATL_ANY || b.size[d] == ATL_ANY;
    return agree;
}

/* Checks the result of infer, because kernels rely on it.  Returns 0 with the error recorded. */
static int check_inferred(atl_node *y)
{
    char have[160], want[160];
    const atl_op *op = y->op;
    if (!y->shape)
        return atl_fail(y, "its infer function succeeded without atl_set_type: the result has no type");
    atl_shape shape = y->input_count ? *y->inputs[0]->shape : *y->shape;
    if (op->flags & ATL_OP_ASSIGN && !(y->inputs[0]->op->flags & ATL_OP_VARIABLE))
        return atl_fail(y, "input 1, '%s', must be a variable", atl_name_of(y->inputs[0]));
    if (op->flags & ATL_OP_ALIAS) {
        int64_t count = atl_shape_count(*y->shape), from = atl_shape_count(shape);
        if (y->dtype != y->inputs[0]->dtype || (count >= 0 && from >= 0 && count != from))
            return atl_fail(y,
                            "its infer function says %s %s, but the result is the memory of its first input, %s %s "
                            "(ATL_OP_ALIAS)",
                            atl_dtype_name(y->dtype), atl_shape_text(*y->shape, have, sizeof have),
                            atl_dtype_name(y->inputs[0]->dtype), atl_shape_text(shape, want, sizeof want));
    }
    if (!atl_is_elementwise(op) || !op->infer || op->reference || op->hooks)
        return 1;
    int fits = y->dtype == ATL_FLOAT32;
    for (int i = 0; fits && i < y->input_count; i++)
        fits = y->inputs[i]->dtype == ATL_FLOAT32 && atl_broadcast_shapes(shape, *y->inputs[i]->shape, &shape);
    if (!fits || !shapes_may_agree(shape, *y->shape))
        return atl_fail(y,
                        "its infer function says %s %s, but an element-wise op of these inputs gives float32 %s: leave "
                        "infer out",
                        atl_dtype_name(y->dtype), atl_shape_text(*y->shape, have, sizeof have),
                        fits ? atl_shape_text(shape, want, sizeof want) : "only");
    return 1;
}

int atl_check_same_type(const atl_node *built, atl_node *now)
{
    char before[160], after[160];
    int known = 1;
    for (int d = 0; d < now->shape->rank; d++)
        known &= now->shape->size[d] != ATL_ANY;
    if (known && built->dtype == now->dtype && shapes_may_agree(*built->shape, *now->shape))
        return 1;
    return atl_fail(now,
                    "its infer function contradicts itself: %s %s when the graph was built, %s %s for the shapes that "
                    "are fed",
                    atl_dtype_name(built->dtype), atl_shape_text(*built->shape, before, sizeof before),
                    atl_dtype_name(now->dtype), atl_shape_text(*now->shape, after, sizeof after));
}

atl_node *atl_apply_in(atl_graph *graph, const atl_op *op, const void *attributes, int count, atl_node *const *inputs)
{
    for (int i = 0; i < count; i++)
        if (!inputs || !inputs[i])
            return atl_pass_null(op && op->name ? op->name : "atl_apply");
    if (!graph && count > 0)
        graph = inputs[0]->graph;
    if (!graph || !check_call(graph, op, count, inputs))
        return NULL;
    atl_node *node = new_node(graph, op, attributes, count, inputs);
    if (!node)
        return NULL;
    if (!ATL_GROW(graph->nodes, graph->count, graph->capacity))
        return atl_graph_out_of_memory(graph);
    atl_status before = graph->broken;
    if (!(op->infer ? op->infer(node) : infer_elementwise(node))) {
        if (!graph->broken)
            atl_graph_fail(graph, "%s: its infer function refused the inputs without saying why (call atl_fail)",
                           op->name);
        return NULL;
    }
    if ((graph->broken && !before) || !check_inferred(node)) /* infer may have continued after an error */
        return NULL;
    graph->nodes[graph->count++] = node;
    return node;
}

atl_node *atl_repeat(atl_graph *graph, const atl_node *node, atl_node *const *inputs)
{
    for (int i = 0; i < node->input_count; i++)
        if (!inputs[i])
            return NULL;
        else
            assert(inputs[i]->dtype == node->inputs[i]->dtype &&
                   atl_shape_equal(*inputs[i]->shape, *node->inputs[i]->shape));
    atl_node *again = new_node(graph, node->op, node->attributes, node->input_count, inputs);
    if (!again)
        return NULL;
    if (!ATL_GROW(graph->nodes, graph->count, graph->capacity))
        return atl_graph_out_of_memory(graph);
    again->dtype = node->dtype;
    again->shape = kept_shape(again, *node->shape);
    if (!again->shape)
        return NULL;
    again->storage = node->storage;
    again->distinct = node->distinct;
    graph->nodes[graph->count++] = again;
    return again;
}

atl_node *atl_apply_with(const atl_op *op, const void *attributes, atl_nodes inputs)
{
    if (ATL_LIST_IS_NULL(inputs) || inputs.count < 1 || inputs.count > INT_MAX) {
        atl_set_error(ATL_INVALID, "%s: the list of inputs is %s", op && op->name ? op->name : "atl_apply",
                      ATL_LIST_IS_NULL(inputs) ? "null"
                      : inputs.count < 1       ? "empty"
                                               : "too long");
        return NULL;
    }
    return atl_apply_in(NULL, op, attributes, (int)inputs.count, inputs.node);
}
