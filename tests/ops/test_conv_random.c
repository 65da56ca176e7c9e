/* Random convolutions, one after another, and their gradients by the image and by the filters: windows, strides,
 * dilations, groups, paddings, channels and batches of all kinds, so that each of our own kernels meets its edges; with
 * some passes disabled, and a few images at a time.  They agree with the reference. */
#include "support.h"

enum { MOST_LAYERS = 3, MOST_NODES = 2 + 2 * MOST_LAYERS };
static const double MOST_PRODUCTS = 2e6;

typedef struct random_net {
    atl_graph *graph;
    atl_node *image, *result;
    atl_node *weight[2 * MOST_LAYERS], *before[MOST_LAYERS]; /* before: an activation with kinks */
    int weights, kinks;
    int batch;
    double products;
    char text[1000]; /* what it is */
} random_net;

#define SAY(n, ...) snprintf((n)->text + strlen((n)->text), sizeof(n)->text - strlen((n)->text), __VA_ARGS__)

static int below(int limit) { return (int)random_below((uint64_t)limit); }
static int rarely(int of) { return below(of) == 0; }
static int one_of(const int *list, int count) { return list[below(count)]; }
#define ONE_OF(...) one_of((int[]){__VA_ARGS__}, (int)(sizeof(int[]){__VA_ARGS__} / sizeof(int)))

static atl_node *new_weight(random_net *n, atl_shape shape)
{
    atl_node *weight = atl_variable(n->graph, ATL_NAME("w%d", n->weights), shape, atl_he());
    return n->weight[n->weights++] = weight;
}

/* relu and relu6 are most of what our kernels apply; the others have no kinks. */
static atl_node *activated(random_net *n, atl_node *x)
{
    int kind = below(6);
    SAY(n, ", activation %d", kind);
    if (kind < 3)
        n->before[n->kinks++] = x;
    return kind == 0 ? atl_relu6(x) : kind < 3 ? atl_relu(x) : kind == 3 ? atl_swish(x) : x;
}

/* One direction of a window. */
typedef struct direction {
    int size, stride, dilation, before, after;
} direction;

static direction draw_direction(void)
{
    direction d = {ONE_OF(3, 3, 5, 1, 7, 2, 4), ONE_OF(1, 1, 2, 3), ONE_OF(1, 1, 1, 2, 5), 0, 0};
    int reach = (d.size - 1) * d.dilation;
    d.before = rarely(3) ? below(reach + 1) : reach / 2;
    d.after = rarely(3) ? below(reach + 1) : reach - reach / 2;
    return d;
}

/* 0: drawn again. */
static int add_convolution(random_net *n)
{
    const atl_shape x = atl_shape_of(n->result);
    const int channels = (int)x.size[3], kind = below(4);
    const direction v = draw_direction(), h = rarely(3) ? draw_direction() : v;
    int out = ONE_OF(16, 32, 8, 24, 40, 48, 64, 12), groups = 1;
    if (kind == 0 && channels > 4)
        groups = out = channels;
    while (kind == 1 && channels % (2 * groups) == 0 && (groups == 1 || !rarely(3)))
        groups *= 2;
    out = groups > 1 && kind == 1 ? channels : out;
    const int64_t height = x.size[1] + v.before + v.after, width = x.size[2] + h.before + h.after;
    const double products = (double)(n->batch * height * width * v.size * h.size * channels / groups) * out;
    if (height <= (v.size - 1) * v.dilation || width <= (h.size - 1) * h.dilation ||
        products / (v.stride * h.stride) > MOST_PRODUCTS)
        return 0;
    SAY(n, "; %dx%d, stride %d,%d, dilation %d,%d, pad %d,%d,%d,%d, %d groups, %d outputs", v.size, h.size, v.stride,
        h.stride, v.dilation, h.dilation, v.before, v.after, h.before, h.after, groups, out);
    atl_node *filter = new_weight(n, ATL_SHAPE(v.size, h.size, channels / groups, out));
    atl_node *y = atl_conv2d(n->result, filter, .stride = {v.stride, h.stride}, .dilation = {v.dilation, h.dilation},
                             .groups = groups, .padding = ATL_EXPLICIT, .pad = {v.before, v.after, h.before, h.after});
    if (rarely(2)) {
        SAY(n, ", bias");
        y = atl_bias_add(y, new_weight(n, ATL_SHAPE(out)));
    }
    if (atl_shape_equal(x, atl_shape_of(y)) && rarely(2)) {
        SAY(n, ", residual");
        y = atl_add(y, n->result);
    }
    n->result = activated(n, y);
    return 1;
}

