/* Rows that nobody reads, or that are zero, are not computed: the same values by smaller steps. */
#include "support.h"

enum { BATCH = 2, TOKENS = 37, WIDTH = 16, HEADS = 2, MOST = 8 };

typedef struct network {
    atl_graph *graph;
    atl_node *x, *outputs[MOST];
    int64_t count;
    atl_tensor *feed;
} network;

static network network_new(atl_shape shape)
{
    network c = {.graph = atl_graph_new(), .feed = random_tensor(shape, -1, 1)};
    c.x = atl_input(c.graph, "x", ATL_FLOAT32, shape);
    return c;
}

static void network_free(network *c)
{
    atl_tensor_free(c->feed);
    atl_graph_free(c->graph);
}

static atl_node *weight(network *c, const char *name, int64_t rows, int64_t columns)
{
    return atl_variable(c->graph, name, ATL_SHAPE(rows, columns), atl_normal(0.3f));
}

/* The value and its gradients by x and by all variables. */
static void differentiate(network *c, atl_node *y)
{
    atl_nodes variables = atl_variables(c->graph);
    atl_node *by[MOST] = {c->x};
    cr_assert(y && variables.count < MOST - 1, "%s", atl_graph_error(c->graph));
    for (int64_t i = 0; i < variables.count; i++)
        by[1 + i] = variables.node[i];
    c->outputs[0] = y;
    c->count = 2 + variables.count;
    cr_assert_eq(atl_gradients(.of = ATL_NODES(atl_sum(atl_square(y))), .by = {1 + variables.count, by},
                               .result_out = c->outputs + 1, .unused = ATL_UNUSED_ZEROS),
                 ATL_OK, "%s", atl_error());
}

static atl_nodes outputs_of(network *c) { return (atl_nodes){c->count, c->outputs}; }

static atl_program *compiled(network *c, unsigned without)
{
    atl_program *program = atl_compile(c->graph, outputs_of(c), .disabled_passes = without);
    cr_assert(program && !atl_run(program, ATL_FEED(c->x, c->feed)), "%s", atl_error());
    return program;
}

/* The largest number of rows (dimension `dimension`) of a step of that op; 0: there is none. */
static int64_t most_rows(const atl_program *program, const char *op, int dimension)
{
    int64_t most = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        if (!strcmp(info.op, op) && info.shape.rank > dimension && info.shape.size[dimension] > most)
            most = info.shape.size[dimension];
    }
    return most;
}

/* Compares all outputs with those of the whole graph, and that with double. */
static void expect_same_values(network *c)
{
    for (unsigned without = 0; without <= ATL_PASS_FUSE; without += ATL_PASS_FUSE) {
        atl_program *narrow = compiled(c, without), *whole = compiled(c, without | ATL_PASS_NARROW);
        for (int64_t i = 0; i < c->count; i++)
            cr_assert_close(atl_value(narrow, c->outputs[i]), atl_value(whole, c->outputs[i]), 1e-5);
        assert_like_references(narrow, outputs_of(c), ATL_FEED(c->x, c->feed), 1e-5);
        atl_program_free(narrow);
        atl_program_free(whole);
    }
}

static atl_node *heads(atl_node *x)
{
    return atl_transpose(atl_reshape(x, ATL_SHAPE(BATCH, TOKENS, HEADS, WIDTH / HEADS)), .order = {0, 2, 1, 3});
}

/* A layer of a transformer, of which a classifier reads some tokens. */
static atl_node *layer(network *c, int64_t first, int64_t last)
{
    atl_node *h = atl_layer_norm(c->x, NULL, NULL, 1e-6f);
    atl_node *q = heads(atl_matmul(h, weight(c, "q", WIDTH, WIDTH))),
             *k = heads(atl_matmul(h, weight(c, "k", WIDTH, WIDTH))), *v = heads(h);
    atl_node *y = atl_matmul(atl_softmax(atl_scale(atl_matmul(q, k, .transpose_b = 1), 0.35f)), v);
    y = atl_reshape(atl_transpose(y, .order = {0, 2, 1, 3}), ATL_SHAPE(BATCH, TOKENS, WIDTH));
    y = atl_add(c->x, y);
    h = atl_gelu(atl_matmul(atl_layer_norm(y, NULL, NULL, 1e-6f), weight(c, "up", WIDTH, 4 * WIDTH)));
    y = atl_add(y, atl_matmul(h, weight(c, "down", 4 * WIDTH, WIDTH)));
    return atl_slice(y, .begin = {0, first, 0}, .end = {0, last, 0});
}

