/* Making a plan: lowering every needed node, then giving each value its place. */
#include "program/plan.h"

#include <string.h>

#include "atled/program.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "onednn/onednn.h"
#include "program/chain.h"
#include "program/guard.h"
#include "program/layout.h"
#include "program/parts.h"
#include "program/timing.h"

typedef struct in_place {
    atl_value_id result, input;
    int64_t step;
} in_place;

typedef struct assignment {
    const atl_node *node;
    atl_value_id value; /* the new one; -1: it is made in the variable's memory */
} assignment;

struct atl_lowering {
    atl_plan *plan;
    const atl_node *node;
    char *once; /* of each node of the copy: see atl_mark_once */
    char *wants_workspace;
    char *blocked;       /* by the layout pass */
    char *way;           /* of each node, atl_way; null: all as estimated */
    atl_part *parts;     /* of concats; null: all are copied */
    atl_value_id *value; /* of each node, as it was made; -1: none yet */
    atl_value_id *workspace;
    in_place *in_places;
    int64_t in_place_count, in_place_capacity;
    assignment *assignments;
    int64_t assignment_count, assignment_capacity;
    int bfloat16; /* may be used */
    int winograd; /* ATL_WINOGRAD, ... */
    int in_place; /* results may be written over operands */
    int now_once; /* what is being emitted runs once */
    int checked;  /* results stand between guards */
    int failed;
};

/* ---- values ---------------------------------------------------------------------------------------------------------- */

static atl_value_id fail_lowering(atl_lowering *l)
{
    l->failed = 1;
    return -1;
}

static atl_value_id new_value(atl_lowering *l, const atl_node *node, int64_t bytes, atl_space space)
{
    atl_plan *p = l->plan;
    if (l->failed)
        return -1;
    if (p->value_count >= INT32_MAX || !ATL_GROW(p->values, p->value_count, p->value_capacity)) {
        atl_out_of_memory();
        return fail_lowering(l);
    }
    p->values[p->value_count] =
        (atl_plan_value){.bytes = bytes ? bytes : 4, .space = space, .shares = -1, .node = node, .next_form = -1};
    return (atl_value_id)p->value_count++;
}

static int64_t plain_bytes(const atl_node *node) { return atl_shape_count(node->shape) * 4; }

const atl_node *atl_lowered_node(const atl_lowering *l) { return l->node; }

int atl_lower_uses_bfloat16(const atl_lowering *l) { return l->bfloat16; }

int atl_lower_winograd_use(const atl_lowering *l) { return l->winograd; }

int atl_lower_is_checked(const atl_lowering *l) { return l->checked; }

atl_way atl_lower_way(const atl_lowering *l) { return l->way ? (atl_way)l->way[l->node->index] : ATL_ANY_WAY; }

int atl_lower_is_blocked(const atl_lowering *l) { return l->blocked[l->node->index]; }

const atl_memory_layout *atl_lower_layout_of(const atl_lowering *l, int i)
{
    atl_value_id value = l->value[l->node->inputs[i]->index];
    return value < 0 || l->plan->values[value].apart ? NULL : l->plan->values[value].layout;
}

/* The node's value in that layout: one of the forms it is already in, or a new one with the reorder that makes it. */
static atl_value_id in_layout(atl_lowering *l, const atl_node *node, const atl_memory_layout *layout)
{
    atl_plan *p = l->plan;
    atl_value_id made = l->value[node->index];
    if (l->failed || made < 0) {
        if (!l->failed)
            atl_set_error(ATL_INTERNAL, "plan: the value of '%s' is used before it is made", atl_name_of(node));
        return fail_lowering(l);
    }
    for (atl_value_id form = made; form >= 0; form = p->values[form].next_form)
        if (atl_layout_equal(p->values[form].layout, layout))
            return form;
    int outer_once = l->now_once;
    l->now_once = l->once[node->index];
    atl_value_id form = new_value(l, node, layout ? atl_layout_bytes(layout) : plain_bytes(node),
                                  l->now_once ? ATL_IN_ONCE : ATL_IN_ARENA);
    if (form >= 0) {
        p->values[form].layout = atl_layout_copy(layout);
        if ((layout && !p->values[form].layout) ||
            !atl_lower_reorder(l, node->shape, made, p->values[made].layout, form, p->values[form].layout))
            form = fail_lowering(l);
        else {
            p->values[form].next_form = p->values[made].next_form;
            p->values[made].next_form = form;
        }
    }
    l->now_once = outer_once;
    return form;
}

atl_value_id atl_lower_input(atl_lowering *l, int i) { return in_layout(l, l->node->inputs[i], NULL); }

atl_value_id atl_lower_input_in(atl_lowering *l, int i, const atl_memory_layout *layout)
{
    return in_layout(l, l->node->inputs[i], layout);
}

atl_value_id atl_lower_output_in(atl_lowering *l, const atl_memory_layout *layout)
{
    atl_value_id value = l->value[l->node->index];
    if (value >= 0)
        return value;
    value = new_value(l, l->node, layout ? atl_layout_bytes(layout) : plain_bytes(l->node),
                      l->now_once ? ATL_IN_ONCE : ATL_IN_ARENA);
    if (value < 0)
        return value;
    l->plan->values[value].layout = atl_layout_copy(layout);
    if (layout && !l->plan->values[value].layout)
        return fail_lowering(l);
    return l->value[l->node->index] = value;
}

atl_value_id atl_lower_output(atl_lowering *l) { return atl_lower_output_in(l, NULL); }