static random_net new_net(void)
{
    random_net n = {.graph = atl_graph_new(), .batch = ONE_OF(1, 2, 3, 5, 7, 8)};
    const int most = rarely(4) ? 60 : 24, height = 1 + below(most), width = 1 + below(most);
    const int channels = ONE_OF(1, 2, 3, 3, 4, 8, 16, 24, 32, 48);
    SAY(&n, "%d images %dx%dx%d", n.batch, height, width, channels);
    n.image = n.result = atl_input(n.graph, "image", ATL_FLOAT32, ATL_SHAPE(n.batch, height, width, channels));
    for (int layers = 1 + below(MOST_LAYERS), tries = 0; layers > 0 && tries < 20; tries++)
        layers -= add_convolution(&n);
    return n;
}

/* True if rounding may move an activation over a kink: then the gradients jump. */
static int is_near_a_kink(const random_net *n, const atl_feed *feeds)
{
    int is_near = 0;
    atl_reference *exact = n->kinks ? atl_reference_run((atl_nodes){n->kinks, n->before}, feeds) : NULL;
    for (int k = 0; exact && k < n->kinks; k++) {
        const atl_tensor *x = atl_reference_value(exact, n->before[k]);
        for (int64_t i = 0; i < atl_tensor_count(x); i++) {
            const double value = element_of(x, i);
            is_near |= fabs(value) < 2e-5 || fabs(value - 6) < 2e-5;
        }
    }
    atl_reference_free(exact);
    return is_near;
}

/* 0: it was left out. */
static int check(const random_net *n)
{
    atl_node *wanted[MOST_NODES] = {n->result};
    int count = 1;
    atl_node *cost = atl_sum(atl_mul(n->result, atl_sin(atl_add_scalar(n->result, 1))));
    wanted[count++] = atl_gradient(cost, n->image);
    for (int i = 0; i < n->weights && !rarely(3); i++)
        wanted[count++] = atl_gradient(cost, n->weight[i]);
    const unsigned disabled = rarely(3) ? 1u << below(17) : 0;
    const int images = rarely(3) ? 1 + below(4) : 0, threads = 1 + below(3);
    atl_tensor *pixels = random_tensor(atl_shape_of(n->image), -1, 1);
    const atl_feed *feeds = ATL_FEED(n->image, pixels);
    const int is_left_out = is_near_a_kink(n, feeds);
    atl_program *program = is_left_out ? NULL
                                       : atl_compile(n->graph, (atl_nodes){count, wanted}, .disabled_passes = disabled,
                                                     .micro_batch = images, .threads = threads, .check = 1);
    cr_assert(is_left_out || (program && !atl_run(program, feeds)), "%s: %s", n->text, atl_error());
    atl_reference *exact = is_left_out ? NULL : atl_reference_run((atl_nodes){count, wanted}, feeds);
    for (int i = 0; exact && i < count; i++) {
        const double off = relative_l2(atl_value(program, wanted[i]), atl_reference_value(exact, wanted[i]));
        cr_assert_lt(off, 3e-5, "%s; without %u, %d images at a time, %d threads: output %d is %g off (seed %llu)",
                     n->text, disabled, images, threads, i, off, (unsigned long long)test_seed());
    }
    atl_reference_free(exact);
    atl_program_free(program);
    atl_tensor_free(pixels);
    return !is_left_out;
}

Test(conv_random, agree_with_the_reference)
{
    enum { NETS = FEWER(400, 40) };
    int checked = 0;
    for (int i = 0; i < NETS; i++) {
        random_net n = new_net();
        cr_assert_str_empty(atl_graph_error(n.graph), "%s: %s", n.text, atl_graph_error(n.graph));
        checked += check(&n);
        atl_graph_free(n.graph);
    }
    cr_expect_gt(checked, NETS / 2, "only %d of %d were apart from kinks", checked, NETS);
}
