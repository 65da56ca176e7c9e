/* One node from the bytes of a fuzz input: any builder of ops.h with any arguments.  Absurd arguments must be
 * rejected with a message. */
#include "builders.h"

typedef atl_node *unary_builder(atl_node *x);
typedef atl_node *binary_builder(atl_node *a, atl_node *b);
typedef atl_node *number_builder(atl_node *x, float number);
typedef atl_node *reduction_builder(const atl_reduce_args *args);
typedef atl_node *pool_builder(const atl_pool2d_args *args);
typedef atl_node *pool1d_builder(const atl_pool1d_args *args);
typedef atl_node *resize_builder(const atl_resize_args *args);

static unary_builder *const unary[] = {atl_neg,
                                       atl_abs,
                                       atl_sign,
                                       atl_square,
                                       atl_reciprocal,
                                       atl_sqrt,
                                       atl_rsqrt,
                                       atl_exp,
                                       atl_exp2,
                                       atl_expm1,
                                       atl_log,
                                       atl_log1p,
                                       atl_erf,
                                       atl_erfc,
                                       atl_floor,
                                       atl_ceil,
                                       atl_round,
                                       atl_sin,
                                       atl_cos,
                                       atl_tan,
                                       atl_asin,
                                       atl_acos,
                                       atl_atan,
                                       atl_relu,
                                       atl_relu6,
                                       atl_elu,
                                       atl_selu,
                                       atl_tanh,
                                       atl_sigmoid,
                                       atl_softplus,
                                       atl_softsign,
                                       atl_swish,
                                       atl_gelu,
                                       atl_softmax,
                                       atl_gelu_tanh,
                                       atl_heaviside,
                                       atl_hard_sigmoid,
                                       atl_moments,
                                       atl_flatten,
                                       atl_sum,
                                       atl_mean,
                                       atl_l2_norm,
                                       atl_l2_loss,
                                       atl_stop_gradient,
                                       atl_logical_not,
                                       atl_log_softmax,
                                       atl_total_variation,
                                       atl_check_finite,
                                       atl_increment,
                                       atl_recompute};
static binary_builder *const binary[] = {atl_add,
                                         atl_sub,
                                         atl_mul,
                                         atl_div,
                                         atl_pow,
                                         atl_minimum,
                                         atl_maximum,
                                         atl_bias_add,
                                         atl_relu_grad,
                                         atl_equal,
                                         atl_not_equal,
                                         atl_less,
                                         atl_less_equal,
                                         atl_greater,
                                         atl_sum_to,
                                         atl_greater_equal,
                                         atl_logical_and,
                                         atl_logical_or,
                                         atl_logical_xor,
                                         atl_size_ratio,
                                         atl_broadcast_like,
                                         atl_reshape_like,
                                         atl_gather_last,
                                         atl_mean_squared_error,
                                         atl_hinge_loss,
                                         atl_kl_divergence,
                                         atl_cosine_similarity,
                                         atl_sigmoid_cross_entropy,
                                         atl_sparse_softmax_cross_entropy,
                                         atl_gradient,
                                         atl_accuracy};
static number_builder *const with_number[] = {atl_scale, atl_add_scalar,     atl_leaky_relu,
                                              atl_fill,  atl_scale_gradient, atl_clip_by_norm};
static reduction_builder *const reductions[] = {atl_reduce_sum_with,  atl_reduce_sum_square_with,
                                                atl_reduce_mean_with, atl_reduce_max_with,
                                                atl_reduce_min_with,  atl_reduce_log_sum_exp_with,
                                                atl_reduce_prod_with, atl_reduce_l2_norm_with};

#define ONE_OF(builders, r) builders[next_byte(r) % (sizeof(builders) / sizeof *(builders))]

static atl_node *build_unary(reader *r) { return ONE_OF(unary, r)(next_node(r)); }

static atl_node *build_binary(reader *r)
{
    binary_builder *build = ONE_OF(binary, r);
    atl_node *a = next_node(r);
    return build(a, next_node(r));
}

static atl_node *build_with_number(reader *r)
{
    number_builder *build = ONE_OF(with_number, r);
    atl_node *x = next_node(r);
    return build(x, next_float(r));
}

static atl_node *build_input(reader *r)
{
    if (r->inputs == MOST_INPUTS)
        return next_node(r);
    atl_dtype dtype = (atl_dtype)(next_byte(r) % 8 == 0 ? next_int(r) : ATL_FLOAT32);
    atl_node *x = atl_input(r->graph, ATL_NAME("in%d", r->inputs), dtype, next_shape(r));
    if (x)
        r->input[r->inputs++] = x;
    return x;
}