/* ---- parts of concats ------------------------------------------------------------------------------------------------- */

/* The value of the node being lowered: channels of an image that is, or will be, in plain order. */
static atl_value_id part_of(atl_lowering *l, atl_value_id image, int64_t channels, int64_t first)
{
    const atl_node *node = l->node;
    atl_value_id value = image < 0 ? image : new_value(l, node, plain_bytes(node), l->plan->values[image].space);
    if (value < 0)
        return value;
    atl_plan_value *part = &l->plan->values[value];
    part->shares = image;
    part->within = first * (int64_t)sizeof(float);
    part->apart = channels;
    part->layout = atl_layout_apart(node->shape, channels);
    if (!part->layout)
        return fail_lowering(l);
    return l->value[node->index] = value;
}

static const atl_part *part_in(const atl_lowering *l, const atl_node *node)
{
    return l->parts && l->parts[node->index].joined ? &l->parts[node->index] : NULL;
}

int atl_lower_output_is_apart(const atl_lowering *l) { return part_in(l, l->node) != NULL; }

atl_value_id atl_lower_output_apart(atl_lowering *l, int64_t *apart_out)
{
    const atl_part *part = part_in(l, l->node);
    *apart_out = part ? part->joined->shape.size[3] : l->node->shape.size[3];
    if (!part)
        return atl_lower_output(l);
    atl_value_id *joined = &l->value[part->joined->index];
    if (*joined < 0)
        *joined = new_value(l, part->joined, plain_bytes(part->joined), ATL_IN_ARENA);
    return part_of(l, *joined, *apart_out, part->first);
}

int atl_lower_input_is_apart(const atl_lowering *l, int i)
{
    atl_value_id value = l->value[l->node->inputs[i]->index];
    return value >= 0 && l->plan->values[value].apart > 0;
}

atl_value_id atl_lower_input_apart(atl_lowering *l, int i, int64_t *apart_out)
{
    const atl_node *input = l->node->inputs[i];
    atl_value_id value = l->value[input->index];
    if (!atl_lower_input_is_apart(l, i)) {
        *apart_out = input->shape.size[3];
        return atl_lower_input(l, i);
    }
    *apart_out = l->plan->values[value].apart;
    return value;
}

int atl_lower_is_in_place(const atl_lowering *l, int i)
{
    atl_value_id value = l->value[l->node->inputs[i]->index];
    int64_t first = 0;
    for (int k = 0; k < i; k++)
        first += l->node->inputs[k]->shape.size[3];
    const atl_plan_value *part = value < 0 ? NULL : &l->plan->values[value];
    return part && part->apart && part->shares == l->value[l->node->index] &&
           part->within == first * (int64_t)sizeof(float);
}

int atl_lower_part_in_place(atl_lowering *l, int64_t first)
{
    atl_value_id image = l->parts && !l->now_once ? atl_lower_input(l, 0) : -1;
    if (image < 0 || l->plan->values[image].space != ATL_IN_ARENA)
        return l->failed ? 0 : -1;
    return part_of(l, image, l->node->inputs[0]->shape.size[3], first) >= 0;
}

void atl_lower_in_place(atl_lowering *l, int i)
{
    atl_lower_over(l, l->value[l->node->index], l->value[l->node->inputs[i]->index]);
}

void atl_lower_over(atl_lowering *l, atl_value_id result, atl_value_id input)
{
    if (l->failed || result < 0 || input < 0 || !l->in_place)
        return;
    if (!ATL_GROW(l->in_places, l->in_place_count, l->in_place_capacity)) {
        atl_out_of_memory();
        fail_lowering(l);
        return;
    }
    l->in_places[l->in_place_count++] = (in_place){result, input, l->plan->step_count};
}

atl_value_id atl_lower_scratch(atl_lowering *l, int64_t bytes)
{
    return new_value(l, NULL, bytes, l->now_once ? ATL_IN_ONCE : ATL_IN_ARENA);
}

int atl_lower_wants_workspace(const atl_lowering *l) { return l->wants_workspace[l->node->index]; }

atl_value_id atl_lower_workspace(atl_lowering *l, int64_t bytes)
{
    return l->workspace[l->node->index] = atl_lower_scratch(l, bytes);
}

atl_value_id atl_lower_workspace_of(const atl_lowering *l, int i) { return l->workspace[l->node->inputs[i]->index]; }

atl_value_id atl_lower_part(atl_lowering *l, int k, int64_t bytes)
{
    atl_value_id first = atl_lower_output(l);
    atl_value_id value =
        first < 0 ? first
                  : new_value(l, NULL, bytes ? bytes : l->plan->values[first].bytes, l->plan->values[first].space);
    if (value < 0)
        return value;
    const atl_memory_layout *layout = bytes ? NULL : l->plan->values[first].layout;
    l->plan->values[value].layout = atl_layout_copy(layout);
    if (layout && !l->plan->values[value].layout)
        return fail_lowering(l);
    if (k == 0)
        l->workspace[l->node->index] = value;
    return value;
}

atl_value_id atl_lower_part_of(const atl_lowering *l, int i, int k)
{
    atl_value_id first = atl_lower_workspace_of(l, i);
    return first < 0 ? first : first + k;
}

int atl_lower_as(atl_lowering *l, atl_value_id value)
{
    l->value[l->node->index] = value;
    return value >= 0;
}

/* ---- steps ------------------------------------------------------------------------------------------------------------ */

