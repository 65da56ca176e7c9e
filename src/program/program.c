/* Programs: a plan for each of the last few sets of shapes, and execution contexts that run them. */
#include "atled/program.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lowering/needed.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "onednn/onednn.h"
#include "program/fed_copies.h"
#include "program/feeds.h"
#include "graph/guard.h"
#include "compiler/plan/plan.h"
#include "compiler/passes/rewrite.h"
#include "compiler/passes/simplify.h"
#include "program/threads.h"

/* The number of plans that the program keeps, and that each context keeps; the least recently used one is dropped. */
enum { KEPT_PLANS = 8, MOST_THREADS = 1024 };

typedef struct output_index {
    const atl_node *node;
    int64_t index; /* index into the program's outputs */
} output_index;

struct atl_program {
    atl_graph *graph;
    atl_nodes outputs;
    atl_nodes roots; /* the outputs, and every node with a side effect that they need: no pass may lose one */
    output_index *output_indices; /* of each output, sorted by node index */
    atl_plan_options options;
    int threads;       /* of every run */
    atl_node **inputs; /* inputs with unknown sizes: plans depend on them */
    int64_t input_count;
    pthread_mutex_t lock; /* guards plans, their reference counts, and the refresh of prepacked values */
    atl_plan *plans[KEPT_PLANS];
    _Atomic uint64_t clock; /* incremented whenever a context switches to other shapes */
    atl_context *own;
};

struct atl_context {
    atl_program *program;
    atl_plan_context kept[KEPT_PLANS];
    uint64_t last_used[KEPT_PLANS];
    int current;       /* of kept, or -1 */
    atl_status failed; /* the status of the last run */
};

/* ---- compiling ---------------------------------------------------------------------------------------------------------- */

static int has_unknown_size(const atl_node *node)
{
    for (int d = 0; d < node->shape->rank; d++)
        if (node->shape->size[d] == ATL_ANY)
            return 1;
    return 0;
}

/* True if running the node does more than give its value.  A group is no more than the nodes that it holds. */
static int has_side_effect(const atl_node *node)
{
    unsigned flags = node->op->flags;
    return flags & ATL_OP_ASSIGN || (flags & ATL_OP_SIDE_EFFECT && !(flags & (ATL_OP_VARIABLE | ATL_OP_ALIAS)));
}

static atl_status collect_roots(atl_program *program, const char *needed)
{
    const atl_graph *graph = program->graph;
    int64_t count = program->outputs.count;
    for (int64_t n = 0; n < graph->count; n++)
        count += needed[n] && has_side_effect(graph->nodes[n]);
    atl_node **root = atl_allocate((size_t)count, sizeof *root);
    if (!root)
        return atl_out_of_memory();
    memcpy(root, program->outputs.node, (size_t)program->outputs.count * sizeof *root);
    program->roots = (atl_nodes){program->outputs.count, root};
    for (int64_t n = 0; n < graph->count; n++)
        if (needed[n] && has_side_effect(graph->nodes[n]))
            root[program->roots.count++] = graph->nodes[n];
    return ATL_OK;
}

/* Finds the roots.  No variable may be assigned to twice. */
static atl_status find_roots(atl_program *program)
{
    const atl_graph *graph = program->graph;
    char *needed = atl_mark_needed(graph, program->outputs.count, program->outputs.node, 0);
    char *assigned = atl_allocate((size_t)graph->count, 1);
    atl_status status = needed && assigned ? collect_roots(program, needed) : atl_out_of_memory();
    for (int64_t n = 0; !status && n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        if (!needed[n] || !(node->op->flags & ATL_OP_ASSIGN))
            continue;
        if (assigned[node->inputs[0]->index]++)
            status = atl_set_error(ATL_INVALID,
                                   "'%s' assigns to the variable '%s', as another output does: one run "
                                   "can give it one value only",
                                   atl_name_of(node), atl_name_of(node->inputs[0]));
    }
    atl_release(needed);
    atl_release(assigned);
    return status;
}

static atl_status find_inputs(atl_program *program)
{
    const atl_graph *graph = program->graph;
    char *needed = atl_mark_needed(graph, program->outputs.count, program->outputs.node, 1);
    int64_t count = 0;
    if (!needed)
        return atl_out_of_memory();
    for (int64_t n = 0; n < graph->count; n++)
        count += needed[n] && graph->nodes[n]->op->flags & ATL_OP_INPUT && has_unknown_size(graph->nodes[n]);
    program->inputs = atl_allocate((size_t)count, sizeof *program->inputs);
    for (int64_t n = 0; program->inputs && n < graph->count; n++)
        if (needed[n] && graph->nodes[n]->op->flags & ATL_OP_INPUT && has_unknown_size(graph->nodes[n]))
            program->inputs[program->input_count++] = graph->nodes[n];
    atl_release(needed);
    return program->inputs ? ATL_OK : atl_out_of_memory();
}

