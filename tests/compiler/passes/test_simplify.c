/* Algebraic simplification: fewer steps, the same result.  test_algebra.c tests the equations between element-wise
 * ops. */
#include "passes.h"

Test(simplify, drops_neutral_factors) { assert_pass_shortens(ATL_PASS_SIMPLIFY); }

/* ---- movements and sums, of x [4, 6] and z [3, 4, 5] ------------------------------------------------------------- */

typedef struct movement {
    const char *about;
    atl_node *(*build)(atl_node *x, atl_node *z);
    int64_t steps; /* at most */
    int as_many;   /* as before, but of less */
} movement;

#define MADE(name, of)                                                                                                 \
    static atl_node *name(atl_node *x, atl_node *z)                                                                    \
    {                                                                                                                  \
        (void)x, (void)z;                                                                                              \
        return (of);                                                                                                   \
    }
#define TURNED(t, ...) atl_transpose(t, .order = {__VA_ARGS__})

MADE(twice_transposed, atl_square(atl_transpose(atl_transpose(x))))
MADE(three_turns, atl_square(TURNED(TURNED(TURNED(z, 1, 2, 0), 1, 2, 0), 1, 2, 0)))
MADE(two_turns, TURNED(TURNED(z, 1, 2, 0), 0, 2, 1))
MADE(reshaped_there_and_back, atl_square(atl_reshape(atl_reshape(x, ATL_SHAPE(24)), ATL_SHAPE(4, 6))))
MADE(repeated_twice, atl_broadcast_to(atl_broadcast_to(atl_slice(x, .end = {1}), ATL_SHAPE(4, 6)), ATL_SHAPE(2, 4, 6)))
MADE(sum_of_repeated, atl_reduce_sum(atl_broadcast_to(x, ATL_SHAPE(5, 4, 6)), ATL_AXES(0)))
MADE(sum_to_of_repeated, atl_sum_to(atl_broadcast_to(x, ATL_SHAPE(7, 4, 6)), x))
MADE(mean_of_repeated, atl_reduce_mean(atl_broadcast_to(x, ATL_SHAPE(5, 4, 6)), ATL_AXES(0)))
MADE(mean_of_partly_repeated,
     atl_reduce_mean(atl_broadcast_to(atl_slice(x, .end = {1}), ATL_SHAPE(4, 6)), ATL_AXES(0, 1)))
MADE(largest_of_repeated, atl_reduce_max(atl_broadcast_to(x, ATL_SHAPE(5, 4, 6)), ATL_AXES(0), .keep = 1))
MADE(sum_over_ones, atl_square(atl_reduce_sum(atl_reshape(x, ATL_SHAPE(4, 1, 6)), ATL_AXES(1))))
MADE(sum_of_sum, atl_reduce_sum(atl_reduce_sum(z, ATL_AXES(1)), ATL_AXES(1)))
MADE(sum_of_kept_sum, atl_reduce_sum(atl_reduce_sum(z, ATL_AXES(2), .keep = 1), ATL_AXES(0)))
MADE(mean_of_mean, atl_reduce_mean(atl_reduce_mean(z, ATL_AXES(0, 2))))
MADE(least_of_least, atl_reduce_min(atl_reduce_min(z, ATL_AXES(1), .keep = 1), ATL_AXES(0, 2)))
MADE(sum_to_twice, atl_sum_to(atl_sum_to(z, atl_slice(z, .end = {1})), atl_slice(z, .end = {1, 1})))
MADE(sum_of_transposed, atl_reduce_sum(atl_transpose(x), ATL_AXES(0)))
MADE(sum_of_turned, atl_reduce_sum(TURNED(z, 1, 2, 0), ATL_AXES(2)))
MADE(sum_that_stays_turned, atl_reduce_sum(TURNED(z, 2, 1, 0), ATL_AXES(1), .keep = 1))
MADE(largest_of_turned, atl_reduce_max(TURNED(z, 2, 0, 1)))
MADE(sum_of_reshaped, atl_reduce_sum(atl_reshape(atl_transpose(x), ATL_SHAPE(3, 8))))
MADE(slice_of_slice, atl_slice(atl_slice(z, .begin = {1, 0, 1}, .stride = {1, 1, 2}), .begin = {0, -3}, .end = {0, -1},
                               .stride = {1, 2}))
MADE(slice_of_all, atl_square(atl_slice(x, .end = {4, 6})))
MADE(slice_of_one_part, atl_slice(atl_concat(1, x, atl_square(x), x), .begin = {1, 13}, .stride = {2, 2}))
MADE(slice_of_a_whole_part, atl_slice(atl_concat(0, atl_abs(x), x), .begin = {4}))
MADE(slice_of_padded,
     atl_slice(atl_pad(x, .before = {1, 2}, .after = {3, 1}, .value = 5), .begin = {2, 3}, .end = {5, 7}))