/* The variables that the values read by a step depend on, as a set of the plan; -1 out of memory. */
static int64_t union_of_reads(atl_plan *p, const atl_plan_step *step)
{
    const atl_value_id *read = atl_step_reads(step);
    int64_t only = 0, most = 0;
    int several = 0;
    for (int i = 0; i < step->reads; i++) {
        int64_t set = p->values[read[i]].depends;
        several |= set && only && set != only;
        only = set ? set : only;
        most += p->sets[set].count;
    }
    if (!several)
        return only;
    atl_variable_set all = {.storage = atl_allocate((size_t)most, sizeof *all.storage)};
    if (!all.storage || !ATL_GROW(p->sets, p->set_count, p->set_capacity)) {
        atl_release(all.storage);
        return -1;
    }
    for (int i = 0; i < step->reads; i++) {
        const atl_variable_set *set = &p->sets[p->values[read[i]].depends];
        for (int64_t k = 0; k < set->count; k++) {
            int64_t at = 0;
            while (at < all.count && all.storage[at] != set->storage[k])
                at++;
            if (at == all.count)
                all.storage[all.count++] = set->storage[k];
        }
    }
    p->sets[p->set_count] = all;
    return p->set_count++;
}

static void release_step(atl_plan_step *step)
{
    if (step->release)
        step->release(step->data);
}

/* Checks what the step names, and appends it to the list it belongs to. */
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
        if (!l->failed)
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
    int64_t depends = union_of_reads(p, step);
    if (depends < 0 || !ATL_GROW(p->once, p->once_count, p->once_capacity))
        return atl_out_of_memory(), 0;
    for (int i = 0; i < step->writes; i++)
        p->values[step->write[i]].depends = depends;
    p->once[p->once_count++] = *step;
    return 1;
}

int atl_lower_step(atl_lowering *l, const atl_plan_step *given)
{
    atl_plan_step step = *given;
    step.node = l->node;
    step.once = l->now_once;
    if (append_step(l, &step))
        return 1;
    release_step(&step);
    l->failed = 1;
    return 0;
}

atl_value_id atl_lower_prepared(atl_lowering *l, int i, int64_t bytes, const atl_plan_step *given)
{
    atl_plan_step step = *given;
    int outer_once = l->now_once;
    step.read[step.reads++] = atl_lower_input(l, i);
    l->now_once = l->once[l->node->inputs[i]->index];
    atl_value_id value = atl_lower_scratch(l, bytes);
    step.write[step.writes++] = value;
    int ok = atl_lower_step(l, &step);
    l->now_once = outer_once;
    return ok ? value : -1;
}

/* ---- ops without a lowering of their own ------------------------------------------------------------------------------ */

static int run_kernel(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_node *y = step->data;
    const atl_value_id *read = atl_step_reads(step);
    const void *few[ATL_STEP_VALUES];
    const void **x = bound ? bound : few;
    for (int i = 0; i < y->input_count; i++)
        x[i] = read[i] >= 0 ? memory[read[i]] : NULL;
    y->op->kernel(y, x, memory[step->write[0]]);
    return 0;
}

/* A kernel of which it is checked that it writes all of its result and nothing else. write[1] has the guards. */
static int run_checked_kernel(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_node *y = step->data;
    const atl_value_id *read = atl_step_reads(step);
    const void *few[ATL_STEP_VALUES];
    const void **x = bound ? bound : few;
    char text[300];
    int64_t bytes = plain_bytes(y);
    void *result = atl_guard(memory[step->write[1]], bytes);
    uint64_t sum[2] = {0};
    for (int i = 0; i < y->input_count; i++)
        x[i] = memory[read[i]];
    for (int after = 0; after < 2; after++) {
        for (int i = 0; i < y->input_count; i++)
            if (!atl_is_shape_input(y->op, i))
                sum[after] = atl_checksum(x[i], plain_bytes(y->inputs[i]), sum[after]);
        if (!after)
            y->op->kernel(y, x, result);
    }
    const char *fault = atl_guard_fault(memory[step->write[1]], bytes, text, sizeof text);
    if (fault || sum[0] != sum[1])
        return atl_report_fault(y, y->op, fault ? fault : "changes one of its inputs, which it may only read");
    memcpy(memory[step->write[0]], result, (size_t)bytes);
    return 0;
}

static void *bind_many(const atl_plan_step *step)
{
    const atl_node *y = step->data;
    void *room = atl_allocate((size_t)y->input_count, sizeof(void *));
    if (!room)
        atl_out_of_memory();
    return room;
}

/* An op that has only a reference: to double and back. The scratch holds all operands and the guarded result as doubles. */
static int run_reference(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_node *y = step->data;
    const atl_value_id *read = atl_step_reads(step);
    double *to = memory[step->write[1]];
    const double *few[ATL_STEP_VALUES];
    const double **x = bound ? bound : few;
    for (int i = 0; i < y->input_count; i++) {
        int64_t count = atl_is_shape_input(y->op, i) ? 0 : atl_shape_count(y->inputs[i]->shape);
        const void *from = memory[read[i]];
        x[i] = to;
        for (int64_t k = 0; k < count; k++)
            *to++ = y->inputs[i]->dtype == ATL_INT32 ? ((const int32_t *)from)[k] : (double)((const float *)from)[k];
    }
    int64_t count = atl_shape_count(y->shape);
    char text[300];
    double *result = atl_guard(to, count * 8);
    y->op->reference(y, x, result);
    if (atl_guard_fault(to, count * 8, text, sizeof text))
        return atl_report_fault(y, y->op, text);
    to = result;
    for (int64_t k = 0; k < count; k++)
        if (y->dtype == ATL_INT32)
            ((int32_t *)memory[step->write[0]])[k] = (int32_t)to[k];
        else
            ((float *)memory[step->write[0]])[k] = (float)to[k];
    return 0;
}