static int by_index(const void *a, const void *b)
{
    int64_t i = ((const output_index *)a)->node->index, k = ((const output_index *)b)->node->index;
    return (i > k) - (i < k);
}

static atl_status note_places(atl_program *program)
{
    int64_t count = program->outputs.count;
    program->output_indices = atl_allocate((size_t)count, sizeof *program->output_indices);
    for (int64_t i = 0; program->output_indices && i < count; i++)
        program->output_indices[i] = (output_index){program->outputs.node[i], i};
    if (!program->output_indices)
        return atl_out_of_memory();
    qsort(program->output_indices, (size_t)count, sizeof *program->output_indices, by_index);
    return ATL_OK;
}

static atl_plan *new_plan(atl_program *program, const atl_feed *feeds)
{
    atl_copy copy;
    unsigned disabled_passes = program->options.disabled_passes, at_once = ATL_PASS_CSE | ATL_PASS_SIMPLIFY;
    if (!(disabled_passes & ATL_PASS_CONCAT_ELIMINATION) &&
        atl_any_node(program->graph, atl_hoist_relu_grad_pass.is_candidate))
        at_once = ATL_PASS_CSE; /* other passes must look for concats first */
    at_once &= ~disabled_passes;
    if (atl_specialize_shapes(program->roots, atl_fed_shape, feeds, at_once, &copy))
        return NULL;
    int winograd = program->options.timing ? ATL_NO_WINOGRAD : atl_winograd_use(program->options);
    if (at_once & ATL_PASS_SIMPLIFY && !atl_any_node(copy.graph, atl_readers_matter))
        disabled_passes |= ATL_PASS_SIMPLIFY; /* already done during the copy */
    if (atl_run_passes(&copy, program->roots, disabled_passes, winograd)) {
        atl_copy_free(&copy);
        return NULL;
    }
    atl_plan *plan = atl_plan_new(&copy, program->roots, program->outputs.count, program->options);
    atl_shape *shape = plan ? atl_allocate((size_t)program->input_count, sizeof *shape) : NULL;
    for (int64_t i = 0; shape && i < program->input_count; i++)
        shape[i] = atl_fed_shape(program->inputs[i], feeds);
    if (plan && !shape) {
        atl_out_of_memory();
        atl_plan_free(plan);
        return NULL;
    }
    if (plan) {
        plan->input_shape = shape;
        plan->references = 1; /* by the program */
    }
    return plan;
}

static atl_context *new_context(atl_program *program)
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

static atl_program *new_program(atl_graph *graph, const atl_compile_args *args, int way)
{
    atl_nodes outputs = args->outputs;
    atl_program *program = atl_allocate(1, sizeof *program);
    atl_node **nodes = atl_allocate((size_t)outputs.count, sizeof *nodes);
    if (!program || !nodes) {
        atl_release(program);
        atl_release(nodes);
        atl_out_of_memory();
        return NULL;
    }
    memcpy(nodes, outputs.node, (size_t)outputs.count * sizeof *nodes);
    program->graph = graph;
    program->options = (atl_plan_options){.disabled_passes = args->disabled_passes,
                                          .bfloat16 = args->bfloat16 && atl_has_bfloat16(),
                                          .timing = args->timing,
                                          .algo = way,
                                          .checked = args->check ? args->check > 0 : ATL_CHECKED_BUILD};
    program->threads = omp_get_max_threads(); /* set by atl_compile_with */
    program->outputs = (atl_nodes){outputs.count, nodes};
    pthread_mutex_init(&program->lock, NULL);
    program->own = new_context(program);
    if (program->own && !find_roots(program) && !find_inputs(program) && !note_places(program) &&
        (program->input_count || (program->plans[0] = new_plan(program, ATL_NO_FEEDS))))
        return program;
    atl_program_free(program);
    return NULL;
}

atl_program *atl_compile_with(const atl_compile_args *args)
{
    if (!args)
        return atl_null_argument("atl_compile", "the options are"), NULL;
    atl_program *program = NULL;
    uint64_t errors = atl_error_count();
    if (args->threads < 0 || args->threads > MOST_THREADS)
        atl_set_error(ATL_INVALID, "compile: %d threads; it must be 1 to %d, or 0 for as many as OpenMP has",
                      args->threads, MOST_THREADS);
    else if (!atl_check_outputs(args->graph, args->outputs)) {
        int outputs = args->threads ? args->threads : omp_get_max_threads(), limit = omp_get_thread_limit();
        atl_threads before = atl_use_threads(outputs < limit ? outputs : limit);
        program = new_program(args->outputs.node[0]->graph, args, 0);
        atl_restore_threads(before);
    }
    if (!program)
        atl_graph_note_failure(args->graph, atl_status_since(errors, "compile"));
    return program;
}

