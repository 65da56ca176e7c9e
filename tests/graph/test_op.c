/* Applying ops: descriptors checked, shapes inferred, mistakes placed. */
#include "support.h"

#include "graph/graph.h"

static atl_graph *g;
static atl_node *x;

static void set_up(void)
{
    g = atl_graph_new();
    x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3));
}
static void tear_down(void) { atl_graph_free(g); }
TestSuite(op, .init = set_up, .fini = tear_down);

static double halve(double v) { return v / 2; }
static int infer_nothing(atl_node *y) { return (void)y, 0; }
static int infer_same(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, atl_shape_of(atl_input_of(y, 0))); }
static void compute_nothing(const atl_node *y, const void *const *in, void *result) { (void)y, (void)in, (void)result; }
static atl_node *rule(atl_node *y, atl_node *dy) { return (void)y, dy; }
static atl_node *rule_of(atl_node *y, atl_node *dy, int i) { return (void)y, (void)i, dy; }
static double first_of(const double *v, const void *attributes) { return (void)attributes, v[0]; }

Test(op, a_users_op_is_applied_like_any_other)
{
    static const atl_op halve_op = ATL_ELEMENTWISE_OP("halve", halve, NULL);
    atl_node *y = atl_apply(&halve_op, x);
    cr_assert(atl_shape_equal(atl_shape_of(y), ATL_SHAPE(2, 3)));
    cr_assert_str_eq(atl_name_of(y), "halve");
}

static const struct {
    atl_op op;
    const char *says;
} corrupt[] = {
    {{.arity = 1, .function = halve}, "no name"},
    {{.name = "", .arity = 1, .function = halve}, "no name"},
    {{.name = "o", .arity = -2, .function = halve}, "arity"},
    {{.name = "o", .arity = 65, .infer = infer_same, .kernel = compute_nothing}, "arity"},
    {{.name = "o", .arity = 1, .function = halve, .attributes = 1 << 20}, "attributes"},
    {{.name = "o", .arity = 2, .function = halve}, "element"},
    {{.name = "o", .arity = 1, .kernel = compute_nothing}, "infer"},
    {{.name = "o", .arity = 0, .element = first_of}, "infer"},
    {{.name = "o", .arity = 1, .function = halve, .gradient = {rule}, .gradient_of = rule_of}, "exclude"},
    {{.name = "o", .arity = 1, .infer = infer_same}, "nothing to compute"},
};

Test(op, corrupt_descriptors_are_refused)
{
    cr_assert_null(atl_apply((const atl_op *)NULL, x));
    cr_assert_mentions(atl_graph_error(g), "null");
    for (size_t i = 0; i < sizeof corrupt / sizeof *corrupt; i++) {
        atl_graph *graph = atl_graph_new();
        atl_node *in = atl_input(graph, "in", ATL_FLOAT32, ATL_SCALAR), *both[] = {in, in};
        cr_assert_null(atl_apply_with(&corrupt[i].op, NULL, corrupt[i].op.arity == 2 ? 2 : 1, both));
        cr_expect_str_not_empty(atl_graph_error(graph));
        cr_expect(strstr(atl_graph_error(graph), corrupt[i].says), "%zu: \"%s\" does not mention \"%s\"", i,
                  atl_graph_error(graph), corrupt[i].says);
        atl_graph_free(graph);
    }
}

Test(op, the_number_of_inputs_is_checked)
{
    static const atl_op halve_op = ATL_ELEMENTWISE_OP("halve", halve, NULL);
    cr_assert_null(atl_apply(&halve_op, x, x));
    cr_assert_mentions(atl_graph_error(g), "halve: takes 1");
}

Test(op, an_infer_that_fails_silently_is_named)
{
    static const atl_op silent = {.name = "silent", .arity = 1, .infer = infer_nothing, .kernel = compute_nothing};
    cr_assert_null(atl_apply(&silent, x));
    cr_assert_mentions(atl_graph_error(g), "silent");
}

Test(op, a_mistake_says_where)
{
    atl_enter(g, "block");
    cr_assert_null(atl_add(x, atl_named(atl_input(g, "z", ATL_FLOAT32, ATL_SHAPE(4)), "z")));
    cr_assert_mentions(atl_graph_error(g), "block/add: ");
    cr_assert_mentions(atl_graph_error(g), "[2, 3]");
    cr_assert_mentions(atl_graph_error(g), "[4]");
    cr_assert_mentions(atl_graph_error(g), "block/z");
}

