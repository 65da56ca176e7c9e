/* Minutes: 5.  Every call of atled to oneDNN fails in turn: a clean error, or the right result by other means.
 *
 * The program defines functions with oneDNN's names, which the linker takes instead of those of the library. */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>

#include "onednn/primitive.h"
#include "support.h"

/* ---- oneDNN, which can fail -------------------------------------------------------------------------------------- */

static int64_t calls, failing = -1;
static dnnl_status_t failure;
static const char *failed_name;

/* oneDNN also calls itself by these names; those calls do not count.  The library may be a part of this program. */
static int is_ours(const void *caller)
{
    Dl_info calling, library;
    return dladdr(caller, &calling) && dladdr((const void *)atl_version, &library) &&
           calling.dli_fbase == library.dli_fbase;
}

static int fails_now(const void *caller, const char *name)
{
    if (!is_ours(caller) || calls++ != failing)
        return 0;
    failed_name = name;
    return 1;
}

/* name(parameters): the failure if it is due, otherwise the result of oneDNN's own function. */
#define CAN_FAIL(name, parameters, arguments)                                                                          \
    dnnl_status_t name parameters                                                                                      \
    {                                                                                                                  \
        static dnnl_status_t(*real) parameters;                                                                        \
        if (!real)                                                                                                     \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                                                 \
        return fails_now(__builtin_return_address(0), #name) ? failure : real arguments;                               \
    }

typedef const_dnnl_primitive_attr_t attributes;
typedef const_dnnl_primitive_desc_t descriptor;

CAN_FAIL(dnnl_primitive_attr_create, (dnnl_primitive_attr_t * a), (a))
CAN_FAIL(dnnl_primitive_attr_set_scratchpad_mode, (dnnl_primitive_attr_t a, dnnl_scratchpad_mode_t m), (a, m))
CAN_FAIL(dnnl_primitive_attr_set_fpmath_mode, (dnnl_primitive_attr_t a, dnnl_fpmath_mode_t m), (a, m))
CAN_FAIL(dnnl_primitive_attr_set_post_ops, (dnnl_primitive_attr_t a, const_dnnl_post_ops_t p), (a, p))
CAN_FAIL(dnnl_post_ops_create, (dnnl_post_ops_t * p), (p))
CAN_FAIL(dnnl_post_ops_append_binary, (dnnl_post_ops_t p, dnnl_alg_kind_t k, onednn_md d), (p, k, d))
CAN_FAIL(dnnl_reorder_primitive_desc_create,
         (dnnl_primitive_desc_t * d, onednn_md a, dnnl_engine_t ae, onednn_md b, dnnl_engine_t be, attributes t),
         (d, a, ae, b, be, t))
CAN_FAIL(dnnl_primitive_create, (dnnl_primitive_t * p, descriptor d), (p, d))
CAN_FAIL(dnnl_memory_create, (dnnl_memory_t * m, onednn_md d, dnnl_engine_t e, void *h), (m, d, e, h))
CAN_FAIL(dnnl_memory_set_data_handle, (dnnl_memory_t m, void *h), (m, h))
CAN_FAIL(dnnl_stream_create, (dnnl_stream_t * s, dnnl_engine_t e, unsigned f), (s, e, f))
CAN_FAIL(dnnl_primitive_execute, (const_dnnl_primitive_t p, dnnl_stream_t s, int n, const dnnl_exec_arg_t *a),
         (p, s, n, a))
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_primitive_desc_t *made;
typedef const dnnl_dims_t sizes;
CAN_FAIL(dnnl_memory_desc_create_with_strides,
         (dnnl_memory_desc_t * d, int n, const dnnl_dims_t s, dnnl_data_type_t t, const dnnl_dims_t by),
         (d, n, s, t, by))
CAN_FAIL(dnnl_memory_desc_create_with_tag,
         (dnnl_memory_desc_t * d, int n, const dnnl_dims_t s, dnnl_data_type_t t, dnnl_format_tag_t g), (d, n, s, t, g))
CAN_FAIL(dnnl_memory_desc_clone, (dnnl_memory_desc_t * d, onednn_md from), (d, from))
CAN_FAIL(dnnl_post_ops_append_eltwise, (dnnl_post_ops_t p, dnnl_alg_kind_t k, float a, float b), (p, k, a, b))
CAN_FAIL(dnnl_post_ops_append_sum, (dnnl_post_ops_t p, float s, int32_t z, dnnl_data_type_t t), (p, s, z, t))
CAN_FAIL(dnnl_primitive_desc_next_impl, (dnnl_primitive_desc_t d), (d))
CAN_FAIL(dnnl_convolution_forward_primitive_desc_create,
         (made d, dnnl_engine_t e, dnnl_prop_kind_t k, dnnl_alg_kind_t g, onednn_md x, onednn_md w, onednn_md b,
          onednn_md y, sizes s, sizes l, sizes p, sizes q, attributes t),
         (d, e, k, g, x, w, b, y, s, l, p, q, t))
CAN_FAIL(dnnl_convolution_backward_data_primitive_desc_create,
         (made d, dnnl_engine_t e, dnnl_alg_kind_t g, onednn_md x, onednn_md w, onednn_md y, sizes s, sizes l, sizes p,
          sizes q, descriptor h, attributes t),
         (d, e, g, x, w, y, s, l, p, q, h, t))
CAN_FAIL(dnnl_convolution_backward_weights_primitive_desc_create,
         (made d, dnnl_engine_t e, dnnl_alg_kind_t g, onednn_md x, onednn_md w, onednn_md b, onednn_md y, sizes s,
          sizes l, sizes p, sizes q, descriptor h, attributes t),
         (d, e, g, x, w, b, y, s, l, p, q, h, t))
CAN_FAIL(dnnl_matmul_primitive_desc_create,
         (made d, dnnl_engine_t e, onednn_md a, onednn_md b, onednn_md bias, onednn_md c, attributes t),
         (d, e, a, b, bias, c, t))
CAN_FAIL(dnnl_pooling_forward_primitive_desc_create,
         (made d, dnnl_engine_t e, dnnl_prop_kind_t k, dnnl_alg_kind_t g, onednn_md x, onednn_md y, sizes s, sizes w,
          sizes l, sizes p, sizes q, attributes t),
         (d, e, k, g, x, y, s, w, l, p, q, t))
CAN_FAIL(dnnl_pooling_backward_primitive_desc_create,
         (made d, dnnl_engine_t e, dnnl_alg_kind_t g, onednn_md x, onednn_md y, sizes s, sizes w, sizes l, sizes p,
          sizes q, descriptor h, attributes t),
         (d, e, g, x, y, s, w, l, p, q, h, t))
CAN_FAIL(dnnl_lrn_forward_primitive_desc_create,
         (made d, dnnl_engine_t e, dnnl_prop_kind_t k, dnnl_alg_kind_t g, onednn_md x, onednn_md y, dnnl_dim_t n,
          float a, float b, float bias, attributes t),
         (d, e, k, g, x, y, n, a, b, bias, t))
CAN_FAIL(dnnl_lrn_backward_primitive_desc_create,
         (made d, dnnl_engine_t e, dnnl_alg_kind_t g, onednn_md dx, onednn_md dy, onednn_md x, dnnl_dim_t n, float a,
          float b, float bias, descriptor h, attributes t),
         (d, e, g, dx, dy, x, n, a, b, bias, h, t))
CAN_FAIL(dnnl_softmax_forward_primitive_desc_create,
         (made d, dnnl_engine_t e, dnnl_prop_kind_t k, dnnl_alg_kind_t g, onednn_md x, onednn_md y, int axis,
          attributes t),
         (d, e, k, g, x, y, axis, t))
#else
CAN_FAIL(dnnl_memory_desc_init_by_strides,
         (dnnl_memory_desc_t * d, int n, const dnnl_dims_t s, dnnl_data_type_t t, const dnnl_dims_t by),
         (d, n, s, t, by))
CAN_FAIL(dnnl_memory_desc_init_by_tag,
         (dnnl_memory_desc_t * d, int n, const dnnl_dims_t s, dnnl_data_type_t t, dnnl_format_tag_t g), (d, n, s, t, g))
CAN_FAIL(dnnl_post_ops_append_eltwise, (dnnl_post_ops_t p, float s, dnnl_alg_kind_t k, float a, float b),
         (p, s, k, a, b))
CAN_FAIL(dnnl_post_ops_append_sum, (dnnl_post_ops_t p, float s), (p, s))
CAN_FAIL(dnnl_primitive_desc_iterator_create,
         (dnnl_primitive_desc_iterator_t * i, const_dnnl_op_desc_t o, attributes t, dnnl_engine_t e, descriptor h),
         (i, o, t, e, h))
CAN_FAIL(dnnl_primitive_desc_iterator_next, (dnnl_primitive_desc_iterator_t i), (i))
CAN_FAIL(dnnl_primitive_desc_create,
         (dnnl_primitive_desc_t * d, const_dnnl_op_desc_t o, attributes t, dnnl_engine_t e, descriptor h),
         (d, o, t, e, h))
#endif

/* ---- a net with a primitive of each kind ------------------------------------------------------------------------- */

typedef struct net {
    atl_graph *graph;
    atl_node *image, *outputs[3]; /* probabilities, gradients with respect to image and dense weights */
    atl_tensor *pixels, *expected[3];
    unsigned disabled_passes;
    int bfloat16;
} net;

/* Windows and strides that our own kernels do not support: oneDNN computes all of it. */
static atl_node *convolved(atl_graph *g, atl_node *x, const char *name, int64_t window, int64_t stride, int64_t groups)
{
    int64_t in = atl_shape_of(x).size[3];
    atl_enter(g, name);
    atl_node *filter = atl_variable(g, "filter", ATL_SHAPE(window, window, in / groups, 32), atl_he());
    x = atl_conv2d(x, filter, .stride = {stride, stride}, .groups = groups);
    x = atl_add(x, atl_variable(g, "bias", ATL_SHAPE(32), atl_normal(0.1f)));
    atl_leave(g);
    return x;
}

static net net_new(unsigned without, int bfloat16)
{
    enum { BATCH = 9, CLASSES = 300 };
    net n = {.graph = atl_graph_new(), .disabled_passes = without, .bfloat16 = bfloat16};
    atl_graph *g = n.graph;
    n.image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(BATCH, 16, 16, 16));
    atl_node *x = atl_relu(convolved(g, n.image, "strided", 3, 2, 1));
    x = atl_relu(atl_add(convolved(g, x, "residual", 1, 1, 1), x));
    x = atl_tanh(convolved(g, x, "grouped", 3, 1, 2));
    x = atl_add(x, convolved(g, x, "square", 3, 1, 1)); /* by Winograd's algorithm, unless that pass is disabled */
    x = atl_max_pool2d(atl_lrn(x), .window = {3, 3}, .stride = {2, 2});
    x = atl_avg_pool2d(x, .window = {2, 2}, .stride = {2, 2});
    atl_node *weights = atl_variable(g, "dense", ATL_SHAPE(128, CLASSES), atl_glorot());
    x = atl_matmul(atl_reshape(x, ATL_SHAPE(BATCH, 128)), weights);
    n.outputs[0] = atl_softmax(x);
    atl_node *loss = atl_sum(atl_square(x));
    n.outputs[1] = atl_gradient(loss, n.image);
    n.outputs[2] = atl_gradient(loss, weights);
    n.pixels = random_tensor(ATL_SHAPE(BATCH, 16, 16, 16), -1, 1);
    cr_assert_str_empty(atl_graph_error(g), "%s", atl_graph_error(g));
    return n;
}