static void release_reads(void *data) { (void)data; }

/* A step that calls the op's kernel, or else its reference. */
int atl_lower_kernel(atl_lowering *l)
{
    const atl_node *y = l->node;
    int by_kernel = y->op->kernel != NULL, many = y->input_count > ATL_STEP_VALUES, checked = l->checked || !by_kernel;
    atl_plan_step step = {.implementation = by_kernel ? "kernel" : "double",
                          .run = !by_kernel ? run_reference
                                 : checked  ? run_checked_kernel
                                            : run_kernel,
                          .cannot_fail = !checked,
                          .release = release_reads,
                          .data = (void *)y};
    if (!by_kernel && !y->op->reference) {
        atl_set_error(ATL_UNSUPPORTED, "the op %s ('%s') cannot be computed: it has no kernel", y->op->name,
                      atl_name_of(y));
        return 0;
    }
    if (many) {
        step.more_reads = atl_graph_allocate(y->graph, (size_t)y->input_count * sizeof *step.more_reads);
        step.bind = bind_many;
        step.unbind = atl_release;
        if (!step.more_reads)
            return atl_out_of_memory(), 0;
    }
    atl_value_id *read = many ? step.more_reads : step.read;
    int64_t doubles = atl_shape_count(y->shape);
    atl_value_id result = atl_lower_output(l);
    step.reads = y->input_count;
    for (int i = 0; i < y->input_count; i++) {
        int by_shape = atl_is_shape_input(y->op, i);
        read[i] = by_shape ? -1 : atl_lower_input(l, i);
        doubles += by_shape ? 0 : atl_shape_count(y->inputs[i]->shape);
    }
    /* Inputs that give their shape only have no value. Any will do in their place. */
    for (int i = 0; i < y->input_count; i++)
        if (read[i] < 0 && !l->failed)
            read[i] = result;
    step.write[step.writes++] = result;
    if (checked)
        step.write[step.writes++] = atl_lower_scratch(l, atl_guarded_bytes(by_kernel ? plain_bytes(y) : doubles * 8));
    return atl_lower_step(l, &step);
}

/* ---- one node ----------------------------------------------------------------------------------------------------------- */

static int lower_source(atl_lowering *l)
{
    atl_plan *p = l->plan;
    const atl_node *node = l->node;
    if (node->op->flags & ATL_OP_INPUT) {
        atl_value_id value = new_value(l, node, plain_bytes(node), ATL_FED);
        if (value < 0 || !ATL_GROW(p->feeds, p->feed_count, p->feed_capacity))
            return 0;
        p->feeds[p->feed_count++] = (atl_plan_feed){node->origin, value};
        l->value[node->index] = value;
        return 1;
    }
    atl_tensor *stored = atl_storage_value(node->storage);
    atl_value_id value = stored ? new_value(l, node, plain_bytes(node), ATL_STORED) : -1;
    if (value < 0)
        return 0;
    p->values[value].stored = stored->data;
    l->value[node->index] = value;
    if (node->op->flags & ATL_OP_CONSTANT)
        return 1;
    atl_storage **storage = atl_allocate(1, sizeof *storage);
    if (!storage || !ATL_GROW(p->sets, p->set_count, p->set_capacity)) {
        atl_release(storage);
        return atl_out_of_memory(), 0;
    }
    *storage = node->storage;
    p->values[value].depends = p->set_count;
    p->sets[p->set_count++] = (atl_variable_set){storage, 1};
    return 1;
}

/* The same memory under another shape. */
static int lower_alias(atl_lowering *l) { return atl_lower_as(l, atl_lower_input(l, 0)); }

static int run_copy(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    memmove(memory[step->write[0]], memory[step->read[0]], (size_t)(intptr_t)step->data);
    return 0;
}

static int lower_copy(atl_lowering *l, atl_value_id from, atl_value_id to)
{
    if (from < 0 || to < 0)
        return 0;
    atl_plan_step step = {.implementation = "copy", .run = run_copy, .cannot_fail = 1, .reads = 1, .writes = 1};
    step.data = (void *)(intptr_t)l->plan->values[from].bytes;
    step.read[0] = from;
    step.write[0] = to;
    return atl_lower_step(l, &step);
}

/* ---- assignments ---------------------------------------------------------------------------------------------------------- */

static void *memory_of(const atl_node *variable) { return variable->storage->value->data; }

/* Notes that the variable takes the value.  What is not made by this program is copied now: it may be another variable's. */
static int lower_assign(atl_lowering *l)
{
    atl_plan *p = l->plan;
    atl_value_id value = atl_lower_input(l, 1);
    if (value >= 0 && p->values[value].space != ATL_IN_ARENA) {
        atl_value_id taken = new_value(l, l->node, p->values[value].bytes, ATL_IN_ARENA);
        value = lower_copy(l, value, taken) ? taken : -1;
    }
    if (!atl_lower_as(l, value) || !atl_storage_value(l->node->inputs[0]->storage))
        return 0;
    if (!ATL_GROW(l->assignments, l->assignment_count, l->assignment_capacity))
        return atl_out_of_memory(), 0;
    l->assignments[l->assignment_count++] = (assignment){l->node, value};
    return 1;
}

