/* The double-precision reference: a specialized copy of the graph, in which each op's reference computes its node. */
#include "atled/reference.h"

#include <math.h>
#include <string.h>

#include "lowering/needed.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "program/feeds.h"
#include "graph/guard.h"
#include "compiler/passes/specialize_shapes.h"

struct atl_reference {
    int64_t count;
    atl_node **node;
    atl_tensor **value;
};

/* Iterates over the elements of an element-wise node's inputs, broadcast to the result's shape. */
typedef struct broadcast_copy {
    int64_t stride[ATL_MAX_RANK]; /* of one input, in the result's dimensions; 0 where it is broadcast */
} broadcast_copy;

static void set_copy(broadcast_copy *walk, atl_shape from, atl_shape to)
{
    int64_t stride = 1;
    memset(walk, 0, sizeof *walk);
    for (int i = 1; i <= from.rank; i++) {
        int64_t size = from.size[from.rank - i];
        walk->stride[to.rank - i] = size == 1 ? 0 : stride;
        stride *= size;
    }
}

static int compute_elementwise(const atl_node *y, const double *const *x, double *result)
{
    enum { MOST = 64 };
    broadcast_copy walk[MOST];
    int64_t at[ATL_MAX_RANK] = {0}, offset[MOST] = {0}, count = atl_shape_count(*y->shape);
    double element[MOST];
    for (int i = 0; i < y->input_count; i++)
        set_copy(&walk[i], *y->inputs[i]->shape, *y->shape);
    for (int64_t k = 0; k < count; k++) {
        for (int i = 0; i < y->input_count; i++)
            element[i] = x[i][offset[i]];
        if (y->op->element)
            result[k] = y->op->element(element, y->attributes);
        else if (y->op->function)
            result[k] = y->op->function(element[0]);
        else { /* only a float map exists: float precision */
            float single[MOST], out;
            const float *in[MOST];
            for (int i = 0; i < y->input_count; i++) {
                single[i] = (float)element[i];
                in[i] = &single[i];
            }
            y->op->map(y->attributes, 1, in, &out);
            result[k] = out;
        }
        for (int d = y->shape->rank - 1; d >= 0; d--) { /* advances the index to the next element */
            int done = ++at[d] < y->shape->size[d];
            for (int i = 0; i < y->input_count; i++)
                offset[i] += done ? walk[i].stride[d] : -walk[i].stride[d] * (y->shape->size[d] - 1);
            if (done)
                break;
            at[d] = 0;
        }
    }
    return 1;
}

/* A call of an op's kernel or reference. */
typedef struct op_call {
    const atl_node *y;
    const void *const *x;
} op_call;

static void call_kernel(void *context, void *result)
{
    const op_call *call = context;
    call->y->op->kernel(call->y, call->x, result);
}

static void call_reference(void *context, void *result)
{
    const op_call *call = context;
    call->y->op->reference(call->y, (const double *const *)call->x, result);
}

/* Computes an op that has only a float kernel, in float precision. */
static int compute_by_kernel(const atl_node *y, const double *const *x, double *result)
{
    int64_t count = atl_shape_count(*y->shape);
    int n = y->input_count, ok = 1;
    void **in = atl_allocate((size_t)n + 1, sizeof *in);
    if (!in)
        return atl_out_of_memory(), 0;
    for (int i = 0; i < n && ok; i++) {
        int64_t size = x[i] ? atl_shape_count(*y->inputs[i]->shape) : 0;
        in[i] = atl_allocate_aligned((size_t)size * 4);
        ok = in[i] != NULL;
        for (int64_t k = 0; ok && k < size; k++)
            if (y->inputs[i]->dtype == ATL_INT32)
                ((int32_t *)in[i])[k] = (int32_t)x[i][k];
            else
                ((float *)in[i])[k] = (float)x[i][k];
    }
    in[n] = ok ? atl_allocate_aligned((size_t)atl_guarded_bytes(count * 4)) : NULL;
    ok = in[n] ? 1 : (atl_out_of_memory(), 0);
    if (ok) {
        char text[300];
        void *single;
        op_call call = {y, (const void *const *)in};
        if (atl_call_guarded(in[n], count * 4, call_kernel, &call, &single, text, sizeof text))
            ok = !atl_report_fault(y, y->op, text);
        for (int64_t k = 0; k < count; k++)
            result[k] = y->dtype == ATL_INT32 ? ((int32_t *)single)[k] : ((float *)single)[k];
    }
    for (int i = 0; i <= n; i++)
        atl_release(in[i]);
    atl_release(in);
    return ok;
}

/* Runs the op's reference between guards: nothing else checks the reference of a user's op. */
static int compute_by_reference(const atl_node *y, const double *const *x, double *result)
{
    char text[300];
    int64_t bytes = atl_shape_count(*y->shape) * (int64_t)sizeof *result;
    void *memory = atl_allocate_aligned((size_t)atl_guarded_bytes(bytes));
    if (!memory)
        return atl_out_of_memory(), 0;
    void *guarded;
    op_call call = {y, (const void *const *)x};
    int ok = !atl_call_guarded(memory, bytes, call_reference, &call, &guarded, text, sizeof text) ||
             !atl_report_fault(y, y->op, text);
    memcpy(result, guarded, (size_t)bytes);
    atl_release(memory);
    return ok;
}

