/* Matrix products as steps: which loop computes one. */
#include "ops/matmul.h"

#include <omp.h>

#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"

/* Products for which our own loops are fastest. */
typedef enum loop {
    NO_LOOP,
    SMALL_LOOP,  /* little work */
    STREAM_LOOP, /* few rows of A (batch 1): bound by reading B */
    OUTER_LOOP   /* few terms: bound by writing C */
} loop;

/* A product with one column is a dot product: in a loop over its terms, not over its column. */
enum { MOST_DOT = 1024 };

typedef struct product_step {
    loop loop;
    atl_product product;
    int64_t batch, a_next, b_next, c_next; /* distance of examples, in elements */
    int parts;
    int swapped;             /* input 1 is the left matrix */
    int partial, bias, base; /* indices into step.read or step.write; -1: none.  The factor is read after the base */
    int64_t rows, columns;
    atl_product_end end; /* its pointers and its factor are set in each run; without a base the factor is its sign */
    int has_end;         /* the kernel applies it; else `finish` does, if there is anything to do */
} product_step;

/* One column of results is one row of the transposed product: c^T = b^T a^T. */
static void describe_product(product_step *s, const atl_matrix_product *p)
{
    int column = p->n == 1 && p->m > 1;
    s->swapped = column;
    s->batch = p->batch;
    s->rows = p->m * p->batch;
    s->columns = p->n;
    int64_t a_next = p->broadcast_a ? 0 : p->m * p->k, b_next = p->broadcast_b ? 0 : p->k * p->n;
    s->c_next = p->m * p->n;
    if (column) {
        s->product =
            (atl_product){.m = 1, .n = p->m, .k = p->k, .a_row = 0, .a_column = 1, .b_transposed = !p->transpose_a};
        s->a_next = b_next;
        s->b_next = a_next;
        return;
    }
    s->product = (atl_product){.m = p->m,
                               .n = p->n,
                               .k = p->k,
                               .a_row = p->transpose_a ? 1 : p->k,
                               .a_column = p->transpose_a ? p->m : 1,
                               .b_transposed = p->transpose_b};
    if (p->m == 1) /* a row has the same elements transposed or not */
        s->product.a_column = 1;
    if (p->k == 1)
        s->product.b_transposed = 0;
    else if (p->n == 1 && p->batch == 1 && p->k <= MOST_DOT) /* a column has the same elements transposed or not */
        s->product.b_transposed = 1;
    s->a_next = a_next;
    s->b_next = b_next;
}

static loop loop_for(const product_step *s)
{
    const atl_product *p = &s->product;
    double work = (double)s->batch * (double)p->m * (double)p->n * (double)p->k;
    const atl_costs *cost = atl_costs_in_use();
    if (work < (double)(p->b_transposed ? cost->small_dots : cost->small_product))
        return SMALL_LOOP;
    if (s->batch > 1)
        return NO_LOOP;
    if (p->m <= ATL_FEW_ROWS && (!p->b_transposed || p->a_column == 1))
        return STREAM_LOOP;
    return p->k <= ATL_FEW_ROWS && !p->b_transposed ? OUTER_LOOP : NO_LOOP;
}

/* The loop over few rows leaves bias and relu to this one; so does a product of which each row has a bias. */
static void finish(const product_step *s, const float *bias, float *c)
{
    for (int64_t i = 0; i < s->rows && !s->end.relu; i++)
        for (int64_t j = 0; j < s->columns; j++)
            c[i * s->columns + j] += bias[j];
    if (!s->end.relu)
        return;
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t j = 0; j < s->columns; j++) {
            float value = c[i * s->columns + j] + (bias ? bias[j] : 0);
            c[i * s->columns + j] = value <= 0 ? 0 : value > s->end.highest ? s->end.highest : value;
        }
}

/* The kernel's epilogue, on this run's memory. */
static inline atl_product_end end_of(const atl_plan_step *step, void *const *memory)
{
    const product_step *s = step->data;
    atl_product_end end = s->end;
    if (s->bias >= 0)
        end.bias = memory[step->read[s->bias]];
    if (s->base >= 0) {
        end.base = memory[step->read[s->base]];
        end.factor *= *(const float *)memory[step->read[s->base + 1]];
    }
    return end;
}

static int run_product(const atl_plan_step *step, void *const *memory, void *bound)
{
    const product_step *s = step->data;
    const float *a = memory[step->read[s->swapped]], *b = memory[step->read[!s->swapped]];
    float *c = memory[step->write[0]];
    atl_product_end end = end_of(step, memory);
    (void)bound;
    if (s->loop == STREAM_LOOP)
        atl_kernels->stream_product(&s->product, s->parts, a, b, c,
                                    s->partial < 0 ? NULL : memory[step->write[s->partial]]);
    else if (s->loop == OUTER_LOOP)
        atl_kernels->outer_product(&s->product, a, b, s->has_end ? &end : NULL, c);
    else
        for (int64_t i = 0; i < s->batch; i++, end.base += end.base ? s->c_next : 0)
            atl_kernels->small_product(&s->product, a + i * s->a_next, b + i * s->b_next, s->has_end ? &end : NULL,
                                       c + i * s->c_next);
    if (!s->has_end && (end.bias || end.relu))
        finish(s, end.bias, c);
    return 0;
}

