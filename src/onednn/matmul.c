/* Matrix products with oneDNN.  Matrices keep their storage order; strides describe transposed ones.  oneDNN's kernels
 * copy blocks of them on the fly, which costs a tenth of the time for some tens of rows or more.  For fewer rows the
 * copy of B is expensive, and B may be packed. */
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "cost/cost.h"
#include "graph/error.h"
#include "onednn/nan_guard.h"
#include "onednn/primitive.h"

typedef struct matrices {
    onednn_desc a, b, c, bias;
    onednn_desc plain_a, plain_b; /* in their storage order */
    const char *letters;
} matrices;

static void release_matrices(matrices *m)
{
    onednn_release_desc(&m->a);
    onednn_release_desc(&m->b);
    onednn_release_desc(&m->c);
    onednn_release_desc(&m->bias);
    onednn_release_desc(&m->plain_a);
    onednn_release_desc(&m->plain_b);
}

/* Describes [batch, rows, columns], without the batch if that is 1. */
static int describe_matrix(onednn_desc *desc, int64_t batch, int64_t rows, int64_t columns, int transposed,
                           int broadcast)
{
    int64_t dims[3] = {broadcast ? 1 : batch, rows, columns};
    int64_t strides[3] = {rows * columns, transposed ? 1 : columns, transposed ? rows : 1};
    int skip = batch == 1;
    return onednn_describe(desc, 3 - skip, dims + skip, strides + skip);
}

static int describe_matrices(matrices *m, const onednn_matmul *p)
{
    memset(m, 0, sizeof *m);
    m->letters = p->batch == 1 ? "ab" : "abc";
    int skip = p->batch == 1;
    int ok = describe_matrix(&m->plain_a, p->batch, p->m, p->k, p->transpose_a, p->broadcast_a) &&
             onednn_copy_desc(&m->a, ONEDNN_MD(m->plain_a)) &&
             describe_matrix(&m->plain_b, p->batch, p->k, p->n, p->transpose_b, p->broadcast_b) &&
             describe_matrix(&m->c, p->batch, p->m, p->n, 0, 0);
    if (ok && p->pack_b)
        ok = onednn_describe_any(&m->b, 2, (int64_t[]){p->k, p->n});
    else if (ok)
        ok = onednn_copy_desc(&m->b, ONEDNN_MD(m->plain_b));
    if (ok && p->bias_input >= 0)
        ok = onednn_describe(&m->bias, 3 - skip, (int64_t[]){1, 1, p->n} + skip, NULL);
    if (ok && p->bfloat16)
        ok = onednn_round_desc(&m->a) && onednn_round_desc(&m->b);
    if (!ok)
        release_matrices(m);
    return ok;
}

static dnnl_primitive_attr_t attributes_of(const onednn_matmul *p)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_primitive_attr_t attributes = onednn_product_attributes(p->bfloat16);
    if (!attributes || !p->relu)
        return attributes;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success)
        status = onednn_append_relu(ops, p->highest);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attributes, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (onednn_succeeded(status, "append to a matrix product"))
        return attributes;
    dnnl_primitive_attr_destroy(attributes);
    return NULL;
}

static dnnl_status_t pick(dnnl_primitive_desc_t *desc, const matrices *m, const onednn_matmul *p,
                          dnnl_primitive_attr_t attributes, onednn_preference preference)
{
    onednn_md bias = p->bias_input >= 0 ? ONEDNN_MD(m->bias) : NULL;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_status_t status =
        dnnl_matmul_primitive_desc_create(desc, onednn_engine(), m->a.md, m->b.md, bias, m->c.md, attributes);
    return onednn_first_acceptable(desc, status, preference);
#else
    dnnl_matmul_desc_t op;
    dnnl_status_t status = dnnl_matmul_desc_init(&op, &m->a.md, &m->b.md, bias, &m->c.md);
    return status == dnnl_success ? onednn_first_acceptable(desc, &op, attributes, NULL, preference) : status;
#endif
}

static dnnl_primitive_desc_t open_described(const matrices *m, const onednn_matmul *p)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_attr_t attributes = attributes_of(p);
    dnnl_status_t status = attributes ? pick(&desc, m, p, attributes, (onednn_preference){0}) : dnnl_out_of_memory;
    if (status == dnnl_unimplemented && !p->bfloat16)
        status = pick(&desc, m, p, attributes, (onednn_preference){.name = "ref"});
    int ok = attributes && onednn_succeeded(status, "compute a matrix product");
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    return ok ? desc : NULL;
}

static dnnl_primitive_desc_t open_product(matrices *m, const onednn_matmul *p)
{
    if (!onednn_engine() || !describe_matrices(m, p))
        return NULL;
    dnnl_primitive_desc_t desc = open_described(m, p);
    if (!desc)
        release_matrices(m);
    return desc;
}