atl_program *atl_compile_with_algo(atl_node *node, int way, int bfloat16)
{
    return new_program(node->graph, &(atl_compile_args){.outputs = {1, &node}, .bfloat16 = bfloat16}, way);
}

void atl_program_free(atl_program *program)
{
    if (!program)
        return;
    atl_context_free(program->own);
    for (int i = 0; i < KEPT_PLANS; i++)
        atl_plan_free(program->plans[i]);
    pthread_mutex_destroy(&program->lock);
    atl_release(program->inputs);
    atl_release(program->output_indices);
    atl_release((void *)program->outputs.node);
    atl_release((void *)program->roots.node);
    atl_release(program);
}

/* ---- contexts ---------------------------------------------------------------------------------------------------- */

atl_context *atl_context_new(atl_program *program)
{
    if (!program) {
        atl_set_error(ATL_INVALID, "context: the program is null");
        return NULL;
    }
    uint64_t errors = atl_error_count();
    atl_context *context = new_context(program);
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
        atl_plan *made = new_plan(program, feeds);
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

/* ---- running ------------------------------------------------------------------------------------------------------------------- */

/* Checks that every input which the plan reads is fed with the right type and with the plan's shape (the feed may
 * differ from the last one). */
static atl_status set_feeds(atl_plan_context *context, const atl_feed *feeds)
{
    const atl_plan *plan = context->plan;
    for (int64_t i = 0; i < plan->feed_count; i++) {
        const atl_node *input = plan->feeds[i].input;
        const atl_tensor *value = atl_fed_value(feeds, input);
        if (!value) {
            char text[160];
            return atl_set_error(ATL_INVALID, "feed: input '%s' %s %s is needed but not fed", atl_name_of(input),
                                 atl_dtype_name(input->dtype), atl_shape_text(*input->shape, text, sizeof text));
        }
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

/* Feeds of nodes that are not inputs, or of another graph, are errors even if no output needs them. */
static atl_status check_strangers(const atl_program *program, const atl_feed *feeds)
{
    for (; feeds && feeds->node; feeds++) {
        if (feeds->node->graph != program->graph)
            return atl_set_error(ATL_INVALID, "feed: '%s' is a node of another graph", atl_name_of(feeds->node));
        if (!(feeds->node->op->flags & ATL_OP_INPUT) || !feeds->value)
            return atl_check_feed(feeds->node, feeds->value, 0);
    }
    return ATL_OK;
}

static atl_status refresh(atl_program *program, atl_plan *plan)
{
    uint64_t version = atomic_load(&program->graph->version);
    if (atomic_load(&plan->seen) == version)
        return ATL_OK;
    pthread_mutex_lock(&program->lock);
    atl_status status = atomic_load(&plan->seen) == version ? ATL_OK : atl_plan_refresh(plan, version);
    pthread_mutex_unlock(&program->lock);
    return status;
}

static atl_status run_steps(atl_plan_context *context)
{
    const atl_plan *plan = context->plan;
    for (int64_t s = 0; s < plan->step_count; s++)
        if (plan->steps[s].run(&plan->steps[s], context->memory, context->bound[s]))
            return atl_failed_status();
    return ATL_OK;
}

static atl_status run_now(atl_context *context, const atl_feed *feeds)
{
    atl_status status = find_shapes(context, feeds);
    if (status)
        return status;
    atl_plan_context *now = &context->kept[context->current];
    status = set_feeds(now, feeds);
    if (!status)
        status = refresh(context->program, now->plan);
    if (!status)
        status = run_steps(now);
    if (!status)
        atl_plan_note_assigned(now->plan, context->program->graph);
    return status;
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
                                        (size_t)program->outputs.count, sizeof *found, by_index);
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

int atl_has_bfloat16(void) { return atl_onednn_has_bfloat16(); }
int atl_program_uses_bfloat16(const atl_program *program) { return program ? program->options.bfloat16 : 0; }
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

/* ---- for report.c ------------------------------------------------------------------------------------------------------ */

atl_plan *atl_program_plan(const atl_program *program)
{
    if (!program)
        return NULL;
    return program->own->current >= 0 ? program->own->kept[program->own->current].plan : program->plans[0];
}

atl_plan_context *atl_program_context(const atl_program *program)
{
    return program && program->own->current >= 0 ? &program->own->kept[program->own->current] : NULL;
}
