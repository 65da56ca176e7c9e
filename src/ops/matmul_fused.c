/* Matrix products with epilogues, which exist in compiled graphs only. */
#include <math.h>

#include "ops/attributes.h"
#include "ops/matmul.h"

/* matmul_fused(a, b [, bias] [, residual] [, scale] [, factor]): min(relu(matmul + bias + residual), highest) * scale *
 * factor, with any of these, of which only bias and relu if b is no lasting weight; or, with one number as the factor,
 * matmul_fused(a, b, base, factor): base + update * factor * matmul.  Only the compiler creates it, and it is never
 * differentiated. */
typedef struct fused_options {
    matmul_options matmul;
    int32_t has_bias, has_residual, has_relu, has_scale, has_factor;
    float highest;  /* of the relu; 0: no limit */
    int32_t update; /* 1 or -1; 0: none */
} fused_options;

enum { MOST_INPUTS = 6 };

static atl_product_epilogue epilogue_of(const fused_options *options)
{
    int next = 2;
    atl_product_epilogue after = {.relu = options->has_relu,
                                  .highest = options->highest,
                                  .update = options->update,
                                  .update_input = 2};
    after.bias_input = options->has_bias ? next++ : 0;
    after.residual_input = options->has_residual ? next++ : 0;
    after.scale_input = options->has_scale ? next++ : 0;
    after.factor_input = options->has_factor ? next++ : 0;
    return after;
}

static int lower_fused(atl_lowering *lowering)
{
    const atl_product_epilogue after = epilogue_of(atl_lowered_node(lowering)->attributes);
    return atl_lower_product(lowering, &after);
}

static void describe_fused(const atl_node *y, char *text, size_t size)
{
    const fused_options *options = y->attributes;
    atl_describe_matmul(y, text, size);
    size_t at = strlen(text);
    at += (size_t)snprintf(text + at, size - at, "%s%s%s", options->has_bias ? " + bias" : "",
                           options->has_residual ? " + residual" : "", options->has_relu ? ", relu" : "");
    if (options->highest > 0 && at < size)
        at += (size_t)snprintf(text + at, size - at, " to %g", (double)options->highest);
    if (at < size)
        at += (size_t)snprintf(text + at, size - at, "%s%s", options->has_scale ? " * scale" : "",
                               options->has_factor ? " * factor" : "");
    if (options->update && at < size)
        snprintf(text + at, size - at, options->update > 0 ? ", added" : ", subtracted");
}

/* The rows of a, of the residual and of the factor.  An update is of the whole batch. */
static unsigned fused_by_image(const atl_node *y)
{
    const fused_options *options = y->attributes;
    const atl_product_epilogue after = epilogue_of(options);
    unsigned by_image = atl_matmul_by_image(y);
    if (after.residual_input)
        by_image |= 1u << after.residual_input;
    if (after.factor_input)
        by_image |= 1u << after.factor_input;
    return options->update ? 0 : by_image;
}

static const atl_op fused_op = {.name = "matmul_fused",
                                .arity = ATL_VARIADIC,
                                .attributes = sizeof(fused_options),
                                .infer = atl_infer_matmul,
                                .describe = describe_fused,
                                .hooks = &(const atl_op_hooks){.by_image = fused_by_image,
                                                               .lower = lower_fused,
                                                               .with_epilogue = atl_matmul_with_epilogue,
                                                               .multiplied = atl_matmul_multiplied}};

static fused_options options_of(const atl_node *y)
{
    fused_options options;
    memset(&options, 0, sizeof options);
    memcpy(&options, y->attributes, y->op->attributes);
    return options;
}

/* No epilogue for products without elements or terms, which are zeros. */
static int is_empty(const atl_node *y) { return atl_product_of(y).k == 0 || atl_shape_count(*y->shape) == 0; }

/* y with these as its last inputs; null: none. */
static atl_node *with_inputs(atl_node *y, const fused_options *options, atl_node *first, atl_node *second)
{
    atl_node *inputs[MOST_INPUTS];
    int count = y->input_count;
    memcpy(inputs, y->inputs, (size_t)count * sizeof *inputs);
    if (first)
        inputs[count++] = first;
    if (second)
        inputs[count++] = second;
    return atl_apply_with(&fused_op, options, (atl_nodes){count, inputs});
}

/* In this order: bias, residual, relu, scale, factor; an epilogue in another order is not fused. */
atl_node *atl_matmul_with_epilogue(atl_node *y, atl_node *bias, atl_node *residual, float relu)
{
    fused_options options = options_of(y);
    int is_last = options.update || options.has_relu || options.has_scale || options.has_factor;
    if (is_last || is_empty(y) || (bias && (options.has_bias || options.has_residual)) ||
        (residual && (options.has_residual || !options.matmul.lasting)))
        return NULL;
    options.has_bias |= bias != NULL;
    options.has_residual |= residual != NULL;
    options.has_relu |= relu > 0;
    options.highest = isinf(relu) ? 0 : relu;
    return with_inputs(y, &options, bias, residual);
}

atl_node *atl_matmul_multiplied(atl_node *y, atl_node *scale, atl_node *factor)
{
    fused_options options = options_of(y);
    if (options.update || options.has_factor || (scale && options.has_scale) || !options.matmul.lasting)
        return NULL;
    options.has_scale |= scale != NULL;
    options.has_factor |= factor != NULL;
    return with_inputs(y, &options, scale, factor);
}

atl_node *atl_matmul_as_update(atl_node *y, atl_node *base, atl_node *factor, int sign)
{
    atl_matrix_product p = atl_product_of(y);
    if (is_empty(y) || !atl_product_updates(&p))
        return NULL;
    fused_options options = options_of(y);
    options.update = sign;
    return with_inputs(y, &options, base, factor);
}