/* Returns 0 with the thread's error set. */
static int compute(const atl_node *y, const double *const *x, double *result)
{
    if (y->op->reference)
        return compute_by_reference(y, x, result);
    if (y->op->flags & ATL_OP_ALIAS)
        memcpy(result, x[0], (size_t)atl_shape_count(*y->shape) * sizeof *result);
    else if (atl_is_elementwise(y->op))
        return compute_elementwise(y, x, result);
    else if (y->op->kernel)
        return compute_by_kernel(y, x, result);
    else {
        atl_set_error(ATL_UNSUPPORTED, "reference: the op %s ('%s') has neither reference nor kernel", y->op->name,
                      atl_name_of(y));
        return 0;
    }
    return 1;
}

/* The value of an input, variable or constant as doubles. */
static atl_tensor *source_value(const atl_node *node, const atl_feed *feeds)
{
    const atl_tensor *value = atl_fed_value(feeds, node->origin);
    if (!value && node->storage)
        value = atl_storage_value(node->storage);
    return value ? atl_tensor_convert(value, ATL_FLOAT64) : NULL;
}

static atl_status compute_all(const atl_copy *copy, const char *needed, const atl_feed *feeds, atl_tensor **value)
{
    const double *x[64];
    for (int64_t n = 0; n < copy->graph->count; n++) {
        const atl_node *node = copy->graph->nodes[n];
        if (!needed[n])
            continue;
        if (node->op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT)) {
            value[n] = source_value(node, feeds);
            if (!value[n])
                return ATL_OUT_OF_MEMORY;
            continue;
        }
        const double **in = node->input_count <= 64 ? x : atl_allocate((size_t)node->input_count, sizeof *in);
        value[n] = in ? atl_tensor_new(ATL_FLOAT64, *node->shape) : NULL;
        for (int i = 0; value[n] && i < node->input_count; i++)
            in[i] = value[node->inputs[i]->index] ? value[node->inputs[i]->index]->data : NULL;
        int ok = value[n] && compute(node, in, value[n]->data);
        if (in != x)
            atl_release(in);
        if (!ok)
            return value[n] && in ? atl_error_status() : atl_out_of_memory();
    }
    return ATL_OK;
}

static atl_status collect(atl_reference *reference, const atl_copy *copy, atl_nodes outputs, atl_tensor **value)
{
    reference->node = atl_allocate((size_t)outputs.count, sizeof *reference->node);
    reference->value = atl_allocate((size_t)outputs.count, sizeof *reference->value);
    if (!reference->node || !reference->value)
        return atl_out_of_memory();
    for (int64_t i = 0; i < outputs.count; i++) {
        reference->node[i] = outputs.node[i];
        reference->value[i] = atl_tensor_copy(value[copy->of[outputs.node[i]->index]->index]);
        if (!reference->value[i])
            return ATL_OUT_OF_MEMORY;
        reference->count++;
    }
    return ATL_OK;
}

static atl_status run(atl_reference *reference, const atl_copy *copy, atl_nodes outputs, const atl_feed *feeds)
{
    atl_node **roots = atl_allocate((size_t)outputs.count, sizeof *roots);
    atl_tensor **value = atl_allocate((size_t)copy->graph->count, sizeof *value);
    for (int64_t i = 0; roots && i < outputs.count; i++)
        roots[i] = copy->of[outputs.node[i]->index];
    char *needed = roots ? atl_mark_needed(copy->graph, outputs.count, roots, 0) : NULL;
    atl_status status = needed && value ? compute_all(copy, needed, feeds, value) : atl_out_of_memory();
    if (!status)
        status = collect(reference, copy, outputs, value);
    for (int64_t n = 0; value && n < copy->graph->count; n++)
        atl_tensor_free(value[n]);
    atl_release(value);
    atl_release(needed);
    atl_release(roots);
    return status;
}

static atl_reference *new_reference(atl_nodes outputs, const atl_feed *feeds)
{
    atl_copy copy;
    if (atl_check_outputs(NULL, outputs))
        return NULL;
    if (atl_check_feeds(outputs.node[0]->graph, outputs, feeds, 1) ||
        atl_specialize_shapes(outputs, atl_fed_shape, feeds, 0, &copy))
        return NULL;
    atl_reference *reference = atl_allocate(1, sizeof *reference);
    atl_status status = reference ? run(reference, &copy, outputs, feeds) : atl_out_of_memory();
    atl_copy_free(&copy);
    if (!status)
        return reference;
    atl_reference_free(reference);
    return NULL;
}

atl_reference *atl_reference_run(atl_nodes outputs, const atl_feed *feeds)
{
    uint64_t errors = atl_error_count();
    atl_reference *reference = new_reference(outputs, feeds);
    if (!reference)
        atl_status_since(errors, "reference");
    return reference;
}

void atl_reference_free(atl_reference *reference)
{
    for (int64_t i = 0; reference && i < reference->count; i++)
        atl_tensor_free(reference->value[i]);
    if (reference) {
        atl_release(reference->node);
        atl_release(reference->value);
    }
    atl_release(reference);
}

const atl_tensor *atl_reference_value(const atl_reference *reference, const atl_node *node)
{
    for (int64_t i = 0; reference && i < reference->count; i++)
        if (reference->node[i] == node)
            return reference->value[i];
    atl_set_error(ATL_INVALID, "reference: '%s' is not an output", node ? atl_name_of(node) : "(null)");
    return NULL;
}
