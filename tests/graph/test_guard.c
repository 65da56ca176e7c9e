/* Ops that write outside their result, or not all of it, are found and named: by programs with .check, and by the
 * reference. */
#include "support.h"

#include "graph/guard.h"

static atl_graph *g;
static atl_node *x;
static atl_tensor *value;
static void open_graph(void)
{
    g = atl_graph_new();
    x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 5));
    value = random_tensor(ATL_SHAPE(2, 5), 0.5f, 1);
}
static void close_graph(void)
{
    atl_tensor_free(value);
    atl_graph_free(g);
}
TestSuite(guard, .init = open_graph, .fini = close_graph);

static bool infer_same(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, atl_shape_of(atl_input_of(y, 0))); }
static bool infer_row_less(atl_node *y)
{
    atl_shape shape = atl_shape_of(atl_input_of(y, 0));
    shape.size[0]--;
    return atl_set_type(y, ATL_FLOAT32, shape);
}
static bool infer_row_more(atl_node *y)
{
    atl_shape shape = atl_shape_of(atl_input_of(y, 0));
    shape.size[0]++;
    return atl_set_type(y, ATL_FLOAT32, shape);
}

static int64_t elements(const atl_node *y) { return atl_shape_count(atl_shape_of(atl_input_of(y, 0))); }
static void negate(const atl_node *y, const void *const *in, void *result)
{
    for (int64_t k = 0; k < elements(y); k++)
        ((float *)result)[k] = -((const float *)in[0])[k];
}
static void negate_one_too_many(const atl_node *y, const void *const *in, void *result)
{
    negate(y, in, result);
    ((float *)result)[elements(y)] = 1;
}
static void negate_one_too_early(const atl_node *y, const void *const *in, void *result)
{
    negate(y, in, result);
    ((float *)result)[-1] = 1;
}
static void negate_in_place(const atl_node *y, const void *const *in, void *result)
{
    negate(y, in, result);
    ((float *)in[0])[0] = 7; /* NOLINT: that is the mistake */
}
static void negate_doubles(const atl_node *y, const double *const *in, double *result)
{
    for (int64_t k = 0; k < elements(y); k++)
        result[k] = -in[0][k];
}
static void map_one_too_many(const void *attributes, size_t n, const float *const *in, float *y)
{
    (void)attributes;
    for (size_t k = 0; k <= n; k++)
        y[k] = k < n ? -in[0][k] : 0;
}
static void map_one_too_few(const void *attributes, size_t n, const float *const *in, float *y)
{
    (void)attributes;
    for (size_t k = 1; k < n; k++)
        y[k] = -in[0][k];
}
static double minus(double v) { return -v; }

static const atl_op
    good = {.name = "good", .arity = 1, .infer = infer_same, .kernel = negate},
    behind = {.name = "behind", .arity = 1, .infer = infer_same, .kernel = negate_one_too_many},
    early = {.name = "early", .arity = 1, .infer = infer_same, .kernel = negate_one_too_early},
    greedy = {.name = "greedy", .arity = 1, .infer = infer_same, .kernel = negate_in_place},
    says_less = {.name = "says_less", .arity = 1, .infer = infer_row_less, .kernel = negate},
    says_more = {.name = "says_more", .arity = 1, .infer = infer_row_more, .kernel = negate},
    less_doubles = {.name = "less_doubles", .arity = 1, .infer = infer_row_less, .reference = negate_doubles},
    more_doubles = {.name = "more_doubles", .arity = 1, .infer = infer_row_more, .reference = negate_doubles},
    long_map = {.name = "long_map", .arity = 1, .map = map_one_too_many, .function = minus},
    short_map = {.name = "short_map", .arity = 1, .map = map_one_too_few, .function = minus};

static const struct {
    const atl_op *op;
    const char *says;
    int reference_too; /* or else its oracle is right */
} faulty[] = {
    {&behind, "writes 4 bytes behind its result", 1}, {&early, "writes 4 bytes before its result", 1},
    {&greedy, "changes one of its inputs", 0},        {&says_less, "writes 20 bytes behind its result", 1},
    {&says_more, "leaves 20 of the 60 bytes", 1},     {&less_doubles, "writes 40 bytes behind its result", 1},
    {&more_doubles, "leaves 40 of the 120 bytes", 1}, {&long_map, "outside its n results", 0},
    {&short_map, "leaves some unwritten", 0},
};