static int lower_node(atl_lowering *l, const atl_node *node)
{
    l->node = node;
    l->now_once = l->once[node->index];
    if (node->op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT))
        return lower_source(l);
    if (node->op->flags & ATL_OP_ASSIGN)
        return lower_assign(l);
    if (node->op->flags & ATL_OP_ALIAS)
        return lower_alias(l);
    for (int d = 0; d < node->shape.rank; d++)
        if (node->shape.size[d] == ATL_ANY) {
            atl_set_error(ATL_INTERNAL, "plan: the shape of '%s' is still unknown", atl_name_of(node));
            return 0;
        }
    atl_sum_form form;
    int is_sum = node->op->as_sum && !node->op->kernel && node->op->as_sum(node, &form);
    int ok = node->op->lower                          ? node->op->lower(l)
             : atl_is_elementwise(node->op) || is_sum ? atl_lower_chain(l)
                                                      : atl_lower_kernel(l);
    return ok && !l->failed;
}

/* Which forward nodes must keep a workspace. */
static void find_workspaces(atl_lowering *l, const char *needed)
{
    const atl_graph *graph = l->plan->copy.graph;
    for (int64_t n = 0; n < graph->count; n++)
        for (int i = 0; needed[n] && i < graph->nodes[n]->input_count && i < 32; i++)
            if ((graph->nodes[n]->op->workspace_inputs >> i) & 1)
                l->wants_workspace[graph->nodes[n]->inputs[i]->index] = 1;
}

static int is_group(const atl_node *node)
{
    return node->op->flags & ATL_OP_ALIAS && node->op->flags & ATL_OP_SIDE_EFFECT;
}
static int is_assignment(const atl_node *node) { return node->op->flags & ATL_OP_ASSIGN || is_group(node); }

/* Marks as 2 what is needed for something else than assignments.  The rest comes last: by then nobody reads the variables any
 * more, and they can be written in place. */
static void mark_early(const atl_graph *graph, char *needed, int64_t count, atl_node *const *roots)
{
    for (int64_t i = 0; i < count; i++)
        if (!is_assignment(roots[i]))
            needed[roots[i]->index] = 2;
    for (int64_t n = graph->count - 1; n >= 0; n--) {
        const atl_node *node = graph->nodes[n];
        for (int i = 0; needed[n] && i < node->input_count; i++)
            if (atl_reads_input(node->op, i) && (needed[n] == 2 || (is_group(node) && !is_assignment(node->inputs[i]))))
                needed[node->inputs[i]->index] = 2;
    }
}

static int lower_all(atl_lowering *l, const char *needed)
{
    const atl_graph *graph = l->plan->copy.graph;
    for (int64_t n = 0; n < graph->count; n++)
        l->value[n] = l->workspace[n] = -1;
    find_workspaces(l, needed);
    for (int turn = 2; turn > 0; turn--)
        for (int64_t n = 0; n < graph->count; n++)
            if (needed[n] == turn && !lower_node(l, graph->nodes[n]))
                return 0;
    return 1;
}

/* ---- places --------------------------------------------------------------------------------------------------------------- */

typedef struct lifetimes {
    int64_t *first, *last; /* of every value, in steps of its list */
} lifetimes;

static void use(lifetimes *lives, atl_value_id value, int64_t step)
{
    if (lives->first[value] < 0)
        lives->first[value] = step;
    lives->last[value] = step;
}

static atl_value_id root_of(const atl_plan *p, atl_value_id value)
{
    while (p->values[value].shares >= 0)
        value = p->values[value].shares;
    return value;
}

/* Parts of a concat live as long as the whole. */
static void find_lifetimes(const atl_plan *p, lifetimes *lives, atl_space space)
{
    const atl_plan_step *steps = space == ATL_IN_ONCE ? p->once : p->steps;
    int64_t count = space == ATL_IN_ONCE ? p->once_count : p->step_count;
    for (int64_t v = 0; v < p->value_count; v++)
        if (p->values[v].space == space)
            lives->first[v] = lives->last[v] = -1;
    for (int64_t s = 0; s < count; s++) {
        const atl_value_id *read = atl_step_reads(&steps[s]);
        for (int i = 0; i < steps[s].reads; i++)
            if (p->values[read[i]].space == space)
                use(lives, root_of(p, read[i]), s);
        for (int i = 0; i < steps[s].writes; i++)
            if (p->values[steps[s].write[i]].space == space)
                use(lives, root_of(p, steps[s].write[i]), s);
    }
    for (int64_t v = 0; v < p->value_count; v++)
        if (p->values[v].space == space && space != ATL_STORED && p->values[v].pinned && lives->first[v] >= 0) {
            lives->last[v] = count;
            if (space == ATL_IN_ONCE) /* steps before the one that made it may run again without it */
                lives->first[v] = 0;
        }
}

static int allocate_lifetimes(const atl_plan *p, lifetimes *lives)
{
    lives->first = atl_allocate((size_t)p->value_count, sizeof *lives->first);
    lives->last = atl_allocate((size_t)p->value_count, sizeof *lives->last);
    return (lives->first && lives->last) || (atl_out_of_memory(), 0);
}

static void release_lifetimes(lifetimes *lives)
{
    atl_release(lives->first);
    atl_release(lives->last);
}

/* ---- places of what is assigned ---- */

/* The first step from which none can fail any more. */
static int64_t first_sure_step(const atl_plan *p)
{
    int64_t s = p->step_count;
    while (s > 0 && p->steps[s - 1].cannot_fail)
        s--;
    return s;
}

