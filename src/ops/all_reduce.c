/* Means over ranks as nodes (distributed/all_reduce.h).
 *
 * all_reduce_mean(x) is one node that waits for the other ranks.  atl_minimize makes two of it, so that a bucket of
 * gradients travels while the backward pass goes on: send(x, token), which adds x to its bucket and runs as soon as x
 * is there, and receive(token), which waits for the mean.  A token is a number without meaning, by which one node comes
 * after another. */
#include "ops/all_reduce.h"

#include <pthread.h>

#include "common/plural.h"
#include "lowering/lowering.h"
#include "ops/ops.h"

typedef struct receive_attributes {
    atl_bucket_slot slot;
    atl_shape shape;
} receive_attributes;

static const atl_bucket_slot *slot_of(const atl_node *y) { return y->attributes; } /* it is first in all attributes */

static void describe_slot(const atl_node *y, char *text, size_t size)
{
    const atl_bucket_slot *slot = slot_of(y);
    snprintf(text, size, "bucket %lld, %lld float%s from %lld", (long long)slot->bucket, (long long)slot->count,
             atl_plural(slot->count), (long long)slot->offset);
}

static bool check_counted(atl_node *y)
{
    char text[160];
    if (atl_shape_count(*y->inputs[0]->shape) != slot_of(y)->count)
        return atl_fail(y, "'%s' is %s; what is averaged over ranks must have a known shape", atl_name_of(y->inputs[0]),
                        atl_shape_text(*y->inputs[0]->shape, text, sizeof text));
    return 1;
}

/* One step that reads the inputs and writes the result. */
static int lower_as_step(atl_lowering *lowering, atl_plan_step step)
{
    const atl_node *y = atl_lowered_node(lowering);
    step.data = (void *)y;
    for (int i = 0; i < y->input_count; i++)
        step.read[step.reads++] = atl_lower_input(lowering, i);
    step.write[step.writes++] = atl_lower_output(lowering);
    return !atl_bucket_prepare(slot_of(y)) && atl_lower_step(lowering, &step);
}

/* ---- send: adds a tensor to its bucket --------------------------------------------------------------------------- */

static bool infer_send(atl_node *y)
{
    return atl_require_float(y, 0, "what is averaged over ranks") && check_counted(y) &&
           atl_set_type(y, ATL_FLOAT32, ATL_SCALAR);
}

static int run_send(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    *(float *)memory[step->write[0]] = 0;
    return atl_bucket_push(slot_of(step->data), memory[step->read[0]]) != ATL_OK;
}

static int lower_send(atl_lowering *lowering)
{
    return lower_as_step(lowering, (atl_plan_step){.implementation = "send", .run = run_send});
}

static void reference_send(const atl_node *y, const double *const *x, double *result)
{
    atl_bucket_push_reference(slot_of(y), x[0]);
    *result = 0;
}

/* ---- receive: the mean of the tensor ----------------------------------------------------------------------------- */

static bool infer_receive(atl_node *y)
{
    return atl_set_type(y, ATL_FLOAT32, ((const receive_attributes *)y->attributes)->shape);
}

static int run_receive(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    return atl_bucket_pull(slot_of(step->data), memory[step->write[0]]) != ATL_OK;
}

static int lower_receive(atl_lowering *lowering)
{
    return lower_as_step(lowering,
                         (atl_plan_step){.implementation = "receive", .run = run_receive, .waits_for_ranks = 1});
}

static void reference_receive(const atl_node *y, const double *const *x, double *result)
{
    (void)x;
    atl_bucket_pull_reference(slot_of(y), result);
}

/* ---- all_reduce_mean: both --------------------------------------------------------------------------------------- */

static bool infer_mean(atl_node *y)
{
    return atl_require_float(y, 0, "what is averaged over ranks") && check_counted(y) && atl_infer_same(y);
}

static int run_mean(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_bucket_slot *slot = slot_of(step->data);
    (void)bound;
    if (atl_bucket_push(slot, memory[step->read[0]]))
        return 1;
    atl_let_parts_follow(slot->all_reduce);
    return atl_bucket_pull(slot, memory[step->write[0]]) != ATL_OK;
}

static int lower_mean(atl_lowering *lowering)
{
    return lower_as_step(lowering, (atl_plan_step){.implementation = "all-reduce", .run = run_mean});
}

static void reference_mean(const atl_node *y, const double *const *x, double *result)
{
    atl_bucket_push_reference(slot_of(y), x[0]);
    atl_bucket_pull_reference(slot_of(y), result);
}

/* dL/dx of one part: what all parts' costs change, so the mean of all parts' dy. */
static atl_node *mean_gradient(atl_node *y, atl_node *dy) { return atl_all_reduce_mean(dy, slot_of(y)->all_reduce); }