/* The same for one small product, of which tiny networks have many. */
static int run_small_product(const atl_plan_step *step, void *const *memory, void *bound)
{
    const product_step *s = step->data;
    const atl_product_end end = end_of(step, memory);
    (void)bound;
    atl_kernels->small_product(&s->product, memory[step->read[s->swapped]], memory[step->read[!s->swapped]],
                               s->has_end ? &end : NULL, memory[step->write[0]]);
    return 0;
}

static int lower_loop(atl_lowering *lowering, const product_step *described, const atl_product_epilogue *after)
{
    static const char *const names[] = {"", "small", "stream", "outer"};
    product_step *s = atl_allocate(1, sizeof *s);
    if (!s) {
        atl_out_of_memory();
        return 0;
    }
    *s = *described;
    atl_plan_step step = {.implementation = names[s->loop], .cannot_fail = 1, .release = atl_release, .data = s};
    step.flops = 2.0 * (double)s->batch * (double)s->product.m * (double)s->product.n * (double)s->product.k;
    step.read[step.reads++] = atl_lower_input(lowering, 0);
    step.read[step.reads++] = atl_lower_input(lowering, 1);
    s->bias = after->bias_input ? step.reads : -1;
    if (s->bias >= 0)
        step.read[step.reads++] = atl_lower_input(lowering, after->bias_input);
    s->base = after->update ? step.reads : -1;
    for (int i = 0; i < 2 && after->update; i++)
        step.read[step.reads++] = atl_lower_input(lowering, after->update_input + i);
    s->end = (atl_product_end){.relu = after->relu,
                               .highest = after->highest > 0 ? after->highest : INFINITY,
                               .factor = (float)after->update};
    int ends = s->bias >= 0 || after->relu || after->update;
    s->has_end = ends && s->loop != STREAM_LOOP && !(s->swapped && s->bias >= 0);
    step.run = s->loop == SMALL_LOOP && s->batch == 1 && ends == s->has_end ? run_small_product : run_product;
    step.write[step.writes++] = atl_lower_output(lowering);
    if (after->update)
        atl_lower_over(lowering, step.write[0], step.read[s->base]);
    s->partial = -1;
    s->parts = omp_get_max_threads();
    int64_t scratch = s->loop == STREAM_LOOP ? atl_stream_partial(&s->product, s->parts) : 0;
    if (scratch > 0) {
        s->partial = step.writes;
        step.write[step.writes++] = atl_lower_scratch(lowering, scratch * (int64_t)sizeof(float));
    }
    return atl_lower_step(lowering, &step);
}

int atl_product_updates(const atl_matrix_product *p)
{
    product_step s = {0};
    describe_product(&s, p);
    s.loop = loop_for(&s);
    return s.loop == SMALL_LOOP || s.loop == OUTER_LOOP;
}

int atl_lower_product(atl_lowering *lowering, const atl_product_epilogue *after)
{
    const atl_node *y = atl_lowered_node(lowering);
    atl_matrix_product p = atl_product_of(y);
    product_step s = {0};
    if (p.k == 0 || atl_shape_count(*y->shape) == 0)
        return onednn_lower_zeros(lowering);
    if (after->residual_input || after->scale_input || after->factor_input)
        return atl_lower_packed_product(lowering, &p, after);
    describe_product(&s, &p);
    s.loop = loop_for(&s);
    if (s.loop != NO_LOOP)
        return lower_loop(lowering, &s, after);
    int lasting = atl_lower_input_lasts(lowering, 1);
    if (lasting && atl_product_is_packed(&p) && !atl_lower_uses_bfloat16(lowering))
        return atl_lower_packed_product(lowering, &p, after);
    onednn_matmul matmul = {.batch = p.batch,
                            .m = p.m,
                            .n = p.n,
                            .k = p.k,
                            .transpose_a = p.transpose_a,
                            .transpose_b = p.transpose_b,
                            .broadcast_a = p.broadcast_a,
                            .broadcast_b = p.broadcast_b,
                            .bias_input = after->bias_input ? after->bias_input : ONEDNN_NO_INPUT,
                            .relu = after->relu,
                            .highest = after->highest};
    const atl_costs *cost = atl_costs_in_use();
    matmul.pack_b = p.batch == 1 && p.m < cost->packed_rows && p.k * p.n >= cost->packed_size && lasting;
    return onednn_lower_matmul(lowering, &matmul);
}