static atl_node *build_variable(reader *r)
{
    atl_initializer by = {.kind = next_byte(r) % 8, .a = next_float(r), .b = next_float(r)};
    return atl_variable(r->graph, ATL_NAME("v%d", r->nodes), next_shape(r), by);
}

static atl_node *build_reduction(reader *r)
{
    reduction_builder *build = ONE_OF(reductions, r);
    atl_reduce_args args = {.x = next_node(r), .axes = next_int(r), .keep = next_bit(r)};
    for (int i = 0; i < args.axes && i < ATL_MAX_RANK; i++)
        args.axis[i] = next_int(r);
    return build(&args);
}

static void read_ints(reader *r, int *to, int count)
{
    for (int i = 0; i < count; i++)
        to[i] = next_int(r);
}

static atl_node *build_conv(reader *r)
{
    atl_conv2d_args args = {.image = next_node(r), .filter = next_node(r), .padding = -(next_byte(r) % 3)};
    read_ints(r, args.stride, 2);
    if (args.padding == ATL_EXPLICIT)
        read_ints(r, args.pad, 4);
    if (next_bit(r)) {
        read_ints(r, args.dilation, 2);
        args.groups = next_int(r);
        args.layout = next_byte(r) % 2;
        args.weight_order = next_byte(r) % 2;
    }
    return atl_conv2d_with(&args);
}

static atl_node *build_other_conv(reader *r)
{
    atl_node *image = next_node(r), *filter = next_node(r);
    int kind = next_byte(r) % 3, stride = next_int(r), dilation = next_int(r), pad = next_int(r),
        padding = -(next_byte(r) % 3);
    if (kind == 0)
        return atl_depthwise_conv2d(image, filter, .stride = {stride, 1}, .padding = padding, .pad = {pad, pad, 0, 1},
                                    .dilation = {dilation, 1});
    if (kind == 1)
        return atl_conv2d_transpose(image, filter, .stride = {stride, 2}, .padding = padding, .pad = {pad, 1, 0, pad},
                                    .dilation = {1, dilation});
    return atl_conv1d(image, filter, .stride = stride, .padding = padding, .pad = {pad, 1}, .dilation = dilation,
                      .groups = next_int(r));
}

static atl_node *build_pool(reader *r)
{
    static pool_builder *const pools[] = {atl_max_pool2d_with, atl_avg_pool2d_with};
    static pool1d_builder *const pools1d[] = {atl_max_pool1d_with, atl_avg_pool1d_with};
    pool_builder *pool = ONE_OF(pools, r);
    if (next_byte(r) % 4 == 0) {
        atl_pool1d_args line = {.signal = next_node(r),
                                .window = next_int(r),
                                .stride = next_int(r),
                                .padding = -(next_byte(r) % 3)};
        read_ints(r, line.pad, 2);
        return ONE_OF(pools1d, r)(&line);
    }
    atl_pool2d_args args = {.image = next_node(r), .padding = -(next_byte(r) % 3), .layout = next_byte(r) % 2};
    read_ints(r, args.window, 2);
    read_ints(r, args.stride, 2);
    if (args.padding == ATL_EXPLICIT)
        read_ints(r, args.pad, 4);
    return pool(&args);
}

/* Sizes of results that are computed while the graph is built are kept moderate: a table of 10^8 weights is not an
 * error. */
static atl_node *build_image_op(reader *r)
{
    static resize_builder *const resizes[] = {atl_resize_nearest_with, atl_resize_bilinear_with};
    atl_node *image = next_node(r);
    resize_builder *resize = ONE_OF(resizes, r);
    int a = next_int(r), b = next_int(r);
    switch (next_byte(r) % 3) {
    case 0:
        return a > 1000 || b > 1000 ? NULL : resize(&(atl_resize_args){.image = image, .height = a, .width = b});
    case 1:
        return b > 1000 ? NULL
                        : atl_gaussian_blur(image, .deviation = next_float(r) > 1e3f ? 1 : next_float(r), .radius = b);
    default:
        return atl_lrn(image, .radius = a, .bias = next_float(r), .alpha = next_float(r), .beta = next_float(r));
    }
}

static atl_node *build_normalisation(reader *r)
{
    atl_node *x = next_node(r), *a = next_node(r), *b = next_node(r);
    switch (next_byte(r) % 4) {
    case 0:
        return atl_layer_norm(x, a, b, .epsilon = next_float(r));
    case 1:
        return atl_batch_norm(x, a, b, .epsilon = next_float(r), .layout = next_byte(r) % 2);
    case 2:
        return atl_huber_loss(x, a, next_float(r));
    default:
        return atl_softmax_cross_entropy(x, a, .label = next_int(r));
    }
}