Test(op, floats_only)
{
    atl_node *i = atl_input(g, "i", ATL_INT32, ATL_SHAPE(2, 3));
    cr_assert_null(atl_add(x, i));
    cr_assert_mentions(atl_graph_error(g), "int32");
    cr_assert_mentions(atl_graph_error(g), "atl_cast");
}

static int64_t wanted_rank;
static int infer_rank(atl_node *y)
{
    atl_shape shape = {.rank = (int)wanted_rank};
    for (int i = 0; i < ATL_MAX_RANK; i++)
        shape.size[i] = 1ll << 20;
    return atl_set_type(y, ATL_FLOAT32, shape);
}
static int infer_negative(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, ATL_SHAPE(3, -2)); }
static int infer_double(atl_node *y) { return atl_set_type(y, ATL_FLOAT64, ATL_SCALAR); }

Test(op, impossible_results_are_refused)
{
    static const atl_op large = {.name = "large", .arity = 1, .infer = infer_rank, .kernel = compute_nothing};
    static const atl_op negative = {.name = "negative", .arity = 1, .infer = infer_negative, .kernel = compute_nothing};
    static const atl_op wide = {.name = "wide", .arity = 1, .infer = infer_double, .kernel = compute_nothing};
    const struct {
        const atl_op *op;
        int rank;
        const char *says;
    } row[] = {{&large, 3, "2^60"},
               {&large, 8, "2^60"},
               {&large, 9, "9 dimensions"},
               {&negative, 0, "negative"},
               {&wide, 0, "float64"}};
    for (int i = 0; i < 5; i++) {
        atl_graph *graph = atl_graph_new();
        wanted_rank = row[i].rank;
        cr_assert_null(atl_apply(row[i].op, atl_input(graph, "in", ATL_FLOAT32, ATL_SCALAR)));
        cr_assert_mentions(atl_graph_error(graph), row[i].says);
        atl_graph_free(graph);
    }
}

static const struct {
    atl_shape a, b, result;
    int fits;
} broadcasts[] = {
    {{2, {2, 3}}, {2, {2, 3}}, {2, {2, 3}}, 1},
    {{2, {2, 3}}, {1, {3}}, {2, {2, 3}}, 1},
    {{0, {0}}, {2, {2, 3}}, {2, {2, 3}}, 1},
    {{3, {2, 1, 3}}, {2, {4, 1}}, {3, {2, 4, 3}}, 1},
    {{2, {ATL_ANY, 3}}, {1, {3}}, {2, {ATL_ANY, 3}}, 1},
    {{2, {ATL_ANY, 3}}, {2, {1, 3}}, {2, {ATL_ANY, 3}}, 1},
    {{2, {ATL_ANY, 3}}, {2, {7, 1}}, {2, {7, 3}}, 1},
    {{2, {ATL_ANY, 3}}, {2, {ATL_ANY, 3}}, {2, {ATL_ANY, 3}}, 1},
    {{1, {0}}, {1, {1}}, {1, {0}}, 1},
    {{1, {0}}, {1, {2}}, {0, {0}}, 0},
    {{1, {3}}, {1, {4}}, {0, {0}}, 0},
    {{2, {3, 2}}, {2, {2, 3}}, {0, {0}}, 0},
};

Test(op, broadcasting)
{
    for (size_t i = 0; i < sizeof broadcasts / sizeof *broadcasts; i++)
        for (int swapped = 0; swapped < 2; swapped++) {
            atl_shape result, a = broadcasts[i].a, b = broadcasts[i].b;
            int fits = atl_broadcast_shapes(swapped ? b : a, swapped ? a : b, &result);
            cr_expect_eq(fits, broadcasts[i].fits, "row %zu", i);
            if (fits)
                cr_expect(atl_shape_equal(result, broadcasts[i].result), "row %zu", i);
        }
}

Test(op, attributes_are_copied)
{
    static const atl_op keeps = {
        .name = "keeps", .arity = 1, .attributes = sizeof(int), .infer = infer_same, .kernel = compute_nothing};
    int number = 5;
    atl_node *y = atl_apply_with(&keeps, &number, 1, &x), *z = atl_apply_with(&keeps, NULL, 1, &x);
    number = 6;
    cr_assert_eq(*(const int *)atl_attributes_of(y), 5);
    cr_assert_eq(*(const int *)atl_attributes_of(z), 0);
    cr_assert_null(atl_attributes_of(NULL));
}