Test(narrow, a_layer_is_computed_for_the_token_that_is_read)
{
    network c = network_new(ATL_SHAPE(BATCH, TOKENS, WIDTH));
    differentiate(&c, layer(&c, 0, 1));
    expect_same_values(&c);
    c.count = 2; /* the weights' gradients read all tokens of all examples as one matrix */
    const unsigned apart = ATL_PASS_KEEP_SLOPE | ATL_PASS_POST_OP; /* so that gelu has steps of its own */
    atl_program *narrow = compiled(&c, apart), *whole = compiled(&c, ATL_PASS_NARROW | apart);
    const char *const by_token[] = {"gelu", "gelu_grad"};
    for (size_t i = 0; i < sizeof by_token / sizeof *by_token; i++) {
        cr_expect_eq(most_rows(narrow, by_token[i], 1), 1, "%s", by_token[i]);
        cr_expect_eq(most_rows(whole, by_token[i], 1), TOKENS, "%s", by_token[i]);
    }
    cr_expect_eq(most_rows(narrow, "softmax", 2), 1);
    cr_expect_eq(most_rows(narrow, "softmax_grad", 2), 1);
    cr_expect_lt(atl_program_arena_bytes(narrow), atl_program_arena_bytes(whole));
    atl_program_free(narrow);
    atl_program_free(whole);
    network_free(&c);
}

Test(narrow, tokens_from_the_middle)
{
    network c = network_new(ATL_SHAPE(BATCH, TOKENS, WIDTH));
    differentiate(&c, layer(&c, 7, 12));
    expect_same_values(&c);
    network_free(&c);
}

/* What is read as a whole, too, or for the most part, stays whole. */
Test(narrow, what_is_read_stays)
{
    network c = network_new(ATL_SHAPE(20, WIDTH));
    atl_node *h = atl_gelu(c.x), *few = atl_slice(h, .begin = {3}, .end = {5}), *most = atl_slice(h, .end = {15});
    c.outputs[0] = few;
    c.outputs[1] = h;
    c.count = 2;
    atl_program *program = compiled(&c, 0);
    cr_expect_eq(most_rows(program, "gelu", 0), 20);
    atl_program_free(program);
    c.outputs[1] = most;
    program = compiled(&c, 0);
    cr_expect_eq(most_rows(program, "gelu", 0), 20);
    atl_program_free(program);
    c.count = 1;
    program = compiled(&c, 0);
    cr_expect_eq(most_rows(program, "gelu", 0), 2);
    atl_program_free(program);
    expect_same_values(&c);
    network_free(&c);
}

/* Slices of the last dimension, of two dimensions and of every second row are taken from the whole array. */
Test(narrow, other_slices)
{
    network c = network_new(ATL_SHAPE(20, WIDTH));
    atl_node *h = atl_gelu(c.x);
    c.count = 1;
    atl_node *const slices[] = {atl_slice(h, .end = {0, 2}), atl_slice(h, .end = {2, 2}),
                                atl_slice(h, .end = {8}, .stride = {2})};
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
        differentiate(&c, slices[i]);
        expect_same_values(&c);
        atl_program *program = compiled(&c, ATL_PASS_KEEP_SLOPE);
        cr_expect_eq(most_rows(program, "gelu", 0), 20, "slice %zu", i);
        atl_program_free(program);
    }
    network_free(&c);
}

/* Broadcast operands, several slices of one array, sums of slices' gradients. */
Test(narrow, mixtures)
{
    network c = network_new(ATL_SHAPE(BATCH, 12, WIDTH));
    atl_node *row = weight(&c, "row", 1, WIDTH), *column = weight(&c, "column", 12, 1);
    atl_node *h = atl_mul(atl_add(atl_exp(c.x), row), column);
    atl_node *first = atl_slice(h, .begin = {0, 2}, .end = {0, 4}),
             *second = atl_slice(h, .begin = {0, 3}, .end = {0, 6});
    atl_node *y = atl_add(atl_sum(atl_square(first)), atl_sum(atl_square(second)));
    differentiate(&c, atl_reshape(y, ATL_SHAPE(1)));
    expect_same_values(&c);
    network_free(&c);
}

Test(narrow, a_slice_of_a_gradient)
{
    network c = network_new(ATL_SHAPE(12, WIDTH));
    atl_node *h = atl_matmul(atl_tanh(c.x), weight(&c, "w", WIDTH, WIDTH));
    atl_node *y = atl_slice(atl_square(h), .begin = {4}, .end = {7});
    atl_node *slope = atl_gradient(atl_sum(y), c.x);
    differentiate(&c, atl_slice(slope, .begin = {5}, .end = {10}));
    expect_same_values(&c);
    network_free(&c);
}

static double flops_of_products(const atl_program *program)
{
    double flops = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        flops += strcmp(info.op, "matmul") == 0 ? info.flops : 0;
    }
    return flops;
}

/* A product that sums over rows, of which most are zero: only the others are terms.  Of a few zeros none is left out,
 * which would cost a copy. */
Test(narrow, sums_over_rows_of_zeros)
{
    for (int few = 0; few < 2; few++) {
        network c = network_new(ATL_SHAPE(64, WIDTH));
        atl_node *w = weight(&c, "w", WIDTH, WIDTH);
        differentiate(&c, atl_slice(atl_matmul(c.x, w), .begin = {few ? 2 : 10}, .end = {few ? 64 : 14}));
        c.outputs[c.count++] = atl_slice(atl_gelu(c.x), .end = {2}); /* so that the pass finds something */
        expect_same_values(&c);
        atl_program *narrow = compiled(&c, 0), *whole = compiled(&c, ATL_PASS_NARROW);
        double ratio = few ? 1 : 16; /* 4 rows of 64 */
        cr_expect_eq(flops_of_products(narrow) * ratio, flops_of_products(whole), "%g, %g", flops_of_products(narrow),
                     flops_of_products(whole));
        atl_program_free(narrow);
        atl_program_free(whole);
        network_free(&c);
    }
}

