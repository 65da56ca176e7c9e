/* Execution contexts: the memory of one thread for the plans that it runs, and the run. */
#include "program/program_state.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lowering/needed.h"
#include "common/clock.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "onednn/onednn.h"
#include "program/fed_copies.h"
#include "program/feeds.h"
#include "program/sharing.h"
#include "graph/guard.h"
#include "compiler/plan/plan.h"
#include "program/threads.h"

atl_context *atl_new_context(atl_program *program)
{
    atl_context *context = atl_allocate(1, sizeof *context);
    if (!context) {
        atl_out_of_memory();
        return NULL;
    }
    context->program = program;
    context->current = -1;
    return context;
}

atl_context *atl_context_new(atl_program *program)
{
    if (!program) {
        atl_set_error(ATL_INVALID, "context: the program is null");
        return NULL;
    }
    uint64_t errors = atl_error_count();
    atl_context *context = atl_new_context(program);
    if (!context)
        atl_status_since(errors, "context");
    return context;
}

/* Drops a reference; frees the plan with the last one. */
static void release_plan(atl_program *program, atl_plan *plan)
{
    pthread_mutex_lock(&program->lock);
    int holders = --plan->references;
    pthread_mutex_unlock(&program->lock);
    if (!holders)
        atl_plan_free(plan);
}

static void close_kept(atl_context *context, int i)
{
    atl_plan *plan = context->kept[i].plan;
    if (!plan)
        return;
    atl_plan_context_close(&context->kept[i]);
    context->sharing[i] = (atl_sharing){0};
    release_plan(context->program, plan);
}

void atl_context_free(atl_context *context)
{
    for (int i = 0; context && i < KEPT_PLANS; i++)
        close_kept(context, i);
    atl_release(context);
}

/* True if the plan was made for these shapes. */
static int plan_fits(const atl_program *program, const atl_plan *plan, const atl_feed *feeds)
{
    for (int64_t i = 0; i < program->input_count; i++) {
        const atl_node *input = program->inputs[i];
        if (!atl_shape_equal(plan->input_shape[i], atl_fed_shape(input, feeds)))
            return 0;
    }
    return 1;
}

/* The slot of the plan for these shapes, or else the slot for the next plan: that of the least recently used one. */
static int place_for(const atl_program *program, const atl_feed *feeds)
{
    int oldest = 0;
    for (int i = 0; i < KEPT_PLANS; i++) {
        const atl_plan *plan = program->plans[i], *other = program->plans[oldest];
        if (plan && plan_fits(program, plan, feeds))
            return i;
        if (other && (!plan || plan->last_used < other->last_used))
            oldest = i;
    }
    return oldest;
}

/* The program's plan for these shapes, made if necessary, with one more reference.  A plan that the program drops lives
 * on while contexts run it. */
static atl_plan *take_plan(atl_program *program, const atl_feed *feeds)
{
    pthread_mutex_lock(&program->lock);
    atl_plan **place = &program->plans[place_for(program, feeds)], *gone = NULL;
    if (!*place || !plan_fits(program, *place, feeds)) {
        atl_plan *made = atl_new_plan(program, feeds);
        if (!made) {
            pthread_mutex_unlock(&program->lock);
            return NULL;
        }
        if (*place && --(*place)->references == 0)
            gone = *place;
        *place = made;
    }
    atl_plan *plan = *place;
    plan->references++;
    pthread_mutex_unlock(&program->lock);
    atl_plan_free(gone);
    return plan;
}

static int oldest_kept(const atl_context *context)
{
    int oldest = 0;
    for (int i = 0; i < KEPT_PLANS; i++) {
        if (!context->kept[i].plan)
            return i;
        if (context->last_used[i] < context->last_used[oldest])
            oldest = i;
    }
    return oldest;
}

/* Prepares shapes that this context has not run before. */
static atl_status open_shapes(atl_context *context, const atl_feed *feeds)
{
    atl_program *program = context->program;
    atl_status status = atl_check_feeds(program->graph, program->outputs, feeds, 0);
    if (status)
        return status;
    int place = oldest_kept(context);
    close_kept(context, place);
    context->current = -1;
    atl_plan *plan = take_plan(program, feeds);
    if (!plan)
        return atl_failed_status();
    status = atl_plan_context_open(&context->kept[place], plan);
    if (status) {
        release_plan(program, plan);
        return status;
    }
    context->current = place;
    return ATL_OK;
}

/* Switches to the plan for the fed shapes.  It becomes the most recently used plan of the context and of the
 * program. */
