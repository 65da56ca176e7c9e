/* Element-wise nodes and sums as expressions; the op of fused nodes. */
#include "ops/expression.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "graph/memory.h"
#include "onednn/onednn.h"
#include "ops/expression_step.h"

/* ---- lowering ---------------------------------------------------------------------------------------------------- */

const atl_expression *atl_expression_of(const atl_node *node)
{
    return node->op == &atl_fused_op ? *(const atl_expression *const *)node->attributes : NULL;
}

static void set_sum(atl_expression *expression, const atl_node *node, const atl_sum_form *form)
{
    expression->shape = *node->inputs[form->a]->shape;
    expression->outer = form->outer;
    expression->reduced = form->reduced;
    expression->inner = form->inner;
    expression->operands = form->b >= 0 && form->b != form->a ? 2 : 1;
    expression->sums = 1;
    expression->sum[0] = (atl_expression_sum){.a = 0,
                                              .b = form->b < 0          ? -1
                                                   : form->b == form->a ? 0
                                                                        : 1,
                                              .scale = form->scale,
                                              .shape = *node->shape};
}

/* The expression of one element-wise op or one sum. */
static void set_single(atl_expression *expression, const atl_node *node, int *input)
{
    atl_sum_form form;
    if (!atl_is_elementwise(node->op)) {
        atl_hooks_of(node)->as_sum(node, &form);
        set_sum(expression, node, &form);
        input[0] = form.a;
        input[1] = form.b;
        return;
    }
    expression->shape = *node->shape;
    expression->operands = node->input_count;
    expression->length = expression->arrays = 1;
    expression->array[0] = 0;
    expression->instruction[0] =
        (atl_instruction){.op = node->op, .attributes = node->attributes, .inputs = node->input_count};
    for (int i = 0; i < node->input_count && i < ATL_EXPRESSION_ARITY; i++)
        expression->instruction[0].in[i] = (uint8_t)i;
}

static size_t attributes_room(const atl_instruction *in) { return (in->op->attributes + 15) / 16 * 16; }

/* A copy in the graph's memory, with all attributes; null, with the error recorded on the graph, if memory runs out. */
static atl_expression *copied_expression(atl_graph *graph, const atl_expression *from)
{
    size_t instructions = (size_t)from->length * sizeof *from->instruction,
           sums = (size_t)from->sums * sizeof *from->sum, numbers = (size_t)from->numbers * sizeof *from->number,
           arrays = (size_t)from->arrays * sizeof *from->array;
    size_t attributes = 0;
    for (int k = 0; k < from->length; k++)
        attributes += attributes_room(&from->instruction[k]);
    char *memory = atl_graph_allocate(graph, attributes + sizeof *from + instructions + sums + numbers + arrays);
    if (!memory)
        return NULL;
    atl_expression *expression = (atl_expression *)(memory + attributes);
    *expression = *from;
    expression->instruction = (atl_instruction *)(expression + 1);
    expression->sum = (atl_expression_sum *)((char *)expression->instruction + instructions);
    expression->number = (float *)((char *)expression->sum + sums);
    expression->array = (int *)((char *)expression->number + numbers);
    memcpy(expression->instruction, from->instruction, instructions);
    memcpy(expression->sum, from->sum, sums);
    memcpy(expression->number, from->number, numbers);
    memcpy(expression->array, from->array, arrays);
    for (int k = 0; k < expression->length; k++) {
        atl_instruction *one = &expression->instruction[k];
        one->attributes = memcpy(memory, one->attributes, one->op->attributes);
        memory += attributes_room(one);
    }
    return expression;
}

/* The expression of any node that this file lowers, and the inputs that are its operands.  It lives as long as the
 * node's graph.  Null: out of memory. */
static const atl_expression *expression_for(const atl_node *node, int *input)
{
    atl_expression_room room;
    const atl_expression *fused = atl_expression_of(node);
    for (int i = 0; i < ATL_EXPRESSION_OPERANDS; i++)
        input[i] = i;
    if (fused)
        return fused;
    atl_expression single = atl_expression_in(&room);
    set_single(&single, node, input);
    return copied_expression(node->graph, &single);
}