MADE(slice_of_repeated,
     atl_slice(atl_broadcast_to(atl_reshape(x, ATL_SHAPE(4, 1, 6)), ATL_SHAPE(4, 3, 6)), .begin = {1, 1, 2}))
MADE(concat_of_one, atl_square(atl_concat(0, x)))
MADE(concat_of_concat, atl_concat(0, x, atl_concat(0, x, atl_concat(0, x, x))))
MADE(cut_and_joined, atl_square(atl_concat(1, atl_slice(x, .end = {0, 2}), atl_slice(x, .begin = {0, 2}, .end = {0, 3}),
                                           atl_slice(x, .begin = {0, 3}))))
MADE(half_joined, atl_concat(0, x, atl_slice(x, .end = {2}), atl_slice(x, .begin = {2})))
MADE(padded_by_nothing, atl_square(atl_pad(x)))
MADE(padded_twice, atl_pad(atl_pad(x, .before = {1}, .after = {0, 2}), .before = {1, 1}))
MADE(reversed_twice, atl_square(atl_reverse(atl_reverse(x, 0, 1), 1, 0)))
MADE(reversed_otherwise, atl_reverse(atl_reverse(x, 0, 1), 1))
MADE(reversed_one, atl_square(atl_reverse(atl_slice(x, .end = {1}), 0)))
MADE(cast_to_itself, atl_square(atl_cast(x, ATL_FLOAT32)))
MADE(cast_twice, atl_cast(atl_cast(x, ATL_INT32), ATL_INT32))
MADE(clipped_twice, atl_clip(atl_clip(x, -0.5f, 2), -1, 0.75f))
MADE(relu_clipped, atl_relu6(atl_relu(x)))

static const movement movements[] = {{"transpose of transpose", twice_transposed, 1},
                                     {"three turns are none", three_turns, 1},
                                     {"two turns are one", two_turns, 1},
                                     {"reshape of reshape", reshaped_there_and_back, 1, 1},
                                     {"broadcast of broadcast", repeated_twice, 2},
                                     {"sum of broadcast", sum_of_repeated, 1},
                                     {"sum_to of broadcast", sum_to_of_repeated, 1},
                                     {"mean of broadcast", mean_of_repeated, 0},
                                     {"mean of broadcast, one axis repeated", mean_of_partly_repeated, 2},
                                     {"max of broadcast", largest_of_repeated, 0},
                                     {"sum over dimensions of 1", sum_over_ones, 1},
                                     {"sum of sum", sum_of_sum, 1},
                                     {"sum of kept sum", sum_of_kept_sum, 1},
                                     {"mean of mean", mean_of_mean, 1},
                                     {"min of min", least_of_least, 1},
                                     {"sum_to of sum_to", sum_to_twice, 1},
                                     {"sum of transpose", sum_of_transposed, 1},
                                     {"sum of a turn", sum_of_turned, 1},
                                     {"sum of a turn, what is left is turned", sum_that_stays_turned, 2, 1},
                                     {"max of a turn", largest_of_turned, 1},
                                     {"sum of reshape of transpose", sum_of_reshaped, 1},
                                     {"slice of slice", slice_of_slice, 1},
                                     {"slice of all", slice_of_all, 1},
                                     {"slice of a part of a concat", slice_of_one_part, 1},
                                     {"slice that is a part of a concat", slice_of_a_whole_part, 0},
                                     {"slice of pad", slice_of_padded, 1},
                                     {"slice of broadcast", slice_of_repeated, 2, 1},
                                     {"concat of one", concat_of_one, 1},
                                     {"concat of concat", concat_of_concat, 1},
                                     {"concat of slices, all", cut_and_joined, 1},
                                     {"concat of slices, some", half_joined, 1},
                                     {"pad by nothing", padded_by_nothing, 1},
                                     {"pad of pad", padded_twice, 1},
                                     {"reverse of reverse", reversed_twice, 1},
                                     {"reverse of another reverse", reversed_otherwise, 1},
                                     {"reverse of one", reversed_one, 2},
                                     {"cast to its own type", cast_to_itself, 1},
                                     {"cast of cast", cast_twice, 1},
                                     {"clip of clip", clipped_twice, 1},
                                     {"relu6 of relu", relu_clipped, 1}};

/* A graph of x and z, without fusion, which would count several steps as one: like the reference, and with fewer
 * steps than without the pass. */