/* True if the step that makes `result` may write it over `input`, which it reads. */
static int may_write_over(const atl_lowering *l, atl_value_id result, atl_value_id input)
{
    for (int64_t i = 0; i < l->in_place_count; i++)
        if (l->in_places[i].result == result && l->in_places[i].input == input)
            return 1;
    return 0;
}

/* True if the value can be made in the variable's own memory: nothing that can fail follows, and no reader of the old value. */
static int can_be_made_in_place(const atl_lowering *l, const lifetimes *lives, const assignment *a, int64_t sure)
{
    atl_value_id old = l->value[a->node->inputs[0]->index];
    int64_t made = lives->first[a->value], read = old < 0 ? -1 : lives->last[old];
    return l->in_place && l->plan->values[a->value].space == ATL_IN_ARENA && made >= sure &&
           (read < made || (read == made && may_write_over(l, a->value, old)));
}

/* A step at the end that copies the value to its variable. */
static int copy_at_end(atl_lowering *l, const assignment *a)
{
    const atl_node *variable = a->node->inputs[0];
    l->node = a->node;
    l->now_once = 0;
    atl_value_id to = new_value(l, variable, l->plan->values[a->value].bytes, ATL_STORED);
    if (to >= 0)
        l->plan->values[to].stored = memory_of(variable);
    return lower_copy(l, a->value, to);
}

static int place_assigned(atl_lowering *l)
{
    atl_plan *p = l->plan;
    lifetimes lives = {0};
    if (!l->assignment_count)
        return 1;
    int64_t sure = first_sure_step(p);
    p->assigned = atl_allocate((size_t)l->assignment_count, sizeof *p->assigned);
    int ok = allocate_lifetimes(p, &lives) && p->assigned;
    if (ok) {
        find_lifetimes(p, &lives, ATL_STORED);
        find_lifetimes(p, &lives, ATL_IN_ARENA);
    }
    for (int64_t i = 0; ok && i < l->assignment_count; i++) {
        assignment *a = &l->assignments[i];
        p->assigned[p->assigned_count++] = a->node->inputs[0]->storage;
        if (!can_be_made_in_place(l, &lives, a, sure))
            continue;
        p->values[a->value].space = ATL_STORED;
        p->values[a->value].stored = memory_of(a->node->inputs[0]);
        a->value = -1;
    }
    release_lifetimes(&lives);
    if (!p->assigned)
        return atl_out_of_memory(), 0;
    for (int64_t i = 0; ok && i < l->assignment_count; i++)
        ok = l->assignments[i].value < 0 || copy_at_end(l, &l->assignments[i]);
    return ok;
}

/* True if another result of the step of in_places[i] lies there already. One that nobody reads ends with the step, as the input did. */
static int is_taken(const atl_lowering *l, int64_t i, atl_value_id place)
{
    for (int64_t k = i - 1; k >= 0 && l->in_places[k].step == l->in_places[i].step; k--)
        if (l->plan->values[l->in_places[k].result].shares == place)
            return 1;
    return 0;
}

/* Lets results take the place of inputs whose last use is the very step. */
static void share_places(atl_lowering *l, lifetimes *lives)
{
    atl_plan *p = l->plan;
    for (int64_t i = 0; i < l->in_place_count; i++) {
        atl_value_id result = l->in_places[i].result, input = root_of(p, l->in_places[i].input);
        atl_plan_value *to = &p->values[result], *from = &p->values[input];
        if (to->shares >= 0 || p->values[l->in_places[i].input].apart || to->space != ATL_IN_ARENA ||
            from->space != ATL_IN_ARENA || to->bytes > from->bytes || lives->last[input] != l->in_places[i].step ||
            lives->first[result] != l->in_places[i].step || is_taken(l, i, input))
            continue;
        to->shares = input;
        lives->last[input] = lives->last[result];
    }
}

static int64_t pack(atl_plan *p, const lifetimes *lives, atl_space space)
{
    atl_block *blocks = atl_allocate((size_t)p->value_count, sizeof *blocks);
    int64_t count = 0;
    if (!blocks)
        return -1;
    for (int64_t v = 0; v < p->value_count; v++)
        if (p->values[v].space == space && p->values[v].shares < 0 && lives->first[v] >= 0)
            blocks[count++] =
                (atl_block){.bytes = p->values[v].bytes, .first = lives->first[v], .last = lives->last[v]};
    int64_t size = atl_pack_arena(blocks, count);
    count = 0;
    for (int64_t v = 0; v < p->value_count && size >= 0; v++)
        if (p->values[v].space == space && p->values[v].shares < 0 && lives->first[v] >= 0)
            p->values[v].offset = blocks[count++].offset;
    atl_release(blocks);
    return size;
}

/* Of what is made once, that has to stay which a run reads, or a step that may run again without the one that made it, because it
 * depends on more variables. */
static void pin_once_values(atl_plan *p)
{
    for (int64_t s = 0; s < p->step_count + p->once_count; s++) {
        const atl_plan_step *step = s < p->step_count ? &p->steps[s] : &p->once[s - p->step_count];
        for (int i = 0; i < step->reads; i++) {
            atl_plan_value *value = &p->values[atl_step_reads(step)[i]];
            if (value->space == ATL_IN_ONCE)
                value->pinned |= !step->once || value->depends != p->values[step->write[0]].depends;
        }
    }
}

