/* A user's activation: its values and gradients; and one without a derivative, which can be used and has a clear
 * error. */
#include "support.h"

int custom_activation(void);
#define main custom_activation
#include "../../examples/custom_activation.c"
#undef main

enum { COUNT = 100 };

typedef struct trial {
    atl_graph *graph;
    atl_node *x;
    atl_tensor *numbers;
} trial;

static trial new_trial(void)
{
    trial t = {.graph = atl_graph_new(), .numbers = random_tensor(ATL_SHAPE(COUNT), -2, 2)};
    t.x = atl_input(t.graph, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY));
    return t;
}

static void end_trial(trial t)
{
    atl_tensor_free(t.numbers);
    atl_graph_free(t.graph);
}

Test(custom_activation, value_and_two_derivatives)
{
    trial t = new_trial();
    atl_node *y = gaussian_of(t.x), *gradient = atl_gradient(y, t.x), *curve = atl_gradient(gradient, t.x);
    atl_program *program = atl_compile(t.graph, ATL_NODES(y, gradient, curve));
    cr_assert(program && atl_run(program, ATL_FEED(t.x, t.numbers)) == ATL_OK, "%s", atl_error());
    for (int i = 0; i < COUNT; i++) {
        double x = element_of(t.numbers, i), g = exp(-x * x);
        cr_assert_float_eq(element_of(atl_value(program, y), i), g, 1e-6);
        cr_assert_float_eq(element_of(atl_value(program, gradient), i), -2 * x * g, 1e-6);
        cr_assert_float_eq(element_of(atl_value(program, curve), i), (4 * x * x - 2) * g, 2e-6);
    }
    atl_program_free(program);
    end_trial(t);
}

Test(custom_activation, without_a_derivative_it_can_be_used)
{
    trial t = new_trial();
    atl_node *y = atl_sum(gaussian_without_gradient(t.x));
    atl_program *program = atl_compile(t.graph, ATL_NODES(y));
    cr_assert(program && atl_run(program, ATL_FEED(t.x, t.numbers)) == ATL_OK, "%s", atl_error());
    double sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum += gaussian(element_of(t.numbers, i));
    cr_assert_float_eq(atl_scalar_of(program, y), sum, 1e-4);
    atl_program_free(program);
    end_trial(t);
}

Test(custom_activation, without_a_derivative_it_says_so)
{
    trial t = new_trial();
    cr_assert_null(atl_gradient(atl_sum(gaussian_without_gradient(t.x)), t.x));
    cr_assert_mentions(atl_graph_error(t.graph),
                       "the op gaussian_without_gradient ('gaussian_without_gradient') has no gradient");
    cr_assert_mentions(atl_graph_error(t.graph), "its input 1, 'x'");
    cr_assert_mentions(atl_graph_error(t.graph), "Give the op a gradient rule");
    end_trial(t);
}

/* A node that no gradient passes through needs no derivative. */
Test(custom_activation, without_a_derivative_it_may_stand_aside)
{
    trial t = new_trial();
    atl_node *y = atl_mul(atl_stop_gradient(gaussian_without_gradient(t.x)), t.x), *gradient = atl_gradient(y, t.x);
    atl_program *program = atl_compile(t.graph, ATL_NODES(gradient));
    cr_assert(program && atl_run(program, ATL_FEED(t.x, t.numbers)) == ATL_OK, "%s", atl_error());
    for (int i = 0; i < COUNT; i++)
        cr_assert_float_eq(element_of(atl_value(program, gradient), i), gaussian(element_of(t.numbers, i)), 1e-6);
    atl_program_free(program);
    end_trial(t);
}
