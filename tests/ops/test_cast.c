/* Casts of numbers out of range; stopped gradients. */
#include "support.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(cast, .init = set_up, .fini = tear_down);

Test(cast, to_integers_towards_zero_and_no_further_than_they_go)
{
    static const struct {
        float x;
        int32_t y;
    } row[] = {{0.9f, 0},
               {-0.9f, 0},
               {1.5f, 1},
               {-2.5f, -2},
               {NAN, 0},
               {INFINITY, INT32_MAX},
               {1e20f, INT32_MAX},
               {-1e20f, INT32_MIN},
               {-INFINITY, INT32_MIN},
               {0x1p31f, INT32_MAX},
               {-0x1p31f, INT32_MIN},
               {2147483520.0f, 2147483520},
               {1e-45f, 0},
               {16777217.0f, 16777216}};
    enum { N = sizeof row / sizeof *row };
    float x[N];
    for (int i = 0; i < N; i++)
        x[i] = row[i].x;
    atl_node *in = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(N)), *out = atl_cast(in, ATL_INT32);
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(N), x);
    atl_program *p = atl_compile(g, ATL_NODES(out));
    cr_assert(p && atl_run(p, ATL_FEED(in, value)) == ATL_OK, "%s", atl_error());
    atl_reference *r = atl_reference_run(ATL_NODES(out), ATL_FEED(in, value));
    for (int i = 0; i < N; i++) {
        cr_expect_eq(atl_ints(atl_value(p, out))[i], row[i].y, "%g becomes %d", (double)x[i],
                     atl_ints(atl_value(p, out))[i]);
        cr_expect_eq(element_of(atl_reference_value(r, out), i), row[i].y, "%g in double", (double)x[i]);
    }
    atl_reference_free(r);
    atl_program_free(p);
    atl_tensor_free(value);
}

Test(cast, nothing_flows_through_integers)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3));
    atl_node *y = atl_cast(atl_cast(x, ATL_INT32), ATL_FLOAT32), *slope = NULL;
    atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(x), .result_out = &slope, .unused = ATL_UNUSED_NULL);
    if (slope) { /* zeros will do */
        const float values[3] = {1, 2, 3};
        atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(3), values);
        atl_program *p = atl_compile(g, ATL_NODES(slope));
        cr_assert(p && atl_run(p, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
        for (int64_t i = 0; i < 3; i++)
            cr_expect_eq(element_of(atl_value(p, slope), i), 0);
        atl_program_free(p);
        atl_tensor_free(value);
    }
    cr_assert_str_empty(atl_graph_error(g));
}

Test(cast, a_stopped_gradient_is_a_constant)
{
    const float at = 3;
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SCALAR);
    atl_node *slope = atl_gradient(atl_mul(x, atl_stop_gradient(x)), x);
    atl_tensor *value = atl_tensor_of_floats(ATL_SCALAR, &at);
    atl_program *p = atl_compile(g, ATL_NODES(slope));
    cr_assert(p && atl_run(p, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_scalar_of(p, slope), 3);
    atl_program_free(p);
    atl_tensor_free(value);
}