static int give_places(atl_lowering *l)
{
    atl_plan *p = l->plan;
    lifetimes lives = {0};
    p->once_bytes = -1;
    if (allocate_lifetimes(p, &lives)) {
        pin_once_values(p);
        find_lifetimes(p, &lives, ATL_IN_ONCE);
        find_lifetimes(p, &lives, ATL_IN_ARENA);
        share_places(l, &lives);
        p->once_bytes = pack(p, &lives, ATL_IN_ONCE);
        p->arena_bytes = pack(p, &lives, ATL_IN_ARENA);
    }
    release_lifetimes(&lives);
    if (p->arena_bytes < 0 || p->once_bytes < 0)
        return atl_out_of_memory(), 0;
    return 1;
}

/* ---- the plan --------------------------------------------------------------------------------------------------------------- */

static int set_wanted(atl_lowering *l, atl_nodes wanted)
{
    atl_plan *p = l->plan;
    p->wanted = atl_allocate((size_t)wanted.count, sizeof *p->wanted);
    if (!p->wanted)
        return atl_out_of_memory(), 0;
    for (int64_t i = 0; i < wanted.count; i++) {
        p->wanted[i] = in_layout(l, p->copy.of[wanted.node[i]->index], NULL);
        if (p->wanted[i] < 0)
            return 0;
        p->values[p->wanted[i]].pinned = 1;
    }
    p->wanted_count = wanted.count;
    return 1;
}

/* Layouts, and with them ways: as estimated, as measured, or (to measure one) as ordered. */
static int choose_ways(atl_lowering *l, const char *needed, int64_t count, atl_node *const *roots,
                       atl_plan_options options)
{
    const atl_graph *graph = l->plan->copy.graph;
    atl_times times = {0};
    int measures = options.timing || options.way;
    if (measures && !(l->way = atl_allocate((size_t)graph->count, 1)))
        return 0;
    if (options.timing && !atl_time_nodes(&times, graph, needed, l->once, l->winograd, options.bfloat16))
        return 0;
    l->blocked = atl_choose_layouts(graph, needed, count, roots, l->winograd && !options.way, times.gain);
    for (int64_t n = 0; l->blocked && measures && n < graph->count; n++) {
        if (options.way && graph->nodes[n]->op->ways && graph->nodes[n]->op->ways(graph->nodes[n], l->winograd)) {
            l->way[n] = (char)options.way;
            l->blocked[n] = options.way >= ATL_WAY_BLOCKED;
        } else if (options.timing)
            l->way[n] = l->blocked[n] ? times.blocked[n] : times.plain[n];
    }
    atl_release_times(&times);
    return l->blocked != NULL;
}

static int make_steps(atl_lowering *l, atl_nodes wanted, atl_plan_options options)
{
    atl_plan *p = l->plan;
    int64_t count = p->copy.graph->count;
    atl_node **roots = atl_allocate((size_t)wanted.count, sizeof *roots);
    for (int64_t i = 0; roots && i < wanted.count; i++)
        roots[i] = p->copy.of[wanted.node[i]->index];
    char *needed = roots ? atl_mark_needed(p->copy.graph, wanted.count, roots, 0) : NULL;
    l->once = needed ? atl_mark_once(p->copy.graph, needed) : NULL;
    if (l->once && options.without & ATL_PASS_ONCE)
        memset(l->once, 0, (size_t)count);
    l->in_place = !(options.without & ATL_PASS_IN_PLACE);
    l->winograd = options.without & ATL_PASS_WINOGRAD ? ATL_NO_WINOGRAD
                  : options.bfloat16                  ? ATL_WINOGRAD_OVER_BFLOAT16
                                                      : ATL_WINOGRAD;
    int chosen = needed && l->once && choose_ways(l, needed, wanted.count, roots, options);
    int finds_parts = l->once && l->blocked && !(options.without & ATL_PASS_CONCAT);
    l->parts = finds_parts
                   ? atl_find_parts(p->copy.graph, needed, l->once, l->blocked, wanted.count, roots, l->winograd)
                   : NULL;
    l->wants_workspace = atl_allocate((size_t)count, 1);
    l->value = atl_allocate((size_t)count, sizeof *l->value);
    l->workspace = atl_allocate((size_t)count, sizeof *l->workspace);
    int ok = chosen && needed && l->once && (l->parts || !finds_parts) && l->wants_workspace && l->value &&
             l->workspace && l->blocked && ATL_GROW(p->sets, 0, p->set_capacity);
    if (ok) {
        p->sets[p->set_count++] = (atl_variable_set){0};
        mark_early(p->copy.graph, needed, wanted.count, roots);
        ok = lower_all(l, needed) && set_wanted(l, wanted) && place_assigned(l) && give_places(l);
    } else
        atl_out_of_memory();
    atl_release(roots);
    atl_release(needed);
    atl_release(l->once);
    atl_release(l->wants_workspace);
    atl_release(l->blocked);
    atl_release(l->way);
    atl_release(l->parts);
    atl_release(l->value);
    atl_release(l->workspace);
    atl_release(l->in_places);
    atl_release(l->assignments);
    return ok;
}

static void *address_of(const atl_plan *p, atl_value_id v, char *arena)
{
    const atl_plan_value *root = &p->values[root_of(p, v)];
    int64_t within = 0;
    for (; p->values[v].shares >= 0; v = p->values[v].shares)
        within += p->values[v].within;
    switch (root->space) {
    case ATL_IN_ARENA:
        return arena + root->offset + within;
    case ATL_IN_ONCE:
        return p->once_memory + root->offset + within;
    case ATL_STORED:
        return (char *)root->stored + within;
    default:
        return NULL;
    }
}

