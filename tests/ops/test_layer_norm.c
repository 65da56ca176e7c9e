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

/* ---- epilogues: scale, shift and one more array, in the step that normalises ------------------------------------- */

enum epilogue { SCALE = 1, SHIFT = 2, ADDEND = 4, ALL = 8 };

static atl_node *vector_for(atl_node *x, const char *name)
{
    atl_shape shape = atl_shape_of(x);
    return atl_variable(atl_graph_of(x), name, ATL_SHAPE(shape.size[shape.rank - 1]), atl_uniform(-1, 1));
}

static int64_t steps_of(const atl_program *program)
{
    return atl_program_step_count(program) - atl_program_prepack_count(program);
}

/* Of the layer norm, or of its gradient by x, times dy: the values are those of the reference and of separate steps. */
static void check_epilogue(atl_shape shape, int epilogue, int is_gradient)
{
    char text[1000];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, shape), *dy = atl_input(g, "dy", ATL_FLOAT32, shape),
             *addend = atl_input(g, "addend", ATL_FLOAT32, shape);
    atl_node *y = atl_layer_norm(x, epilogue & SCALE ? vector_for(x, "scale") : NULL,
                                 epilogue & SHIFT ? vector_for(x, "shift") : NULL);
    y = is_gradient ? atl_vjp(y, x, dy) : y;
    y = epilogue & ADDEND ? atl_add(addend, y) : y;
    atl_tensor *rows = random_tensor(shape, -1, 3), *slopes = random_tensor(shape, -1, 1),
               *added = random_tensor(shape, -1, 1);
    const atl_feed *feeds = ATL_FEEDS({x, rows}, {dy, slopes}, {addend, added});
    cr_assert(floats_agree(1, &y, feeds, text, sizeof text), "epilogue %d, gradient %d: %s", epilogue, is_gradient,
              text);
    atl_program *program = atl_compile(g, ATL_NODES(y)),
                *apart = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_EPILOGUE);
    cr_assert(program && apart && !atl_run(program, feeds) && !atl_run(apart, feeds), "%s", atl_error());
    cr_assert_close(atl_value(program, y), atl_value(apart, y), 1e-6);
    cr_expect_eq(steps_of(program), is_gradient && epilogue & SCALE ? 2 : 1, "epilogue %d, gradient %d: %d steps",
                 epilogue, is_gradient, (int)steps_of(program));
    atl_program_free(program);
    atl_program_free(apart);
    atl_tensor_free(rows);
    atl_tensor_free(slopes);
    atl_tensor_free(added);
    atl_graph_free(g);
}

Test(layer_norm, epilogues_are_no_steps)
{
    for (int epilogue = 0; epilogue < ALL; epilogue++)
        for (int is_gradient = 0; is_gradient < 2; is_gradient++) {
            check_epilogue(ATL_SHAPE(7, 37), epilogue, is_gradient);
            check_epilogue(ATL_SHAPE(3, 5, 64), epilogue, is_gradient);
        }
}

/* What is read later, or by another op, is neither overwritten nor left out. */
Test(layer_norm, epilogues_of_what_is_read_twice)
{
    char text[1000];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(9, 40)), *a = atl_tanh(x);
    atl_node *plain = atl_layer_norm(a), *y = atl_add(atl_mul(plain, vector_for(x, "scale")), a);
    atl_node *z = atl_mul(atl_add(atl_layer_norm(y, vector_for(y, "scale of y")), y), plain);
    atl_tensor *rows = random_tensor(ATL_SHAPE(9, 40), -1, 1);
    cr_assert(floats_agree(3, (atl_node *[]){y, z, atl_gradient(atl_square(z), x)}, ATL_FEED(x, rows), text,
                           sizeof text),
              "%s", text);
    atl_tensor_free(rows);
    atl_graph_free(g);
}

/* A loop over the batch normalises some images at a time, with the whole scale and shift, which have as many numbers
 * as there are images. */
Test(layer_norm, epilogues_in_a_loop_over_the_batch)
{
    enum { IMAGES = 4 };
    const atl_shape shape = ATL_SHAPE(IMAGES, 3, IMAGES);
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, shape), *a = atl_tanh(x);
    atl_node *y = atl_add(atl_layer_norm(a, vector_for(x, "scale"), vector_for(x, "shift")), a);
    atl_node *dx = atl_gradient(atl_square(y), x);
    atl_tensor *rows = random_tensor(shape, -1, 1);
    atl_program *whole = atl_compile(g, ATL_NODES(y, dx)), *parts = atl_compile(g, ATL_NODES(y, dx), .micro_batch = 1);
    cr_assert(whole && parts, "%s", atl_graph_error(g));
    assert_like_references(whole, ATL_NODES(y, dx), ATL_FEED(x, rows), 1e-5);
    assert_like_references(parts, ATL_NODES(y, dx), ATL_FEED(x, rows), 1e-5);
    atl_step_info info;
    cr_assert_eq(atl_program_step(parts, 1, &info), ATL_OK);
    cr_expect_eq(info.turns, IMAGES);
    atl_tensor_free(rows);
    atl_program_free(whole);
    atl_program_free(parts);
    atl_graph_free(g);
}
