/* saver save FILE: saves the variables of a graph again and again, with new values each time, until it is killed.
 * saver check FILE: loads them; everything in the file must be from one save. */
#include <stdio.h>
#include <string.h>

#include "atled/atled.h"

enum { LAYERS = 6, SIZE = 300 };

static atl_node *w[LAYERS];

static atl_graph *new_graph(void)
{
    atl_graph *g = atl_graph_new();
    for (int i = 0; i < LAYERS; i++)
        w[i] = atl_variable(g, ATL_NAME("layer%d/weights", i), ATL_SHAPE(SIZE, SIZE), atl_zeros());
    return g;
}

static int save(const char *path)
{
    atl_graph *g = new_graph();
    atl_tensor *value = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(SIZE, SIZE));
    for (int n = 1;; n++) {
        for (int i = 0; i < SIZE * SIZE; i++)
            atl_floats(value)[i] = (float)n;
        for (int i = 0; i < LAYERS; i++)
            if (atl_variable_assign(w[i], value))
                return 2;
        if (atl_save_npz(g, path)) {
            fprintf(stderr, "%s\n", atl_error());
            return 2;
        }
    }
}

static int check(const char *path)
{
    atl_graph *g = new_graph();
    if (atl_load_npz(g, path)) {
        fprintf(stderr, "%s\n", atl_error());
        return 1;
    }
    float first = atl_floats(atl_variable_value(w[0]))[0];
    for (int i = 0; i < LAYERS; i++)
        for (int k = 0; k < SIZE * SIZE; k++)
            if (atl_floats(atl_variable_value(w[i]))[k] != first) {
                fprintf(stderr, "layer %d, element %d is %g, not %g\n", i, k,
                        (double)atl_floats(atl_variable_value(w[i]))[k], (double)first);
                return 1;
            }
    printf("%g\n", (double)first);
    atl_graph_free(g);
    return 0;
}

int main(int count, char **argument)
{
    if (count != 3)
        return 2;
    return strcmp(argument[1], "save") == 0 ? save(argument[2]) : check(argument[2]);
}