/* Rounding takes a pass over each operand, which must cost less than half the time of the products.  Measured on two
 * AVX-512 cores. */
static int pays_to_round(const onednn_matmul *p)
{
    const atl_costs *cost = atl_costs_in_use();
    double a = (double)(p->broadcast_a ? 1 : p->batch) * (double)(p->m * p->k),
           b = (double)(p->broadcast_b ? 1 : p->batch) * (double)(p->k * p->n);
    double flops = 2.0 * (double)p->batch * (double)(p->m * p->n) * (double)p->k;
    return flops / cost->product_flops / 2 > cost->rounded_start + 6 * (a + b) / cost->rounding_bytes;
}

/* Clears p->bfloat16 if the operands are not rounded after all. */
static dnnl_primitive_desc_t open_matmul(matrices *m, onednn_matmul *p)
{
    p->bfloat16 = p->bfloat16 && pays_to_round(p);
    dnnl_primitive_desc_t desc = open_product(m, p);
    if (desc || !p->bfloat16)
        return desc;
    p->bfloat16 = 0;
    return open_product(m, p);
}

const char *onednn_matmul_implementation(const onednn_matmul *matmul, char *text, size_t size)
{
    matrices m;
    onednn_matmul product = *matmul;
    dnnl_primitive_desc_t desc = open_matmul(&m, &product);
    snprintf(text, size, "%s", desc ? onednn_implementation(desc) : "");
    if (desc) {
        release_matrices(&m);
        dnnl_primitive_desc_destroy(desc);
    }
    return text;
}

/* The same product on the same memory without its relu; null if oneDNN has none. */
static dnnl_primitive_desc_t open_without_relu(matrices *m, const onednn_matmul *p, dnnl_primitive_desc_t with)
{
    onednn_matmul plain = *p;
    plain.relu = 0;
    onednn_release_desc(&m->b);
    if (!onednn_copy_desc(&m->b, onednn_required_md(with, DNNL_ARG_WEIGHTS)))
        return NULL;
    return open_described(m, &plain);
}

/* Opens the product with its relu and a NaN guard, or, if no guard is possible, without its relu, which is then a
 * separate step. */
static dnnl_primitive_desc_t open_with_guard(matrices *m, onednn_matmul *p, onednn_guard *guard)
{
    onednn_matmul given = *p;
    *guard = (onednn_guard){0};
    if (p->relu && onednn_can_guard()) {
        dnnl_primitive_desc_t desc = open_matmul(m, p);
        if (!desc)
            return NULL;
        dnnl_primitive_desc_t plain = open_without_relu(m, p, desc);
        if (plain) {
            *guard = onednn_guard_relu(plain, p->highest);
            return desc;
        }
        dnnl_primitive_desc_destroy(desc);
        release_matrices(m);
    }
    *p = given;
    p->relu = 0;
    return open_matmul(m, p);
}

int onednn_lower_matmul(atl_lowering *lowering, const onednn_matmul *matmul)
{
    matrices m;
    onednn_guard guard;
    onednn_argument list[4];
    onednn_matmul product = *matmul;
    product.bfloat16 = atl_lower_uses_bfloat16(lowering);
    dnnl_primitive_desc_t desc = open_with_guard(&m, &product, &guard);
    if (!desc)
        return 0;
    int count = 0;
    list[count++] = (onednn_argument){DNNL_ARG_SRC,
                                      onednn_input(lowering, 0, ONEDNN_MD(m.plain_a),
                                                   onednn_required_md(desc, DNNL_ARG_SRC), m.letters),
                                      ONEDNN_READ};
    list[count++] = (onednn_argument){DNNL_ARG_WEIGHTS,
                                      onednn_input(lowering, 1, ONEDNN_MD(m.plain_b),
                                                   onednn_required_md(desc, DNNL_ARG_WEIGHTS), m.letters),
                                      ONEDNN_READ};
    if (matmul->bias_input >= 0)
        list[count++] = (onednn_argument){DNNL_ARG_BIAS, atl_lower_input(lowering, matmul->bias_input), ONEDNN_READ};
    atl_value_id result = atl_lower_output(lowering);
    list[count++] = (onednn_argument){DNNL_ARG_DST, result, ONEDNN_WRITTEN};
    double flops = 2.0 * (double)matmul->batch * (double)matmul->m * (double)matmul->n * (double)matmul->k;
    int needs_relu = matmul->relu && !guard.recompute;
    int ok = onednn_lower_guarded(lowering, desc, &guard, count, list, flops, omp_get_max_threads());
    if (ok && needs_relu)
        ok = onednn_lower_relu(lowering, result, ONEDNN_MD(m.c), matmul->highest);
    release_matrices(&m);
    return ok;
}