/* Lives as long as the expression. */
static expression_step *new_expression_step(atl_graph *graph, const atl_expression *expression)
{
    int registers = expression->operands + expression->numbers + expression->length;
    size_t operands = (size_t)expression->operands * sizeof(operand);
    expression_step *s = atl_graph_allocate(graph, sizeof *s + operands +
                                                       (size_t)(registers + expression->operands + expression->length));
    if (!s)
        return NULL;
    s->expression = expression;
    s->operand = (operand *)(s + 1);
    s->slot = (int8_t *)(s + 1) + operands;
    s->last_use = s->slot + registers;
    s->result = s->last_use + expression->operands;
    return s;
}

/* True if result k may overwrite dense operand i: no later instruction reads that memory.  That of a product is not the
 * step's. */
static int may_write_over(const expression_step *s, const atl_plan_step *step, int k, int i)
{
    for (int j = 0; j < s->expression->operands; j++)
        if (step->read[j] == step->read[i] && s->last_use[j] > s->expression->array[k])
            return 0;
    return s->operand[i].kind == DENSE && i != s->expression->product;
}

static void add_results(atl_lowering *lowering, atl_plan_step *step, const atl_memory_layout *layout)
{
    const expression_step *s = step->data;
    const atl_expression *c = s->expression;
    step->write[step->writes++] = atl_lower_output_in(lowering, c->arrays ? layout : NULL);
    for (int k = 1; k < c->arrays + c->sums; k++) {
        int64_t bytes = k < c->arrays ? 0 : atl_shape_count(c->sum[k - c->arrays].shape) * (int64_t)sizeof(float);
        step->write[step->writes++] = atl_lower_part(lowering, k - 1, bytes);
    }
    if (c->sums && s->pieces > 1)
        step->write[step->writes++] =
            atl_lower_scratch(lowering, s->tiles * s->pieces * c->sums * s->width * (int64_t)sizeof(double));
    if (c->product >= 0) /* for each thread the second matrix, packed, and some rows of the product */
        step->write[step->writes++] =
            atl_lower_scratch(lowering, s->workers * atl_product_room(c) * (int64_t)sizeof(float));
    for (int k = 0; k < c->arrays; k++)
        for (int i = 0; i < c->operands; i++)
            if (may_write_over(s, step, k, i))
                atl_lower_over(lowering, step->write[k], step->read[i]);
}

int atl_lower_expression(atl_lowering *lowering)
{
    const atl_node *node = atl_lowered_node(lowering);
    int input[ATL_EXPRESSION_OPERANDS], blocked = atl_lower_is_blocked(lowering);
    if (node->input_count > ATL_EXPRESSION_ARITY && !atl_expression_of(node))
        return atl_set_error(ATL_UNSUPPORTED, "%s: an element-wise op takes at most %d inputs", node->op->name,
                             ATL_EXPRESSION_ARITY),
               0;
    const atl_expression *expression = expression_for(node, input);
    expression_step *s = expression ? new_expression_step(node->graph, expression) : NULL;
    if (!s)
        return 0;
    atl_plan_expression(s, node, input);
    s->checked = atl_lower_is_checked(lowering);
    atl_step_run *small = atl_plan_small_expression(s, node->graph);
    if (!small && !atl_plan_parts(s, node->graph))
        return 0;
    atl_memory_layout *layout = NULL; /* all images have the same layout, so the order of elements does not matter */
    if (blocked && !(layout = atl_layout_blocked(expression->shape)))
        return 0;
    s->workers = omp_get_max_threads();
    atl_plan_step step = {.implementation = expression->length + expression->sums > 1 ? "fused"
                                            : expression->sums                        ? "sum"
                                                                                      : "map",
                          .run = small ? small : atl_run_expression,
                          .run_range =
                              !small && !layout && atl_expression_has_ranges(s) ? atl_run_expression_range : NULL,
                          .cannot_fail = !s->checked,
                          .data = s};
    for (int i = 0; i < expression->operands; i++)
        step.read[step.reads++] = atl_lower_input_in(lowering, input[i], s->operand[i].kind == DENSE ? layout : NULL);
    if (expression->product >= 0) {
        step.read[step.reads++] = atl_lower_input(lowering, expression->operands);
        step.flops = 2 * (double)(expression->rows.rows * expression->rows.columns) * (double)expression->rows.terms;
    }
    add_results(lowering, &step, layout);
    atl_layout_free(layout);
    return atl_lower_step(lowering, &step);
}