static void net_free(net *n)
{
    for (int i = 0; i < 3; i++)
        atl_tensor_free(n->expected[i]);
    atl_tensor_free(n->pixels);
    atl_graph_free(n->graph);
}

static atl_program *compile(const net *n)
{
    return atl_compile(n->graph, {3, (atl_node **)n->outputs}, .disabled_passes = n->disabled_passes,
                       .bfloat16 = n->bfloat16);
}

/* ---- each call in turn ------------------------------------------------------------------------------------------- */

static int is_right(const net *n, const atl_program *program)
{
    for (int i = 0; i < 3; i++)
        if (relative_l2(atl_value(program, n->outputs[i]), n->expected[i]) > (n->bfloat16 ? 0.2 : 1e-5))
            return 0;
    return 1;
}

static int64_t run_and_keep(net *n)
{
    int64_t before = calls;
    atl_program *program = compile(n);
    cr_assert(program && atl_run(program, ATL_FEED(n->image, n->pixels)) == ATL_OK, "%s", atl_error());
    for (int i = 0; i < 3; i++)
        n->expected[i] = atl_tensor_copy(atl_value(program, n->outputs[i]));
    atl_program_free(program);
    return calls - before;
}

/* The message after call number `failing` has failed; null if the result is right all the same. */
static const char *message_of_failure(const net *n)
{
    const char *message = NULL;
    calls = 0;
    atl_program *program = compile(n);
    atl_status status = program ? atl_run(program, ATL_FEED(n->image, n->pixels)) : atl_error_status();
    if (status)
        message = atl_error();
    cr_expect_eq(status, message ? atl_error_status() : ATL_OK, "the status is not that of \"%s\"", message);
    if (program && message) { /* after a temporary failure the program works as before */
        failing = -1;
        cr_expect(atl_run(program, ATL_FEED(n->image, n->pixels)) == ATL_OK, "%s", atl_error());
    }
    if (program)
        cr_expect(is_right(n, program), "wrong values after %s has failed", failed_name);
    atl_program_free(program);
    return message;
}

