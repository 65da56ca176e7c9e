/* Applying ops: checked descriptors, shape inference, errors with their scope. */
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
static bool infer_nothing(atl_node *y) { return (void)y, 0; }
static bool infer_same(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, atl_shape_of(atl_input_of(y, 0))); }
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

#define LONG_NAME "an_op_whose_name_has_more_than_sixty_four_characters_is_taken_for_garbage"

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
    {{.name = "a b", .arity = 1, .function = halve}, "printable"},
    {{.name = "a/b", .arity = 1, .function = halve}, "printable"},
    {{.name = "\x7f", .arity = 1, .function = halve}, "printable"},
    {{.name = LONG_NAME, .arity = 1, .function = halve}, "64 printable"},
    {{.name = "o", .arity = 9, .element = first_of}, "at most 8 inputs"},
    {{.name = "o", .arity = 1, .function = halve, .flags = 1 << 20}, "no atl_op_flags"},
    {{.name = "o", .arity = 1, .function = halve, .flags = ATL_OP_VARIABLE}, "sources"},
    {{.name = "o", .arity = 1, .function = halve, .flags = ATL_OP_SUM}, "arity 2"},
    {{.name = "o", .arity = 1, .infer = infer_same, .kernel = compute_nothing, .flags = ATL_OP_RELU}, "ATL_OP_RELU"},
    {{.name = "o", .arity = 1, .function = halve, .flags = ATL_OP_ASSIGN}, "ATL_OP_ASSIGN"},
    {{.name = "o", .arity = 1, .function = halve, .shape_inputs = 2}, "beyond the arity"},
    {{.name = "o", .arity = 1, .function = halve, .gradient = {rule, rule}}, "beyond the arity"},
};

Test(op, corrupt_descriptors_are_refused)
{
    cr_assert_null(atl_apply((const atl_op *)NULL, x));
    cr_assert_mentions(atl_graph_error(g), "null");
    for (size_t i = 0; i < sizeof corrupt / sizeof *corrupt; i++) {
        atl_graph *graph = atl_graph_new();
        atl_node *in = atl_input(graph, "in", ATL_FLOAT32, ATL_SCALAR), *both[] = {in, in};
        cr_assert_null(atl_apply_with(&corrupt[i].op, NULL, (atl_nodes){corrupt[i].op.arity == 2 ? 2 : 1, both}));
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
static bool infer_rank(atl_node *y)
{
    atl_shape shape = {.rank = (int)wanted_rank};
    for (int i = 0; i < ATL_MAX_RANK; i++)
        shape.size[i] = 1ll << 20;
    return atl_set_type(y, ATL_FLOAT32, shape);
}
static bool infer_negative(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, ATL_SHAPE(3, -2)); }
static bool infer_double(atl_node *y) { return atl_set_type(y, ATL_FLOAT64, ATL_SCALAR); }

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

Test(op, neighbours_of_one_shape_share_it)
{
    atl_node *y = atl_neg(x), *z = atl_add(y, atl_sum(y)), *s = atl_sum(z), *scaled = atl_scale(s, 2);
    cr_assert(y->shape == x->shape && z->shape == x->shape);
    cr_assert(s->shape != x->shape && s->shape->rank == 0 && scaled->shape == s->shape);
    cr_assert(sizeof(atl_node) <= 88, "%zu bytes: a graph may have millions of nodes", sizeof(atl_node));
}

Test(op, attributes_are_copied)
{
    static const atl_op keeps = {
        .name = "keeps", .arity = 1, .attributes = sizeof(int), .infer = infer_same, .kernel = compute_nothing};
    int number = 5;
    atl_node *y = atl_apply_with(&keeps, &number, ATL_NODES(x)), *z = atl_apply_with(&keeps, NULL, ATL_NODES(x));
    number = 6;
    cr_assert_eq(*(const int *)atl_attributes_of(y), 5);
    cr_assert_eq(*(const int *)atl_attributes_of(z), 0);
    cr_assert_null(atl_attributes_of(NULL));
}

/* ---- infer functions that lie ------------------------------------------------------------------------------------ */

static bool infer_untyped(atl_node *y) { return (void)y, 1; }
static bool infer_goes_on(atl_node *y)
{
    atl_fail(y, "this cannot be");
    return atl_set_type(y, ATL_FLOAT32, ATL_SCALAR);
}
static bool infer_wider(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, ATL_SHAPE(2, 4)); }
static bool infer_ints(atl_node *y) { return atl_set_type(y, ATL_INT32, ATL_SHAPE(2, 3)); }
static int calls;
static bool infer_differently(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, ATL_SHAPE(2 + calls++, 3)); }
static bool infer_never_known(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3)); }

