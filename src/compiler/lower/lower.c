/* Lowering: the functions that ops call, and the loop that turns each node into steps. */
#include "compiler/lower/lower_state.h"

#include <string.h>

#include "compiler/passes/micro_batch.h"
#include "compiler/passes/rewrite.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "onednn/onednn.h"
#include "compiler/lower/assignments.h"
#include "compiler/lower/dependencies.h"
#include "compiler/lower/post_op.h"
#include "ops/expression.h"
#include "lowering/op_hooks.h"

/* ---- values ------------------------------------------------------------------------------------------------------ */

atl_value_id atl_new_value(atl_lowering *l, const atl_node *node, int64_t bytes, atl_space space)
{
    atl_plan *p = l->plan;
    if (l->failed)
        return -1;
    if (bytes < 0 || bytes > ATL_MOST_BYTES) {
        atl_set_error(ATL_OUT_OF_MEMORY, "out of memory: the value of %s '%s' takes more than 2^56 bytes",
                      l->node->op->name, atl_name_of(l->node));
        return atl_fail_lowering(l);
    }
    if (p->value_count >= INT32_MAX || !ATL_GROW(p->values, p->value_count, p->value_capacity)) {
        atl_out_of_memory();
        return atl_fail_lowering(l);
    }
    p->values[p->value_count] =
        (atl_plan_value){.bytes = bytes ? bytes : 4, .space = space, .shares = -1, .node = node, .next_form = -1};
    return (atl_value_id)p->value_count++;
}

const atl_node *atl_compiler_node(const atl_lowering *l) { return l->node; }

int atl_compiler_uses_bfloat16(const atl_lowering *l) { return l->bfloat16; }

int atl_compiler_winograd_use(const atl_lowering *l) { return l->winograd; }

int atl_compiler_is_checked(const atl_lowering *l) { return l->checked; }

int atl_compiler_input_lasts(const atl_lowering *l, int i) { return l->prepack[l->node->inputs[i]->index]; }

atl_algo atl_compiler_algo(const atl_lowering *l) { return l->algo ? (atl_algo)l->algo[l->node->index] : ATL_ALGO_ANY; }

int atl_compiler_is_blocked(const atl_lowering *l) { return l->blocked[l->node->index]; }

const atl_memory_layout *atl_compiler_layout_of(const atl_lowering *l, int i)
{
    atl_value_id value = l->value[l->node->inputs[i]->index];
    return value < 0 || l->plan->values[value].pixel_stride ? NULL : l->plan->values[value].layout;
}

atl_value_id atl_value_in_layout(atl_lowering *l, const atl_node *node, const atl_memory_layout *layout)
{
    atl_plan *p = l->plan;
    atl_value_id made = l->value[node->index];
    if (l->failed || made < 0) {
        if (!l->failed)
            atl_set_error(ATL_INTERNAL, "plan: the value of '%s' is used before it is made", atl_name_of(node));
        return atl_fail_lowering(l);
    }
    for (atl_value_id form = made; form >= 0; form = p->values[form].next_form)
        if (atl_layout_equal(p->values[form].layout, layout))
            return form;
    int outer_once = l->now_once;
    l->now_once = l->prepack[node->index];
    atl_value_id form = atl_new_value(l, node, layout ? atl_layout_bytes(layout) : atl_plain_bytes(node),
                                      l->now_once ? ATL_PREPACKED : ATL_IN_ARENA);
    if (form >= 0) {
        p->values[form].layout = atl_layout_copy(layout);
        if ((layout && !p->values[form].layout) ||
            !atl_lower_reorder(l, *node->shape, made, p->values[made].layout, form, p->values[form].layout))
            form = atl_fail_lowering(l);
        else {
            p->values[form].next_form = p->values[made].next_form;
            p->values[made].next_form = form;
        }
    }
    l->now_once = outer_once;
    return form;
}

atl_value_id atl_compiler_input(atl_lowering *l, int i) { return atl_value_in_layout(l, l->node->inputs[i], NULL); }

atl_value_id atl_compiler_input_in(atl_lowering *l, int i, const atl_memory_layout *layout)
{
    return atl_value_in_layout(l, l->node->inputs[i], layout);
}