static int make_once_memory(atl_plan *p)
{
    p->once_memory = atl_allocate_aligned((size_t)p->once_bytes);
    p->once_table = atl_allocate((size_t)p->value_count, sizeof *p->once_table);
    p->once_bound = atl_allocate((size_t)p->once_count, sizeof *p->once_bound);
    p->once_version = atl_allocate((size_t)p->once_count, sizeof *p->once_version);
    if (!p->once_memory || !p->once_table || !p->once_bound || !p->once_version)
        return atl_out_of_memory(), 0;
    for (int64_t v = 0; v < p->value_count; v++)
        p->once_table[v] = address_of(p, (atl_value_id)v, NULL);
    for (int64_t s = 0; s < p->once_count; s++)
        if (p->once[s].bind && !(p->once_bound[s] = p->once[s].bind(&p->once[s])))
            return 0;
    return 1;
}

atl_plan *atl_plan_new(atl_copy *copy, atl_nodes wanted, atl_plan_options options)
{
    atl_plan *p = atl_allocate(1, sizeof *p);
    if (!p) {
        atl_copy_free(copy);
        atl_out_of_memory();
        return NULL;
    }
    p->copy = *copy;
    atl_lowering l = {.plan = p, .bfloat16 = options.bfloat16, .checked = options.checked || ATL_ALWAYS_CHECKED};
    if (make_steps(&l, wanted, options) && make_once_memory(p))
        return p;
    atl_plan_free(p);
    return NULL;
}

void atl_plan_free(atl_plan *p)
{
    if (!p)
        return;
    for (int64_t s = 0; s < p->once_count; s++) {
        if (p->once_bound && p->once_bound[s] && p->once[s].unbind)
            p->once[s].unbind(p->once_bound[s]);
        release_step(&p->once[s]);
    }
    for (int64_t s = 0; s < p->step_count; s++)
        release_step(&p->steps[s]);
    for (int64_t v = 0; v < p->value_count; v++)
        atl_layout_free(p->values[v].layout);
    for (int64_t i = 0; i < p->set_count; i++)
        atl_release(p->sets[i].storage);
    atl_release(p->once_memory);
    atl_release(p->once_table);
    atl_release(p->once_bound);
    atl_release(p->once_version);
    atl_release(p->values);
    atl_release(p->steps);
    atl_release(p->once);
    atl_release(p->sets);
    atl_release(p->feeds);
    atl_release(p->assigned);
    atl_release(p->wanted);
    atl_release(p->input_shape);
    atl_release(p->microseconds);
    atl_copy_free(&p->copy);
    atl_release(p);
}

/* Version 1 is that of a variable that was never assigned: it is newer than a step that never ran. */
static uint64_t newest(const atl_variable_set *set)
{
    uint64_t version = 1;
    for (int64_t i = 0; i < set->count; i++)
        if (set->storage[i]->version > version)
            version = set->storage[i]->version;
    return version;
}

atl_status atl_plan_refresh(atl_plan *p, uint64_t version)
{
    for (int64_t s = 0; s < p->once_count; s++) {
        const atl_plan_step *step = &p->once[s];
        uint64_t needs = newest(&p->sets[p->values[step->write[0]].depends]);
        if (p->once_version[s] >= needs)
            continue;
        if (step->run(step, p->once_table, p->once_bound[s]))
            return ATL_INTERNAL;
        p->once_version[s] = needs;
    }
    atomic_store(&p->seen, version);
    return ATL_OK;
}

void atl_plan_note_assigned(atl_plan *p, atl_graph *graph)
{
    if (!p->assigned_count)
        return;
    uint64_t before = atomic_fetch_add(&graph->version, 1);
    for (int64_t i = 0; i < p->assigned_count; i++)
        p->assigned[i]->version = before + 1;
    atomic_compare_exchange_strong(&p->seen, &before, before + 1); /* nothing that this plan keeps depends on them */
}

/* ---- states ------------------------------------------------------------------------------------------------------------------- */

atl_status atl_plan_state_open(atl_plan_state *state, atl_plan *p)
{
    *state = (atl_plan_state){.plan = p};
    state->arena = atl_allocate_aligned((size_t)p->arena_bytes);
    state->memory = atl_allocate((size_t)p->value_count, sizeof *state->memory);
    state->bound = atl_allocate((size_t)p->step_count, sizeof *state->bound);
    state->wanted = atl_allocate((size_t)p->wanted_count, sizeof *state->wanted);
    if (!state->arena || !state->memory || !state->bound || !state->wanted) {
        atl_plan_state_close(state);
        return atl_out_of_memory();
    }
    for (int64_t v = 0; v < p->value_count; v++)
        state->memory[v] = address_of(p, (atl_value_id)v, state->arena);
    for (int64_t s = 0; s < p->step_count; s++)
        if (p->steps[s].bind && !(state->bound[s] = p->steps[s].bind(&p->steps[s]))) {
            atl_plan_state_close(state);
            return ATL_OUT_OF_MEMORY;
        }
    return ATL_OK;
}

void atl_plan_state_close(atl_plan_state *state)
{
    atl_plan *p = state->plan;
    for (int64_t s = 0; p && state->bound && s < p->step_count; s++)
        if (state->bound[s] && p->steps[s].unbind)
            p->steps[s].unbind(state->bound[s]);
    for (int64_t i = 0; p && state->wanted && i < p->wanted_count; i++)
        atl_tensor_free(state->wanted[i]);
    atl_release(state->arena);
    atl_release(state->memory);
    atl_release(state->bound);
    atl_release(state->wanted);
    *state = (atl_plan_state){0};
}