/* NaN and infinities of the rows that are read come out as before; others cannot. */
Test(narrow, special_values)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e-40f, 3e38f};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        network c = network_new(ATL_SHAPE(20, WIDTH));
        differentiate(&c, atl_slice(atl_gelu(c.x), .begin = {3}, .end = {6}));
        for (int row = 0; row < 20; row += 5)
            atl_floats(c.feed)[row * WIDTH + row % WIDTH] = values[k];
        atl_program *narrow = compiled(&c, ATL_PASS_KEEP_SLOPE), /* which has other last bits */
            *whole = compiled(&c, ATL_PASS_NARROW | ATL_PASS_KEEP_SLOPE);
        for (int o = 0; o < 2; o++)
            for (int64_t i = 0; i < atl_tensor_count(atl_value(whole, c.outputs[o])); i++) {
                float a = atl_floats(atl_value(narrow, c.outputs[o]))[i];
                float b = atl_floats(atl_value(whole, c.outputs[o]))[i];
                int is_read = o == 0 || (i / WIDTH >= 3 && i / WIDTH < 6);
                cr_expect(a == b || (isnan(a) && isnan(b)) || (!is_read && a == 0), "%g: %g, %g", (double)values[k],
                          (double)a, (double)b);
            }
        atl_program_free(narrow);
        atl_program_free(whole);
        network_free(&c);
    }
}

/* One of the ops that work row by row, or not, on [BATCH, t, WIDTH]: an array of that shape, or of fewer rows. */
static atl_node *random_op(network *c, atl_node *x, int number)
{
    char name[8];
    int64_t t = atl_shape_of(x).size[1], first = (int64_t)random_below((uint64_t)t);
    snprintf(name, sizeof name, "w%d", number);
    switch (random_below(12)) {
    case 0:
        return atl_gelu(x);
    case 1:
        return atl_swish(x);
    case 2:
        return atl_mul(x, atl_tanh(x));
    case 3:
        return atl_tanh(atl_matmul(x, weight(c, name, WIDTH, WIDTH)));
    case 4:
        return atl_layer_norm(x, NULL, NULL, 1e-2f);
    case 5:
        return atl_add(x, atl_softmax(x));
    case 6:
        return atl_add(x, weight(c, name, t, 1));
    case 7:
        return atl_matmul(atl_softmax(atl_matmul(x, x, .transpose_b = 1)), x);
    case 8:
        return atl_reshape(atl_tanh(atl_reshape(x, ATL_SHAPE(-1, WIDTH))), atl_shape_of(x));
    case 9:
        return atl_transpose(atl_sigmoid(atl_transpose(x, .order = {1, 0, 2})), .order = {1, 0, 2});
    case 10:
        return atl_sub(x, atl_reduce_mean(x, ATL_AXES(1), .keep = 1));
    default: {
        int64_t last = first + 1 + (int64_t)random_below((uint64_t)(t - first));
        return atl_slice(x, .begin = {0, first}, .end = {0, last});
    }
    }
}

/* The largest difference, relative to the largest value, which counts as 1 at least: some gradients are noise. */
static double difference(const atl_tensor *a, const atl_tensor *b)
{
    double most = 1, apart = 0;
    for (int64_t i = 0; i < atl_tensor_count(a); i++) {
        most = fmax(most, fabs((double)atl_floats(b)[i]));
        apart = fmax(apart, fabs((double)atl_floats(a)[i] - (double)atl_floats(b)[i]));
    }
    return apart / most;
}

/* Chains of these ops, of which some rows of two arrays are differentiated. */
Test(narrow, random_networks)
{
    for (int k = 0; k < 60; k++) {
        network c = network_new(ATL_SHAPE(BATCH, 12, WIDTH));
        atl_node *x = c.x, *between = c.x;
        for (int i = 0; i < 6; i++) {
            x = random_op(&c, x, i);
            between = i == (int)random_below(6) ? x : between;
        }
        atl_node *rows[] = {atl_slice(x, .end = {0, 1}), atl_slice(between, .end = {0, 1})};
        differentiate(&c, atl_add(rows[0], random_below(2) ? rows[1] : atl_square(rows[0])));
        atl_program *narrow = compiled(&c, 0), *whole = compiled(&c, ATL_PASS_NARROW);
        for (int64_t i = 0; i < c.count; i++)
            cr_assert_lt(difference(atl_value(narrow, c.outputs[i]), atl_value(whole, c.outputs[i])), 1e-4,
                         "network %d, output %lld, seed %llu", k, (long long)i, (unsigned long long)test_seed());
        atl_program_free(narrow);
        atl_program_free(whole);
        network_free(&c);
    }
}