static void assert_movement(const movement *m, const atl_tensor *x_value, const atl_tensor *z_value)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 6)),
             *z = atl_input(g, "z", ATL_FLOAT32, ATL_SHAPE(3, 4, 5));
    atl_node *y = m->build(x, z);
    cr_assert(y, "%s: %s", m->about, atl_graph_error(g));
    const atl_feed *feeds = ATL_FEEDS({x, x_value}, {z, z_value});
    atl_program *with = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_FUSE);
    atl_reference *oracle = atl_reference_run(ATL_NODES(y), feeds);
    cr_assert(with && oracle, "%s: %s %s", m->about, atl_graph_error(g), atl_error());
    cr_assert_eq(atl_run(with, feeds), ATL_OK, "%s", atl_error());
    cr_expect_leq(relative_l2(atl_value(with, y), atl_reference_value(oracle, y)), 1e-6, "%s", m->about);
    cr_expect_leq(count_steps(with).always, m->steps, "%s: %lld steps", m->about, (long long)count_steps(with).always);
    cr_expect_geq(steps_saved(ATL_PASS_SIMPLIFY, ATL_PASS_FUSE, ATL_NODES(y), feeds, 1e-6), !m->as_many, "%s",
                  m->about);
    atl_program_free(with);
    atl_reference_free(oracle);
    atl_graph_free(g);
}

Test(simplify, movements_and_sums_become_fewer)
{
    atl_tensor *x = random_tensor(ATL_SHAPE(4, 6), -2, 2), *z = random_tensor(ATL_SHAPE(3, 4, 5), -2, 2);
    for (size_t i = 0; i < sizeof movements / sizeof *movements; i++)
        assert_movement(&movements[i], x, z);
    atl_tensor_free(x);
    atl_tensor_free(z);
}

/* Cases that look similar but must not be simplified: as many steps as before, and the right values. */
MADE(slice_across_parts, atl_slice(atl_concat(1, x, x), .begin = {0, 4}, .end = {0, 8}))
MADE(slice_with_padding, atl_slice(atl_pad(x, .before = {1}), .end = {3}))
MADE(pad_of_other_values, atl_pad(atl_pad(x, .before = {1}, .value = 1), .before = {1}, .value = 2))
MADE(slices_in_wrong_order, atl_concat(1, atl_slice(x, .begin = {0, 3}), atl_slice(x, .end = {0, 3})))
MADE(slices_apart, atl_concat(1, atl_slice(x, .end = {0, 2}), atl_slice(x, .begin = {0, 3})))
MADE(slices_of_other_rows, atl_concat(1, atl_slice(x, .end = {2, 2}), atl_slice(x, .begin = {2, 2})))
MADE(concat_on_other_axes, atl_concat(0, x, atl_concat(1, atl_slice(x, .end = {0, 3}), atl_slice(x, .end = {0, 3}))))
MADE(sum_of_mean, atl_reduce_sum(atl_reduce_mean(z, ATL_AXES(1)), ATL_AXES(1)))
MADE(disjoint_clips, atl_clip(atl_clip(x, 1, 2), -1, 0.5f))
MADE(concat_read_twice, atl_concat(0, atl_concat(0, x, x), atl_square(atl_concat(0, x, x))))

Test(simplify, what_only_looks_alike_stays)
{
    static const movement cases[] = {{"slice across parts", slice_across_parts, 2},
                                     {"slice with padding", slice_with_padding, 2},
                                     {"pad of pad by another value", pad_of_other_values, 2},
                                     {"slices in the wrong order", slices_in_wrong_order, 3},
                                     {"slices apart", slices_apart, 3},
                                     {"slices of other rows", slices_of_other_rows, 3},
                                     {"concat along another axis", concat_on_other_axes, 3},
                                     {"sum of mean", sum_of_mean, 2},
                                     {"clips that have nothing in common", disjoint_clips, 2},
                                     {"concat that is read twice", concat_read_twice, 3}};
    atl_tensor *x_value = random_tensor(ATL_SHAPE(4, 6), -2, 2), *z_value = random_tensor(ATL_SHAPE(3, 4, 5), -2, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 6)),
                 *z = atl_input(g, "z", ATL_FLOAT32, ATL_SHAPE(3, 4, 5)), *y = cases[i].build(x, z);
        atl_program *p = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_FUSE);
        cr_assert(p, "%s: %s", cases[i].about, atl_graph_error(g));
        cr_expect_eq(steps_saved(ATL_PASS_SIMPLIFY, ATL_PASS_FUSE, ATL_NODES(y), ATL_FEEDS({x, x_value}, {z, z_value}),
                                 0),
                     0, "%s", cases[i].about);
        cr_expect_eq(count_steps(p).always, cases[i].steps, "%s: %lld", cases[i].about,
                     (long long)count_steps(p).always);
        atl_program_free(p);
        atl_graph_free(g);
    }
    atl_tensor_free(x_value);
    atl_tensor_free(z_value);
}

/* ---- transposes and matrix products ------------------------------------------------------------------------------ */