/* ---- blocked images ---------------------------------------------------------------------------------------------- */

double atl_expression_blocked_benefit(const atl_node *y, unsigned *images)
{
    const atl_expression *expression = atl_expression_of(y);
    atl_shape shape = expression ? expression->shape : *y->shape;
    *images = 0;
    if (shape.rank != 4 || shape.size[3] % 16 || shape.size[3] == 0 || (expression && expression->sums))
        return -INFINITY;
    for (int i = 0; i < y->input_count && i < 32; i++)
        if (atl_shape_equal(*y->inputs[i]->shape, shape))
            *images |= 1u << i;
        else if (atl_shape_count(*y->inputs[i]->shape) != 1)
            return -INFINITY;
    return 0;
}

/* ---- the op ------------------------------------------------------------------------------------------------------ */

static atl_shape shape_of_result(const atl_expression *c, int k)
{
    return k < c->arrays ? c->shape : c->sum[k - c->arrays].shape;
}

static bool infer_fused(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, shape_of_result(atl_expression_of(y), 0)); }

static void describe_fused(const atl_node *y, char *text, size_t size)
{
    const atl_expression *expression = atl_expression_of(y);
    size_t at = expression->product < 0 ? 0 : (size_t)snprintf(text, size, "product ");
    for (int k = 0; k < expression->length + expression->sums && at < size; k++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", k ? " " : "",
                               k < expression->length ? expression->instruction[k].op->name : "sum");
}

const atl_op atl_fused_op = {.name = "fused",
                             .arity = ATL_VARIADIC,
                             .attributes = sizeof(atl_expression *),
                             .infer = infer_fused,
                             .describe = describe_fused,
                             .hooks = &(const atl_op_hooks){.lower = atl_lower_expression,
                                                            .blocked_benefit = atl_expression_blocked_benefit}};

atl_node *atl_fused(const atl_expression *expression, int count, atl_node *const *operands)
{
    const atl_expression *copy = copied_expression(operands[0]->graph, expression);
    return copy ? atl_apply_with(&atl_fused_op, &copy, (atl_nodes){count, operands}) : NULL;
}

/* ---- further results --------------------------------------------------------------------------------------------- */

static int lower_part(atl_lowering *lowering)
{
    const int *k = atl_lowered_node(lowering)->attributes;
    return atl_lower_as(lowering, atl_lower_part_of(lowering, 0, *k - 1));
}

static bool infer_part(atl_node *y)
{
    return atl_set_type(y, ATL_FLOAT32, shape_of_result(atl_expression_of(y->inputs[0]), *(const int *)y->attributes));
}

/* It has the layout of the expression's results. */
static double part_blocked_benefit(const atl_node *y, unsigned *images)
{
    double gain = atl_expression_blocked_benefit(y->inputs[0], images);
    *images = 1;
    return gain;
}

static const atl_op part_op = {.name = "part",
                               .arity = 1,
                               .attributes = sizeof(int),
                               .infer = infer_part,
                               .hooks =
                                   &(const atl_op_hooks){.lower = lower_part, .blocked_benefit = part_blocked_benefit}};

atl_node *atl_fused_part(atl_node *fused, int k) { return k ? atl_apply_with(&part_op, &k, ATL_NODES(fused)) : fused; }