static atl_status find_shapes(atl_context *context, const atl_feed *feeds)
{
    atl_program *program = context->program;
    if (context->current >= 0 && plan_fits(program, context->kept[context->current].plan, feeds))
        return ATL_OK;
    int found = 0;
    while (found < KEPT_PLANS && !(context->kept[found].plan && plan_fits(program, context->kept[found].plan, feeds)))
        found++;
    atl_status status = found < KEPT_PLANS ? ATL_OK : open_shapes(context, feeds);
    if (status)
        return status;
    if (found < KEPT_PLANS)
        context->current = found;
    uint64_t now = atomic_fetch_add(&program->clock, 1) + 1;
    context->last_used[context->current] = now;
    atomic_store(&context->kept[context->current].plan->last_used, now);
    return ATL_OK;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* Checks that every input which the plan reads is fed with the right type and with the plan's shape (the feed may
 * differ from the last one). */
static atl_status set_feeds(atl_plan_context *context, const atl_feed *feeds)
{
    const atl_plan *plan = context->plan;
    for (int64_t i = 0; i < plan->feed_count; i++) {
        const atl_node *input = plan->feeds[i].input;
        const atl_tensor *value = atl_fed_value(feeds, input);
        if (!value)
            return atl_not_fed(input);
        atl_status status = atl_check_feed(input, value, 0);
        if (status)
            return status;
        const void *elements = atl_fed_elements(context, i, value);
        if (!elements)
            return atl_failed_status();
        context->memory[plan->feeds[i].value] = (void *)elements; /* no step writes there */
    }
    return ATL_OK;
}

/* Feeds of nodes that are not inputs, or of another graph, and inputs that are fed twice are errors even if no output
 * needs them. */
static atl_status check_strangers(const atl_program *program, const atl_feed *feeds)
{
    for (const atl_feed *feed = feeds; feed && feed->node; feed++) {
        if (feed->node->graph != program->graph)
            return atl_set_error(ATL_INVALID, "feed: '%s' is a node of another graph", atl_name_of(feed->node));
        if (!(feed->node->op->flags & ATL_OP_INPUT) || !feed->value)
            return atl_check_feed(feed->node, feed->value, 0);
    }
    return atl_check_fed_once(feeds);
}

/* Of a plan without prepacked values there is nothing to refresh. */
static atl_status refresh(atl_program *program, atl_plan *plan)
{
    uint64_t version = atomic_load(&program->graph->version);
    if (!plan->prepack_count || atomic_load(&plan->seen) == version)
        return ATL_OK;
    pthread_mutex_lock(&program->lock);
    atl_status status = atomic_load(&plan->seen) == version ? ATL_OK : atl_plan_refresh(plan, version);
    pthread_mutex_unlock(&program->lock);
    return status;
}

/* Variables that this run may have written have neither all their old values nor all their new ones. */
static void note_failure(const atl_plan *plan, int64_t step)
{
    for (int64_t i = 0; i < plan->assigned_count && step > plan->first_assigned; i++)
        atl_storage_unsettled(plan->assigned[i]);
}

static atl_status run_steps(atl_plan_context *context)
{
    const atl_plan *plan = context->plan;
    for (int64_t s = atl_first_step(context); s < plan->step_count; s = atl_step_after(context, s))
        if (plan->steps[s].run(&plan->steps[s], context->memory, context->bound[s])) {
            note_failure(plan, s);
            return atl_failed_status();
        }
    return ATL_OK;
}

static atl_status run_plan(atl_program *program, atl_plan_context *now, const atl_feed *feeds)
{
    atl_status status = set_feeds(now, feeds);
    if (!status)
        status = refresh(program, now->plan);
    if (!status)
        status = run_steps(now);
    if (!status)
        atl_plan_note_assigned(now->plan, program->graph);
    return status;
}

/* On a machine that may be crowded: with the threads apart, or together on one processor, whichever is faster now. */
static atl_status run_beside_others(atl_context *context, const atl_feed *feeds)
{
    atl_sharing *sharing = &context->sharing[context->current];
    bool together = atl_sharing_next(sharing);
    double start = atl_seconds_now();
    if (together)
        atl_share_processor();
    atl_status status = run_plan(context->program, &context->kept[context->current], feeds);
    if (together)
        atl_leave_processor();
    atl_sharing_note(sharing, together, atl_seconds_now() - start);
    return status;
}