enum { TRANSPOSE_A = 1, TRANSPOSE_B = 2, A_TURNED = 4, B_TURNED = 8, PRODUCT_TURNED = 16, EVERY_ALGO = 32 };

static atl_node *swapped(atl_node *x)
{
    return atl_shape_of(x).rank == 2 ? atl_transpose(x, .order = {1, 0}) : atl_transpose(x, .order = {0, 2, 1});
}

/* An input whose matrix in the product is [rows, columns]; batch 0: none. */
static atl_node *factor(atl_graph *g, const char *name, int64_t batch, int64_t rows, int64_t columns, int is_swapped)
{
    int64_t m = is_swapped ? columns : rows, n = is_swapped ? rows : columns;
    return atl_input(g, name, ATL_FLOAT32, batch ? ATL_SHAPE(batch, m, n) : ATL_SHAPE(m, n));
}

static void check_product(unsigned way, int64_t batch_a, int64_t batch_b, int64_t m, int64_t n, int64_t k)
{
    atl_graph *g = atl_graph_new();
    int a_swapped = !(way & TRANSPOSE_A) != !(way & A_TURNED), b_swapped = !(way & TRANSPOSE_B) != !(way & B_TURNED);
    atl_node *a = factor(g, "a", batch_a, m, k, a_swapped), *b = factor(g, "b", batch_b, k, n, b_swapped);
    atl_node *y = atl_matmul(way & A_TURNED ? swapped(a) : a, way & B_TURNED ? swapped(b) : b,
                             .transpose_a = (way & TRANSPOSE_A) != 0, .transpose_b = (way & TRANSPOSE_B) != 0);
    y = way & PRODUCT_TURNED ? swapped(y) : y;
    cr_assert(y, "%s", atl_graph_error(g));
    atl_tensor *av = random_tensor(atl_shape_of(a), -1, 1), *bv = random_tensor(atl_shape_of(b), -1, 1);
    atl_program *p = atl_compile(g, ATL_NODES(y));
    atl_reference *oracle = atl_reference_run(ATL_NODES(y), ATL_FEEDS({a, av}, {b, bv}));
    cr_assert(p && oracle, "%s", atl_error());
    cr_assert_eq(atl_run(p, ATL_FEEDS({a, av}, {b, bv})), ATL_OK, "%s", atl_error());
    cr_expect_leq(relative_l2(atl_value(p, y), atl_reference_value(oracle, y)), 1e-6, "way %u", way);
    int is_shared = (way & PRODUCT_TURNED) && (batch_a > 0) != (batch_b > 0); /* one matrix: not simplified */
    cr_expect_eq(count_steps(p).always, 1 + is_shared, "way %u: %lld steps", way, (long long)count_steps(p).always);
    atl_reference_free(oracle);
    atl_program_free(p);
    atl_tensor_free(av);
    atl_tensor_free(bv);
    atl_graph_free(g);
}

Test(simplify, transposes_become_a_part_of_the_product)
{
    for (unsigned way = 0; way < EVERY_ALGO; way++) {
        check_product(way, 0, 0, 5, 7, 3);
        check_product(way, 0, 0, 65, 48, 70); /* oneDNN's */
        check_product(way, 3, 3, 5, 7, 4);
        check_product(way, 3, 0, 5, 7, 4);
        check_product(way, 0, 3, 5, 7, 4);
    }
}

/* Four dimensions; a transpose of more than these two stays, and so does that of a product with other readers. */
Test(simplify, other_transposes_stay)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(2, 3, 4, 5));
    atl_node *y = atl_matmul(TURNED(a, 0, 1, 3, 2), a),
             *other = atl_matmul(TURNED(a, 1, 0, 3, 2), TURNED(a, 1, 0, 2, 3));
    atl_node *m = atl_reshape(a, ATL_SHAPE(12, 10)), *square = atl_matmul(m, m, .transpose_a = 1);
    atl_node *both = atl_add(atl_exp(square), atl_transpose(square));
    atl_tensor *av = random_tensor(atl_shape_of(a), -1, 1);
    static const int64_t steps[] = {1, 3, 3};
    atl_node *const wanted[] = {y, other, both};
    for (int i = 0; i < 3; i++) {
        atl_program *p = atl_compile(g, ATL_NODES(wanted[i]));
        cr_assert(p, "%s", atl_graph_error(g));
        steps_saved(ATL_PASS_SIMPLIFY, 0, ATL_NODES(wanted[i]), ATL_FEED(a, av), 1e-6);
        cr_expect_eq(count_steps(p).always, steps[i], "case %d: %lld steps", i, (long long)count_steps(p).always);
        atl_program_free(p);
    }
    atl_tensor_free(av);
    atl_graph_free(g);
}
