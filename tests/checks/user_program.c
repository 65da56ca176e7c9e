/* What a user writes first: the slope of x^2 at 3. */
#include <stdio.h>

#include <atled/atled.h>

int main(void)
{
    float three = 3;
    atl_graph *graph = atl_graph_new();
    atl_node *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SCALAR);
    atl_node *slope = atl_gradient(atl_mul(x, x), x);
    atl_program *program = atl_compile(graph, ATL_NODES(slope));
    atl_tensor *value = atl_tensor_of_floats(ATL_SCALAR, &three);
    if (!program || atl_run(program, ATL_FEED(x, value))) {
        fprintf(stderr, "%s\n", atl_graph_error(graph));
        return 1;
    }
    float result = atl_scalar_of(program, slope);
    printf("atled %s: the slope of x^2 at 3 is %g\n", atl_version(), (double)result);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(graph);
    return result != 6;
}