static const atl_op untyped = {.name = "untyped", .arity = 1, .infer = infer_untyped, .kernel = compute_nothing},
                    goes_on = {.name = "goes_on", .arity = 1, .infer = infer_goes_on, .kernel = compute_nothing},
                    wide_map = {.name = "wide_map", .arity = 1, .infer = infer_wider, .function = halve},
                    int_map = {.name = "int_map", .arity = 1, .infer = infer_ints, .function = halve},
                    wide_alias = {.name = "wide_alias", .arity = 1, .infer = infer_wider, .flags = ATL_OP_ALIAS},
                    no_variable = {.name = "no_variable",
                                   .arity = 2,
                                   .infer = infer_same,
                                   .kernel = compute_nothing,
                                   .flags = ATL_OP_ASSIGN},
                    differs = {.name = "differs", .arity = 1, .infer = infer_differently, .kernel = compute_nothing},
                    vague = {.name = "vague", .arity = 1, .infer = infer_never_known, .kernel = compute_nothing};

Test(op, an_infer_that_lies_is_named_when_the_node_is_built)
{
    const struct {
        const atl_op *op;
        const char *says;
    } row[] = {{&untyped, "without atl_set_type"},
               {&goes_on, "this cannot be"},
               {&wide_map, "[2, 4], but an element-wise op of these inputs gives float32 [2, 3]"},
               {&int_map, "int32 [2, 3], but"},
               {&wide_alias, "the memory of its first input, float32 [2, 3]"},
               {&no_variable, "must be a variable"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        atl_graph *graph = atl_graph_new();
        atl_node *in = atl_input(graph, "in", ATL_FLOAT32, ATL_SHAPE(2, 3)), *both[] = {in, in};
        cr_expect_null(atl_apply_with(row[i].op, NULL, (atl_nodes){row[i].op->arity, both}), "%s", row[i].op->name);
        cr_assert_mentions(atl_graph_error(graph), row[i].op->name);
        cr_assert_mentions(atl_graph_error(graph), row[i].says);
        cr_expect_null(atl_compile(graph, ATL_NODES(in)));
        atl_graph_free(graph);
    }
}

Test(op, an_infer_that_changes_its_mind_is_named_when_the_program_is_made)
{
    atl_node *y = atl_apply(&differs, x), *z = atl_apply(&vague, x);
    cr_assert_null(atl_compile(g, ATL_NODES(y)));
    cr_assert_mentions(atl_error(), "differs: its infer function contradicts itself: float32 [2, 3] when");
    cr_assert_null(atl_compile(g, ATL_NODES(z)));
    cr_assert_mentions(atl_error(), "vague: its infer function");
}

/* ---- corrupted at random ----------------------------------------------------------------------------------------- */

static void copy_first(const atl_node *y, const void *const *in, void *result)
{
    for (int64_t k = 0; k < atl_shape_count(atl_shape_of(y)); k++)
        ((float *)result)[k] = ((const float *)in[0])[k];
}
static void describe_briefly(const atl_node *y, char *text, size_t size) { (void)y, snprintf(text, size, "brief"); }

/* A good descriptor, of which some fields have been overwritten. */
static atl_op corrupted_op(void)
{
    static const char *const names[] = {NULL, "", "fine", "a b", "a/b", LONG_NAME, "\n", "\xff\xfe", "%s%n"};
    atl_op op = {.name = "fine", .arity = 1, .gradient = {rule}, .describe = describe_briefly};
    if (random_below(2))
        op.function = halve;
    else
        op.infer = infer_same, op.kernel = copy_first;
    for (uint64_t changes = random_below(4); changes > 0; changes--) {
        uint64_t bits = random_below(1ull << 32);
        switch (random_below(12)) {
        case 0:
            op.name = names[bits % (sizeof names / sizeof *names)];
            break;
        case 1:
            op.arity = (int)(bits % 100) - 20;
            break;
        case 2:
            op.arity = (int)(uint32_t)bits;
            break;
        case 3:
            op.attributes = (size_t)bits << random_below(32);
            break;
        case 4:
            op.flags = 1u << bits % 32;
            break;
        case 5:
            op.flags = (unsigned)bits;
            break;
        case 6:
            op.shape_inputs = 1u << bits % 32;
            break;
        case 7:
            op.shape_inputs = (unsigned)bits;
            break;
        case 8:
            op.infer = bits % 3 ? (bits % 2 ? infer_untyped : infer_wider) : NULL;
            break;
        case 9:
            op.gradient[bits % ATL_MAX_RULES] = rule;
            break;
        case 10:
            op.gradient_of = rule_of;
            break;
        default:
            op.kernel = NULL, op.function = NULL, op.element = bits % 2 ? first_of : NULL;
            break;
        }
    }
    return op;
}

/* Every descriptor is rejected with a message, or can be built, differentiated, drawn, compiled and run without
 * harm. */
Test(op, randomly_corrupted_descriptors)
{
    enum { MANY = 4000, MOST = 70 };
    int refused = 0, used = 0;
    for (int i = 0; i < MANY; i++) {
        const atl_op op = corrupted_op();
        atl_graph *graph = atl_graph_new();
        atl_node *in = atl_input(graph, "in", ATL_FLOAT32, ATL_SHAPE(2, 3)), *inputs[MOST];
        for (int k = 0; k < MOST; k++)
            inputs[k] = in;
        int count = op.arity < 1 || op.arity > MOST ? 1 : op.arity;
        atl_node *y = atl_apply_with(&op, NULL, (atl_nodes){count, inputs});
        cr_assert_eq(y == NULL, atl_graph_error(graph)[0] != 0, "descriptor %d (seed %llu)", i,
                     (unsigned long long)test_seed());
        if (!y)
            refused++;
        else {
            atl_node *dx = NULL, *wanted[2] = {y};
            atl_tensor *value = random_tensor(ATL_SHAPE(2, 3), -1, 1);
            atl_gradients(ATL_NODES(y), ATL_NODES(in), &dx, .unused = ATL_UNUSED_ZEROS);
            wanted[1] = dx;
            atl_program *program = atl_compile(graph, {dx ? 2 : 1, wanted}, .check = 1);
            atl_status status = program ? atl_run(program, ATL_FEED(in, value)) : ATL_INVALID;
            used += !status;
            cr_expect(!status || atl_error()[0], "descriptor %d fails without a message", i);
            atl_program_free(program);
            atl_tensor_free(value);
        }
        atl_graph_free(graph);
    }
    fprintf(stderr, "%d refused, %d used\n", refused, used);
    cr_assert(refused > MANY / 4 && used > MANY / 8, "%d refused, %d used", refused, used);
}

Test(op, more_nodes_than_the_compiler_can_count_are_refused)
{
    int64_t count = g->count;
    g->count = INT32_MAX;
    cr_expect_null(atl_neg(x));
    cr_expect_eq(g->broken, ATL_INVALID);
    cr_expect(strstr(atl_error(), "neg: a graph cannot have more than 2147483647 nodes"), "%s", atl_error());
    g->count = count;
}

/* A size of 0 makes the product of all sizes 0, but strides are products of the others. */
Test(op, sizes_beside_a_0_must_not_overflow)
{
    cr_assert_null(atl_input(g, "nothing", ATL_FLOAT32, ATL_SHAPE(0, (int64_t)1 << 50, (int64_t)1 << 50)));
    cr_assert_mentions(atl_graph_error(g), "2^60");
}
