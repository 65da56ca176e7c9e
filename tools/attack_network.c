/* The networks of atled attack and atled verify. */
#include "attack_network.h"

#include <math.h>
#include <string.h>

int open_attacked_network(const char *command, const network_choice *choice, atl_shape pictures, loaded_network *n)
{
    int code = open_any_network_for_pictures(command, choice->model, choice->weights, ATL_ANY, pictures, 0,
                                             &choice->picture, n);
    if (code)
        return code;
    return check_loaded(command, n->graph, choice->weights ? choice->weights : choice->model, choice->allow_non_finite);
}

int margin_in_double(const char *command, const loaded_network *n, const float *pixels, int label, int target,
                     double *margin_out)
{
    atl_shape shape = atl_shape_of(n->image);
    int64_t rows = shape.size[0] > 0 ? shape.size[0] : 1;
    shape.size[0] = rows;
    atl_tensor *image = atl_tensor_new(ATL_FLOAT32, shape);
    int64_t count = atl_tensor_count(image) / rows;
    for (int64_t r = 0; image && r < rows; r++)
        memcpy(atl_floats(image) + r * count, pixels, (size_t)count * sizeof(float));
    atl_reference *reference = image ? atl_reference_run(ATL_NODES(n->logits), ATL_FEED(n->image, image)) : NULL;
    const double *z = reference ? atl_doubles(atl_reference_value(reference, n->logits)) : NULL;
    int class = target >= 0 ? target : label;
    double other = -INFINITY;
    for (int64_t i = 0; z && i < atl_shape_of(n->logits).size[1]; i++)
        other = i != class && !(z[i] <= other) ? z[i] : other;
    if (z)
        *margin_out = target >= 0 ? z[class] - other : other - z[class];
    int failed = !z;
    atl_reference_free(reference);
    atl_tensor_free(image);
    return failed ? report_failure(command) : 0;
}