atl_value_id atl_compiler_output_in(atl_lowering *l, const atl_memory_layout *layout)
{
    atl_value_id value = l->value[l->node->index];
    if (value >= 0)
        return value;
    value = atl_new_value(l, l->node, layout ? atl_layout_bytes(layout) : atl_plain_bytes(l->node),
                          l->now_once ? ATL_PREPACKED : ATL_IN_ARENA);
    if (value < 0)
        return value;
    l->plan->values[value].layout = atl_layout_copy(layout);
    if (layout && !l->plan->values[value].layout)
        return atl_fail_lowering(l);
    return l->value[l->node->index] = value;
}

atl_value_id atl_compiler_output(atl_lowering *l) { return atl_compiler_output_in(l, NULL); }

atl_value_id atl_compiler_scratch(atl_lowering *l, int64_t bytes)
{
    return atl_new_value(l, NULL, bytes, l->now_once ? ATL_PREPACKED : ATL_IN_ARENA);
}

int atl_compiler_wants_workspace(const atl_lowering *l) { return l->wants_workspace[l->node->index]; }

atl_value_id atl_compiler_workspace(atl_lowering *l, int64_t bytes)
{
    return l->workspace[l->node->index] = atl_compiler_scratch(l, bytes);
}

atl_value_id atl_compiler_workspace_of(const atl_lowering *l, int i) { return l->workspace[l->node->inputs[i]->index]; }

atl_value_id atl_compiler_part(atl_lowering *l, int k, int64_t bytes)
{
    atl_value_id first = atl_compiler_output(l);
    atl_value_id value =
        first < 0 ? first
                  : atl_new_value(l, NULL, bytes ? bytes : l->plan->values[first].bytes, l->plan->values[first].space);
    if (value < 0)
        return value;
    const atl_memory_layout *layout = bytes ? NULL : l->plan->values[first].layout;
    l->plan->values[value].layout = atl_layout_copy(layout);
    if (layout && !l->plan->values[value].layout)
        return atl_fail_lowering(l);
    if (k == 0)
        l->workspace[l->node->index] = value;
    return value;
}

atl_value_id atl_compiler_part_of(const atl_lowering *l, int i, int k)
{
    atl_value_id first = atl_compiler_workspace_of(l, i);
    return first < 0 ? first : first + k;
}

int atl_compiler_as(atl_lowering *l, atl_value_id value)
{
    l->value[l->node->index] = value;
    return value >= 0;
}

void atl_compiler_in_place(atl_lowering *l, int i)
{
    atl_compiler_over(l, l->value[l->node->index], l->value[l->node->inputs[i]->index]);
}

