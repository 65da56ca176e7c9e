/* A gradient of a network of relu and relu6, apart from their kinks.
 *
 * Where an activation is within rounding of a kink, a float may lie on the other side of it than the double has it, and
 * the gradient of all that depends on it jumps.  So gradients of large networks agree with those in double to rounding
 * only with the same masks: here those that the reference in double gives. */
#ifndef ATLED_TESTS_KINKS_H
#define ATLED_TESTS_KINKS_H

#include "support.h"

enum { MOST_KINKS = 120 };

/* The activations of one gradient, in the order of the reverse pass.  A rule of an override is given no more than its
 * node, so they stand in one place. */
static struct kinks {
    int count;
    atl_node *y[MOST_KINKS], *mask[MOST_KINKS];
} kinks;

/* The rule: passes dy where the mask is 1. */
static inline atl_node *use_mask(atl_node *y, atl_node *dy)
{
    cr_assert_lt(kinks.count, MOST_KINKS);
    atl_node *mask =
        atl_input(atl_graph_of(y), ATL_NAME("mask_of_double_%d", kinks.count), ATL_FLOAT32, atl_shape_of(y));
    kinks.y[kinks.count] = y;
    kinks.mask[kinks.count++] = mask;
    return atl_mul(dy, mask);
}

/* 1 where an activation lets a change through: relu above 0, relu6 below 6, too. */
static inline int is_between_kinks(const atl_node *activation, double y)
{
    return y > 0 && (strcmp(atl_op_of(activation)->name, "relu") == 0 || y < 6);
}

/* The mask of activation k, in double; and a float activation that has another one is as near to a kink as `bound`, in
 * parts of the largest one. */
static inline atl_tensor *mask_of_double(int k, const atl_tensor *exact, const atl_tensor *y, double bound)
{
    atl_tensor *mask = atl_tensor_new(ATL_FLOAT32, atl_tensor_shape(exact));
    const double *x = atl_doubles(exact);
    double largest = 0;
    for (int64_t i = 0; i < atl_tensor_count(exact); i++)
        largest = fmax(largest, fabs(x[i]));
    for (int64_t i = 0; i < atl_tensor_count(exact); i++) {
        int is = is_between_kinks(kinks.y[k], (double)atl_floats(y)[i]), should = is_between_kinks(kinks.y[k], x[i]);
        atl_floats(mask)[i] = (float)should;
        double off = fmin(fabs(x[i]), fabs(x[i] - 6));
        cr_assert(is == should || off <= bound * largest, "%s, element %lld: %g, but %g in double",
                  atl_name_of(kinks.y[k]), (long long)i, (double)atl_floats(y)[i], x[i]);
    }
    return mask;
}

/* How far (relative L2) the gradient of y by x is from the expected one with the masks of double precision.  Every
 * activation of the float program is on the same side of its kinks as in double, or `bound` near to one. */
static inline double distance_beside_kinks(atl_node *y, atl_node *x, const atl_feed *feeds, unsigned disabled,
                                           double bound, const atl_tensor *expected)
{
    atl_node *slope = NULL, *inputs[MOST_KINKS];
    atl_feed all[MOST_KINKS + 8] = {{0}};
    kinks.count = 0;
    cr_assert(!atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(x), .result_out = &slope,
                             .overrides = ATL_OVERRIDES({"relu", NULL, use_mask}, {"relu6", NULL, use_mask},
                                                        {"clip", NULL, use_mask})),
              "%s", atl_error());
    cr_assert_gt(kinks.count, 0);
    int64_t fed = 0;
    for (; feeds[fed].node && fed < 7; fed++)
        all[fed] = feeds[fed];
    for (int k = 0; k < kinks.count; k++)
        inputs[k] = atl_input_of(kinks.y[k], 0);
    atl_reference *exact = atl_reference_run((atl_nodes){kinks.count, inputs}, feeds);
    atl_program *values = atl_compile(atl_graph_of(y), (atl_nodes){kinks.count, kinks.y}, .disabled_passes = disabled);
    cr_assert(exact && values && !atl_run(values, feeds), "%s", atl_error());
    for (int k = 0; k < kinks.count; k++)
        all[fed + k] = (atl_feed){kinks.mask[k], mask_of_double(k, atl_reference_value(exact, inputs[k]),
                                                                atl_value(values, kinks.y[k]), bound)};
    atl_program_free(values);
    atl_program *program = atl_compile(atl_graph_of(y), ATL_NODES(slope), .disabled_passes = disabled);
    cr_assert(program && !atl_run(program, all), "%s", atl_error());
    double distance = relative_l2(atl_value(program, slope), expected);
    atl_program_free(program);
    atl_reference_free(exact);
    for (int k = 0; k < kinks.count; k++)
        atl_tensor_free((atl_tensor *)all[fed + k].value);
    return distance;
}

#endif