Test(guard, a_program_that_checks_names_the_op)
{
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        atl_node *y = atl_named(atl_apply(faulty[i].op, atl_add_scalar(x, 1)), "mine_%d", (int)i);
        atl_node *wanted = atl_tanh(y); /* fused, if it is element-wise */
        atl_program *program = atl_compile(g, ATL_NODES(wanted), .check = 1);
        cr_assert(program, "%s", atl_graph_error(g));
        cr_expect_eq(atl_run(program, ATL_FEED(x, value)), ATL_INVALID, "%s", faulty[i].op->name);
        cr_expect(strstr(atl_error(), faulty[i].op->name) && strstr(atl_error(), faulty[i].says), "%s: \"%s\"",
                  faulty[i].op->name, atl_error());
        if (!atl_is_elementwise(faulty[i].op))
            cr_assert_mentions(atl_error(), atl_name_of(y));
        atl_program_free(program);
    }
}
/* Also in prepacked values, at the first and at later evaluations. */
Test(guard, a_refresh_names_the_op)
{
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        atl_node *v = atl_variable(g, ATL_NAME("v%d", (int)i), ATL_SHAPE(2, 5), atl_uniform(0.5f, 1));
        atl_node *y = atl_sum(atl_apply(faulty[i].op, v));
        atl_program *program = atl_compile(g, ATL_NODES(atl_add(x, y)), .check = 1);
        cr_assert(program, "%s", atl_graph_error(g));
        for (int turn = 0; turn < 2; turn++) {
            cr_expect_eq(atl_run(program, ATL_FEED(x, value)), ATL_INVALID, "%s", faulty[i].op->name);
            cr_expect(strstr(atl_error(), faulty[i].op->name) && strstr(atl_error(), faulty[i].says), "%s: \"%s\"",
                      faulty[i].op->name, atl_error());
            cr_assert_eq(atl_variable_assign(v, value), ATL_OK);
        }
        atl_program_free(program);
    }
}
Test(guard, the_reference_names_the_op)
{
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        if (!faulty[i].reference_too)
            continue;
        atl_node *y = atl_apply(faulty[i].op, x);
        cr_expect_null(atl_reference_run(ATL_NODES(y), ATL_FEED(x, value)), "%s", faulty[i].op->name);
        cr_expect(strstr(atl_error(), faulty[i].op->name) && strstr(atl_error(), faulty[i].says), "%s: \"%s\"",
                  faulty[i].op->name, atl_error());
    }
}
Test(guard, a_good_op_passes)
{
    atl_node *y = atl_tanh(atl_apply(&good, atl_add_scalar(x, 1)));
    atl_program *checked = atl_compile(g, ATL_NODES(y), .check = 1), *plain = atl_compile(g, ATL_NODES(y), .check = -1);
    cr_assert_eq(atl_run(checked, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_run(plain, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    cr_assert_eq(largest_difference(atl_value(checked, y), atl_value(plain, y)), 0);
    atl_program_free(checked);
    atl_program_free(plain);
}
/* Every four bytes are a valid int32: a result may equal the pattern that marks unwritten memory. */
static bool infer_same_ints(atl_node *y) { return atl_set_type(y, ATL_INT32, atl_shape_of(atl_input_of(y, 0))); }
static void copy_ints(const atl_node *y, const void *const *in, void *result)
{
    memcpy(result, in[0], (size_t)elements(y) * 4);
}
static void copy_all_but_one(const atl_node *y, const void *const *in, void *result)
{
    memcpy(result, in[0], (size_t)elements(y) * 4 - 4);
}
static const atl_op int_copy = {.name = "int_copy", .arity = 1, .infer = infer_same_ints, .kernel = copy_ints},
                    short_copy = {.name = "short_copy",
                                  .arity = 1,
                                  .infer = infer_same_ints,
                                  .kernel = copy_all_but_one};
Test(guard, marks_are_legal_results)
{
    const uint32_t marks[] = {0xffe1a7edu, 0xffa7e1deu, 1, 0xffe1a7edu, 0xffa7e1deu};
    int32_t bits[5];
    memcpy(bits, marks, sizeof bits);
    atl_node *n = atl_input(g, "n", ATL_INT32, ATL_SHAPE(5));
    atl_tensor *fed = atl_tensor_of_ints(ATL_SHAPE(5), bits);
    atl_node *copy = atl_apply(&int_copy, n), *reversed = atl_reverse(n, 0), *fewer = atl_apply(&short_copy, n);
    atl_program *program = atl_compile(g, ATL_NODES(copy, reversed), .check = 1);
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(atl_run(program, ATL_FEED(n, fed)), ATL_OK, "%s", atl_error());
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(atl_ints(atl_value(program, copy))[i], bits[i]);
        cr_expect_eq(atl_ints(atl_value(program, reversed))[i], bits[4 - i]);
    }
    atl_program_free(program);
    atl_reference *reference = atl_reference_run(ATL_NODES(copy), ATL_FEED(n, fed));
    cr_expect(reference, "%s", atl_error());
    atl_reference_free(reference);
    program = atl_compile(g, ATL_NODES(fewer), .check = 1);
    cr_expect_eq(atl_run(program, ATL_FEED(n, fed)), ATL_INVALID);
    cr_assert_mentions(atl_error(), "leaves 4 of the 20 bytes");
    atl_program_free(program);
    atl_tensor_free(fed);
}
/* A checked step needs a second buffer between the guards. */
Test(guard, zero_is_as_the_library_was_built)
{
    int64_t bytes[3];
    atl_node *y = atl_apply(&good, x);
    for (int check = -1; check <= 1; check++) {
        atl_program *program = atl_compile(g, ATL_NODES(y), .check = check);
        cr_assert(program, "%s", atl_graph_error(g));
        cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
        bytes[check + 1] = atl_program_arena_bytes(program);
        atl_program_free(program);
    }
    cr_assert_lt(bytes[0], bytes[2]);
    cr_assert_eq(bytes[1], bytes[ATL_CHECKED_BUILD ? 2 : 0]);
}