void atl_compiler_over(atl_lowering *l, atl_value_id result, atl_value_id input)
{
    if (l->failed || result < 0 || input < 0 || !l->in_place || l->now_once) /* prepacking steps share no memory */
        return;
    if (!ATL_GROW(l->in_places, l->in_place_count, l->in_place_capacity)) {
        atl_out_of_memory();
        atl_fail_lowering(l);
        return;
    }
    l->in_places[l->in_place_count++] = (atl_in_place){.result = result, .input = input, .step = l->plan->step_count};
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* Checks the step's values, and appends the step to the list for every run or the list for prepacking. */
static int append_step(atl_lowering *l, const atl_plan_step *step)
{
    atl_plan *p = l->plan;
    const atl_value_id *read = atl_step_reads(step);
    int bad = l->failed || step->writes < 1 || step->writes > ATL_STEP_VALUES || step->reads < 0 ||
              (step->reads > ATL_STEP_VALUES && !step->more_reads);
    for (int i = 0; !bad && i < step->reads; i++)
        bad = read[i] < 0 || read[i] >= p->value_count;
    for (int i = 0; !bad && i < step->writes; i++)
        bad = step->write[i] < 0 || step->write[i] >= p->value_count;
    if (bad) {
        if (!l->failed && atl_error_count() == l->errors) /* else a value is missing because memory ran out */
            atl_set_error(ATL_INTERNAL, "plan: the steps of %s ('%s') name no value", l->node->op->name,
                          atl_name_of(l->node));
        return 0;
    }
    if (!l->now_once) {
        if (!ATL_GROW(p->steps, p->step_count, p->step_capacity))
            return atl_out_of_memory(), 0;
        p->steps[p->step_count++] = *step;
        return 1;
    }
    int64_t depends = atl_set_of_reads(p, step);
    if (depends < 0)
        return 0;
    if (!ATL_GROW(p->prepack, p->prepack_count, p->prepack_capacity))
        return atl_out_of_memory(), 0;
    for (int i = 0; i < step->writes; i++)
        p->values[step->write[i]].depends = depends;
    p->prepack[p->prepack_count++] = *step;
    return 1;
}

int atl_compiler_step(atl_lowering *l, const atl_plan_step *given)
{
    atl_plan_step step = *given;
    step.node = l->node;
    step.prepack = l->now_once;
    if (atl_as_post_op(l, &step) || append_step(l, &step))
        return 1;
    atl_release_step(&step);
    l->failed = 1;
    return 0;
}

atl_value_id atl_compiler_prepared(atl_lowering *l, int i, int64_t bytes, const atl_plan_step *given)
{
    atl_plan_step step = *given;
    int outer_once = l->now_once;
    step.read[step.reads++] = atl_compiler_input(l, i);
    l->now_once = l->prepack[l->node->inputs[i]->index];
    atl_value_id value = atl_compiler_scratch(l, bytes);
    step.write[step.writes++] = value;
    int ok = atl_compiler_step(l, &step);
    l->now_once = outer_once;
    return ok ? value : -1;
}

/* ---- one node ---------------------------------------------------------------------------------------------------- */

static int lower_source(atl_lowering *l)
{
    atl_plan *p = l->plan;
    const atl_node *node = l->node;
    if (node->op->flags & ATL_OP_INPUT) {
        atl_value_id value = atl_new_value(l, node, atl_plain_bytes(node), ATL_FED);
        if (value < 0)
            return 0;
        if (!ATL_GROW(p->feeds, p->feed_count, p->feed_capacity))
            return atl_out_of_memory(), 0;
        p->feeds[p->feed_count++] = (atl_plan_feed){node->origin, value};
        l->value[node->index] = value;
        return 1;
    }
    atl_tensor *stored = atl_storage_value(node->storage);
    atl_value_id value = stored ? atl_new_value(l, node, atl_plain_bytes(node), ATL_STORED) : -1;
    if (value < 0)
        return 0;
    p->values[value].stored = stored->data;
    l->value[node->index] = value;
    if (node->op->flags & ATL_OP_CONSTANT)
        return 1;
    p->values[value].depends = atl_set_of_variable(p, node->storage);
    return p->values[value].depends >= 0;
}

/* A part of an image that is dense, because the image has one pixel, without the pixel stride, which is one for the
 * part's shape only. */
static atl_value_id dense_part(atl_lowering *l, atl_value_id part)
{
    atl_value_id view = atl_new_value(l, l->node, l->plan->values[part].bytes, l->plan->values[part].space);
    if (view >= 0)
        l->plan->values[view].shares = part;
    return view;
}

/* The same memory with another shape. */
static int lower_alias(atl_lowering *l)
{
    atl_value_id value = atl_compiler_input(l, 0);
    if (value >= 0 && l->plan->values[value].pixel_stride)
        value = dense_part(l, value);
    return atl_compiler_as(l, value);
}

static int lower_node(atl_lowering *l, const atl_node *node)
{
    l->node = node;
    l->errors = atl_error_count();
    l->now_once = l->prepack[node->index];
    if (node->op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT))
        return lower_source(l);
    if (node->op->flags & ATL_OP_ASSIGN)
        return atl_lower_assign(l);
    if (node->op->flags & ATL_OP_ALIAS)
        return lower_alias(l);
    for (int d = 0; d < node->shape->rank; d++)
        if (node->shape->size[d] == ATL_ANY) {
            atl_set_error(ATL_INTERNAL, "plan: the shape of '%s' is still unknown", atl_name_of(node));
            return 0;
        }
    atl_sum_form form;
    int is_sum = atl_hooks_of(node)->as_sum && !node->op->kernel && atl_hooks_of(node)->as_sum(node, &form);
    int ok = atl_hooks_of(node)->lower                ? atl_hooks_of(node)->lower(l)
             : atl_is_elementwise(node->op) || is_sum ? atl_lower_expression(l)
                                                      : atl_compiler_kernel(l);
    return ok && !l->failed;
}