static atl_node *build_shape_op(reader *r)
{
    atl_node *x = next_node(r);
    int order[ATL_MAX_RANK];
    switch (next_byte(r) % 8) {
    case 0:
        return atl_reshape(x, next_shape(r));
    case 1:
        return atl_broadcast_to(x, next_shape(r));
    case 2:
        return atl_expand_dims(x, next_int(r));
    case 3:
        return atl_squeeze(x, next_int(r));
    case 4:
        read_ints(r, order, 3);
        return atl_reverse_with(x, next_byte(r) % 4, order);
    case 5:
        return atl_tril(x, next_int(r));
    case 6:
        return atl_cumulative_sum(x, .axis = next_int(r), .exclusive = next_bit(r), .reverse = next_bit(r));
    default: {
        atl_transpose_args args = {.x = x};
        read_ints(r, args.order, 4);
        return atl_transpose_with(&args);
    }
    }
}

static atl_node *build_copy(reader *r)
{
    atl_slice_args slice = {.x = next_node(r)};
    atl_pad_args pad = {.x = slice.x, .value = next_float(r)};
    int64_t times[4];
    int kind = next_byte(r) % 3, count = next_byte(r) % 5;
    for (int i = 0; i < 4; i++) {
        slice.begin[i] = pad.before[i] = times[i] = next_integer(r);
        slice.end[i] = pad.after[i] = next_integer(r);
        slice.stride[i] = kind ? 0 : next_integer(r);
    }
    return kind == 0 ? atl_slice_with(&slice) : kind == 1 ? atl_pad_with(&pad) : atl_tile_with(slice.x, count, times);
}

static atl_node *build_joined(reader *r)
{
    atl_node *of[3] = {next_node(r), next_node(r), next_node(r)}, *parts[4] = {NULL};
    int axis = next_int(r), count = next_byte(r) % 4;
    int64_t sizes[4] = {next_integer(r), next_integer(r), next_integer(r), next_integer(r)};
    switch (next_byte(r) % 5) {
    case 0:
        return atl_concat_with(axis, (atl_nodes){count, of});
    case 1:
        return atl_stack_with(axis, (atl_nodes){count, of});
    case 2:
        return atl_unstack(of[0], axis, count, parts) ? NULL : parts[0];
    case 3:
        return atl_split(of[0], axis, count, sizes, parts) ? NULL : parts[0];
    default:
        return atl_group_with((atl_nodes){count, of});
    }
}

static atl_node *build_indexed(reader *r)
{
    atl_node *x = next_node(r), *indices = next_node(r), *like = next_node(r);
    int axis = next_int(r);
    switch (next_byte(r) % 6) {
    case 0:
        return atl_gather(x, indices, axis);
    case 1:
        return atl_scatter_add(x, indices, like, axis);
    case 2:
        return atl_one_hot(x, next_integer(r));
    case 3:
        return atl_index_last(x, next_integer(r));
    case 4:
        return atl_argmax(x, axis);
    default:
        return atl_cast(x, (atl_dtype)(next_byte(r) % 4));
    }
}

static atl_node *build_product(reader *r)
{
    atl_node *a = next_node(r), *b = next_node(r), *c = next_node(r);
    switch (next_byte(r) % 8) {
    case 0:
        return atl_jvp(a, b, c);
    case 1:
        return atl_select(a, b, c);
    case 2:
        return atl_clip(a, next_float(r), next_float(r));
    case 3:
        return atl_assign(a, b);
    case 4:
        return atl_dropout(a, .rate = next_float(r), .seed = next_byte(r));
    case 5:
        return atl_clip_gradient(a, next_float(r), next_float(r));
    default:
        return atl_matmul(a, b, .transpose_a = next_bit(r), .transpose_b = next_bit(r));
    }
}

atl_node *fuzz_build(reader *r)
{
    typedef atl_node *builder(reader * r);
    static builder *const kinds[] = {build_unary,    build_binary,    build_with_number,   build_input,
                                     build_variable, build_reduction, build_conv,          build_other_conv,
                                     build_pool,     build_image_op,  build_normalisation, build_shape_op,
                                     build_copy,     build_joined,    build_indexed,       build_product,
                                     build_unary,    build_binary};
    return ONE_OF(kinds, r)(r);
}