static void fail_each_call(unsigned without, int bfloat16, dnnl_status_t how, const char *words)
{
    net n = net_new(without, bfloat16);
    run_and_keep(&n); /* queries that a process makes once have been made by then */
    for (int i = 0; i < 3; i++)
        atl_tensor_free(n.expected[i]);
    int64_t count = run_and_keep(&n), done_without = 0;
    cr_assert_gt(count, 100);
    for (int64_t i = 0; i < count; i++) {
        failing = i;
        failure = how;
        failed_name = NULL;
        const char *message = message_of_failure(&n);
        failing = -1;
        cr_expect(failed_name, "call %d was never made", (int)i);
        done_without += !message;
        if (message)
            cr_expect(strstr(message, "oneDNN cannot ") && strstr(message, words), "after %s has failed: \"%s\"",
                      failed_name, message);
    }
    fprintf(stderr, "%lld calls, %lld of which can be done without\n", (long long)count, (long long)done_without);
    cr_expect_lt(done_without, count);
    net_free(&n);
}

TestSuite(failures, .timeout = 240);
Test(failures, out_of_memory) { fail_each_call(0, 0, dnnl_out_of_memory, "out of memory"); }
Test(failures, no_implementation) { fail_each_call(0, 0, dnnl_unimplemented, "no implementation"); }
Test(failures, run_time) { fail_each_call(ATL_PASS_WINOGRAD, 0, dnnl_runtime_error, "run time"); }
Test(failures, of_rounded_products)
{
    if (!atl_has_bfloat16())
        cr_skip_test("this processor has no instructions for bfloat16");
    fail_each_call(ATL_PASS_WINOGRAD, 1, dnnl_unimplemented, "no implementation");
}