static atl_status run_now(atl_context *context, const atl_feed *feeds)
{
    atl_status status = find_shapes(context, feeds);
    if (status)
        return status;
    return context->program->may_share ? run_beside_others(context, feeds)
                                       : run_plan(context->program, &context->kept[context->current], feeds);
}

static atl_status run_with_threads(atl_context *context, const atl_feed *feeds)
{
    atl_status status = check_strangers(context->program, feeds);
    if (status)
        return status;
    if (atl_lacks_threads(context->program->threads))
        return atl_set_error(ATL_UNSUPPORTED,
                             "run: a program of %d threads cannot run inside of an OpenMP parallel region, where it "
                             "would get only one; compile it with .threads = 1",
                             context->program->threads);
    atl_threads before = atl_use_threads(context->program->threads);
    status = run_now(context, feeds);
    atl_restore_threads(before);
    return status;
}

static atl_status run_context(atl_context *context, const atl_feed *feeds)
{
    uint64_t errors = atl_error_count();
    atl_status status = run_with_threads(context, feeds);
    return context->failed = status ? atl_status_since(errors, "run") : ATL_OK;
}

atl_status atl_context_run(atl_context *context, const atl_feed *feeds)
{
    return context ? run_context(context, feeds) : atl_set_error(ATL_INVALID, "run: the context is null");
}

atl_status atl_run(atl_program *program, const atl_feed *feeds)
{
    if (!program)
        return atl_set_error(ATL_INVALID, "run: the program is null; did atl_compile fail? See atl_graph_error");
    atl_status status = run_context(program->own, feeds);
    return status ? atl_graph_note_failure(program->graph, status) : ATL_OK;
}

/* A view of the value, created when it is first asked for. */
static const atl_tensor *view_of(atl_plan_context *now, const atl_node *node, int64_t i)
{
    if (!now->outputs[i])
        now->outputs[i] =
            atl_tensor_view(node->dtype, *now->plan->copy.of[node->index]->shape, now->memory[now->plan->outputs[i]]);
    return now->outputs[i];
}

const atl_tensor *atl_context_value(const atl_context *context, const atl_node *node)
{
    if (!context || !node) {
        atl_set_error(ATL_INVALID, "value: the %s is null", context ? "node" : "program or state");
        return NULL;
    }
    if (context->failed) { /* its message is the one that the caller needs */
        if (atl_error_status() != context->failed)
            atl_set_error(context->failed, "value: '%s' has none: the last run failed", atl_name_of(node));
        return NULL;
    }
    const atl_program *program = context->program;
    if (node->graph != program->graph) {
        atl_set_error(ATL_INVALID, "value: '%s' is a node of another graph", atl_name_of(node));
        return NULL;
    }
    const output_index *found = bsearch(&(output_index){.node = node}, program->output_indices,
                                        (size_t)program->outputs.count, sizeof *found, atl_by_output_index);
    if (found && context->current >= 0)
        return view_of((atl_plan_context *)&context->kept[context->current], node, found->index);
    if (found)
        atl_set_error(ATL_INVALID, "value: '%s' has no value yet: the program has not run", atl_name_of(node));
    else
        atl_set_error(ATL_INVALID, "value: '%s' is not an output of this program; add it to the outputs of atl_compile",
                      atl_name_of(node));
    return NULL;
}

const atl_tensor *atl_value(const atl_program *program, const atl_node *node)
{
    return atl_context_value(program ? program->own : NULL, node);
}

float atl_scalar_of(const atl_program *program, const atl_node *node)
{
    const atl_tensor *value = atl_value(program, node);
    if (!value || !value->count)
        return NAN;
    return value->dtype == ATL_FLOAT32 ? ((const float *)value->data)[0] : (float)((const int32_t *)value->data)[0];
}

bool atl_has_bfloat16(void) { return atl_onednn_has_bfloat16(); }
const atl_node *atl_missing_feed(const atl_program *program, const atl_feed *feeds)
{
    const atl_node *missing = NULL;
    if (program)
        atl_find_missing(program->graph, program->outputs, feeds, &missing);
    return missing;
}

bool atl_program_uses_bfloat16(const atl_program *program) { return program ? program->options.bfloat16 : 0; }
int atl_program_threads(const atl_program *program) { return program ? program->threads : 0; }

int atl_program_kept_plans(const atl_program *program)
{
    int count = 0;
    pthread_mutex_lock((pthread_mutex_t *)&program->lock);
    for (int i = 0; i < KEPT_PLANS; i++)
        count += program->plans[i] != NULL;
    pthread_mutex_unlock((pthread_mutex_t *)&program->lock);
    return count;
}
