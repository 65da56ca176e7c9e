/* Layer normalisation. */
#include "battery.h"

Test(layer_norm, rows_have_mean_shift_and_deviation_scale)
{
    enum { ROWS = 5, WIDTH = 64 };
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, WIDTH));
    atl_node *scale = atl_variable(g, "scale", ATL_SHAPE(WIDTH), atl_fill_with(3));
    atl_node *shift = atl_variable(g, "shift", ATL_SHAPE(WIDTH), atl_fill_with(-2));
    atl_node *y = atl_layer_norm(x, scale, shift, .epsilon = 1e-12f);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *rows = random_tensor(ATL_SHAPE(ROWS, WIDTH), -100, 300);
    cr_assert(program && !atl_run(program, ATL_FEED(x, rows)), "%s", atl_graph_error(g));
    for (int r = 0; r < ROWS; r++) {
        double sum = 0, square = 0;
        for (int i = 0; i < WIDTH; i++) {
            double value = element_of(atl_value(program, y), r * WIDTH + i) + 2;
            sum += value;
            square += value * value;
        }
        cr_expect_float_eq(sum / WIDTH, 0, 1e-5);
        cr_expect_float_eq(sqrt(square / WIDTH), 3, 1e-5);
    }
    atl_program_free(program);
    atl_tensor_free(rows);
    atl_graph_free(g);
}

/* epsilon keeps a constant row from dividing by zero. */
Test(layer_norm, a_constant_row_becomes_zero)
{
    const float row[] = {7, 7, 7, 7};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 4)), *y = atl_layer_norm(x);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *rows = atl_tensor_of_floats(ATL_SHAPE(1, 4), row);
    cr_assert(program && !atl_run(program, ATL_FEED(x, rows)));
    for (int i = 0; i < 4; i++)
        cr_expect_eq(element_of(atl_value(program, y), i), 0);
    atl_program_free(program);
    atl_tensor_free(rows);
    atl_graph_free(g);
}