/* Finds the forward nodes that must keep a workspace. */
static void find_workspaces(atl_lowering *l, const char *needed)
{
    const atl_graph *graph = l->plan->copy.graph;
    for (int64_t n = 0; n < graph->count; n++)
        for (int i = 0; needed[n] && i < graph->nodes[n]->input_count && i < 32; i++)
            if ((atl_hooks_of(graph->nodes[n])->workspace_inputs >> i) & 1)
                l->wants_workspace[graph->nodes[n]->inputs[i]->index] = 1;
}

void atl_begin_lowering(atl_lowering *l, const char *needed)
{
    for (int64_t n = 0; n < l->plan->copy.graph->count; n++)
        l->value[n] = l->workspace[n] = -1;
    find_workspaces(l, needed);
}

/* Nodes that run as soon as their inputs are there, in lists: first[n] is the first that waits for node n only, and
 * next[e] the one after e; -1: none. */
typedef struct early_nodes {
    int32_t *first, *next;
    int32_t *awaited; /* the last node that an early node waits for, perhaps through other early nodes; -1: not early */
} early_nodes;

static int is_early(const atl_node *node) { return atl_hooks_of(node)->is_early && node->input_count > 0; }

static void append_early(const early_nodes *early, const atl_node *node)
{
    int32_t awaited = 0;
    for (int i = 0; i < node->input_count; i++) {
        int32_t input = node->inputs[i]->index, last = early->awaited[input] < 0 ? input : early->awaited[input];
        awaited = last > awaited ? last : awaited;
    }
    early->awaited[node->index] = awaited;
    int32_t *end = &early->first[awaited];
    while (*end >= 0)
        end = &early->next[*end];
    *end = node->index;
}

/* Returns 0 out of memory; then nothing is early. */
static int find_early_nodes(const atl_graph *graph, const char *needed, char mark, early_nodes *early)
{
    size_t count = (size_t)graph->count;
    early->first = atl_allocate(3 * count, sizeof *early->first);
    if (!early->first)
        return atl_out_of_memory(), 0;
    early->next = early->first + count;
    early->awaited = early->next + count;
    memset(early->first, -1, 3 * count * sizeof *early->first);
    for (int64_t n = 0; n < graph->count; n++)
        if (needed[n] == mark && is_early(graph->nodes[n]))
            append_early(early, graph->nodes[n]);
    return 1;
}

/* The nodes with that mark that run in that phase. */
static int lower_phase(atl_lowering *l, const char *needed, char mark, char phase, const early_nodes *early)
{
    const atl_graph *graph = l->plan->copy.graph;
    int ok = 1;
    l->first_of_phase = l->plan->step_count;
    for (int64_t n = 0; n < graph->count && ok; n++) {
        if (needed[n] != mark || l->phase[n] != phase || (early->first && early->awaited[n] >= 0))
            continue;
        ok = lower_node(l, graph->nodes[n]);
        for (int32_t e = ok && early->first ? early->first[n] : -1; e >= 0 && ok; e = early->next[e])
            ok = lower_node(l, graph->nodes[e]);
    }
    return ok;
}

int atl_lower_marked(atl_lowering *l, const char *needed, char mark)
{
    const atl_graph *graph = l->plan->copy.graph;
    atl_step_loop *loop = &l->plan->loop;
    early_nodes early = {NULL, NULL, NULL};
    int ok = !atl_any_node(graph, is_early) || find_early_nodes(graph, needed, mark, &early);
    ok = ok && lower_phase(l, needed, mark, ATL_BEFORE_LOOP, &early);
    if (ok && atl_any_node(graph, atl_enters_loop)) {
        int64_t first = l->plan->step_count;
        ok = lower_phase(l, needed, mark, ATL_IN_LOOP, &early);
        if (l->plan->step_count > first) {
            loop->first = first;
            loop->end = l->plan->step_count;
        }
        ok = ok && lower_phase(l, needed, mark, ATL_AFTER_LOOP, &early);
    }
    atl_release(early.first);
    return ok;
}