/* ---- samples: a process alone ------------------------------------------------------------------------------------ */

static atl_all_reduce *sample_of_one;
static void make_sample(void) { sample_of_one = atl_all_reduce_new(NULL); }

static atl_all_reduce *alone(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_sample);
    return sample_of_one;
}

/* Sums, whose shape is known for any number of rows. */
static atl_node *sample_mean(atl_node *x) { return atl_mul(x, atl_all_reduce_mean(atl_sum(atl_exp(x)), alone())); }

static atl_node *sample_send(atl_node *x)
{
    atl_bucket_slot slot;
    atl_all_reduce *r = alone();
    memset(&slot, 0, sizeof slot);
    if (!x || !r || atl_bucket_new(r, 1) < 0 || atl_bucket_add(r, 1, &slot))
        return NULL;
    atl_node *token = atl_send(x->dtype == ATL_FLOAT32 ? atl_sum(x) : x, &slot, NULL);
    return token ? atl_square(atl_receive(x->graph, &slot, ATL_SCALAR, token)) : NULL;
}

static const atl_sample send_samples[] = {{"and received", .unary = sample_send, .input = {{2, {2, 3}}}, .inputs = 1,
                                           .no_gradient = 1},
                                          {"integers", .unary = sample_send, .input = {{1, {3}, 0, 9, 1}}, .inputs = 1,
                                           .error = "must be float32"},
                                          {0}};

static const atl_op send_op = {.name = "all_reduce_send",
                               .arity = ATL_VARIADIC,
                               .attributes = sizeof(atl_bucket_slot),
                               .flags = ATL_OP_SIDE_EFFECT | ATL_OP_STOPS_GRADIENT,
                               .infer = infer_send,
                               .reference = reference_send,
                               .describe = describe_slot,
                               .samples = send_samples,
                               .hooks = &(const atl_op_hooks){.lower = lower_send, .is_early = 1}};
ATL_BUILTIN(send_op);

static const atl_op receive_op = {.name = "all_reduce_receive",
                                  .arity = ATL_VARIADIC,
                                  .attributes = sizeof(receive_attributes),
                                  .flags = ATL_OP_SIDE_EFFECT | ATL_OP_STOPS_GRADIENT,
                                  .infer = infer_receive,
                                  .reference = reference_receive,
                                  .describe = describe_slot,
                                  .samples = send_samples,
                                  .hooks = &(const atl_op_hooks){.lower = lower_receive}};
ATL_BUILTIN(receive_op);

static const atl_op mean_op = {
    .name = "all_reduce_mean",
    .arity = 1,
    .attributes = sizeof(atl_bucket_slot),
    .flags = ATL_OP_SIDE_EFFECT,
    .infer = infer_mean,
    .gradient = {mean_gradient},
    .reference = reference_mean,
    .describe = describe_slot,
    .samples = (const atl_sample[]){{"alone", .unary = sample_mean, .input = {{2, {2, 3}}}, .inputs = 1}, {0}},
    .hooks = &(const atl_op_hooks){.lower = lower_mean}};
ATL_BUILTIN(mean_op);

/* ---- builders ---------------------------------------------------------------------------------------------------- */

atl_node *atl_send(atl_node *x, const atl_bucket_slot *slot, atl_node *token)
{
    atl_bucket_slot attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes = *slot;
    return atl_apply_with(&send_op, &attributes, token ? ATL_NODES(x, token) : ATL_NODES(x));
}

atl_node *atl_receive(atl_graph *graph, const atl_bucket_slot *slot, atl_shape shape, atl_node *token)
{
    receive_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.slot = *slot;
    attributes.shape = shape;
    return atl_apply_in(graph, &receive_op, &attributes, token != NULL, &token);
}

atl_node *atl_all_reduce_mean(atl_node *x, atl_all_reduce *r)
{
    atl_bucket_slot slot;
    if (!x)
        return NULL;
    if (!r)
        return atl_builder_error(x->graph, "all_reduce_mean", "what averages is null");
    memset(&slot, 0, sizeof slot);
    int64_t count = atl_shape_count(*x->shape);
    if (count < 0)
        return atl_builder_error(x->graph, "all_reduce_mean",
                                 "'%s' is %s; what is averaged over ranks must have a "
                                 "known shape",
                                 atl_name_of(x), SHAPE_OF(x));
    if (atl_bucket_new(r, 1) < 0 || atl_bucket_add(r, count, &slot))
        return atl_graph_out_of_memory(x->graph);
    return ATL_APPLY(&mean_op, &slot, x);
}
