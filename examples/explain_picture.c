/* Which pixels of a picture does a network's answer depend on?  The network that ships with atled looks at a picture;
 * integrated gradients tell what speaks for its answer, and insertion and deletion judge the map.
 *
 *     explain_picture [PICTURE.png [OUTPUT.png [WEIGHTS.npz]]]
 *
 * Without a picture it is a bright square on a dark ground. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atled/atled.h"

enum { SIDE = 24 };

/* [24, 24, 3], 0..255 */
static atl_tensor *square(void)
{
    atl_tensor *pixels = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(SIDE, SIDE, 3));
    for (int i = 0; pixels && i < SIDE * SIDE; i++) {
        int row = i / SIDE, column = i % SIDE, inside = row > 7 && row < 17 && column > 5 && column < 19;
        for (int c = 0; c < 3; c++)
            atl_floats(pixels)[3 * i + c] = inside ? 220.0f - 40.0f * (float)c : 30;
    }
    return pixels;
}

static int most_probable(const atl_tensor *probabilities)
{
    int top = 0;
    for (int i = 1; i < atl_tensor_count(probabilities); i++)
        if (atl_floats(probabilities)[i] > atl_floats(probabilities)[top])
            top = i;
    return top;
}

/* Prints and writes the explanation; returns 0 on failure. */
static int explain(atl_explainer *explainer, const atl_tensor *pixels, const char *output)
{
    atl_tensor *probabilities = NULL, *overlay = NULL;
    atl_explanation map = {0};
    atl_explain_curves curves = {0};
    int ok = !atl_explainer_scores(explainer, pixels, NULL, &probabilities);
    int class = ok ? most_probable(probabilities) : 0;
    ok = ok && !atl_explain(explainer, ATL_EXPLAIN_INTEGRATED, pixels, class, .result_out = &map) &&
         !atl_explain_judge(explainer, map.map, pixels, class, .result_out = &curves);
    overlay = ok ? atl_explain_overlay(map.map, pixels) : NULL;
    ok = overlay && !atl_write_png(output, overlay);
    if (ok)
        printf("%s at %.3f; %d steps, the sum misses f(x) - f(b) by %.2g %%; area below insertion %.3f, below deletion "
               "%.3f; %s\n",
               atl_model_find("cifar10")->labels[class], (double)atl_floats(probabilities)[class], map.steps,
               100 * map.completeness, curves.insertion_area, curves.deletion_area, output);
    atl_tensor_free(probabilities);
    atl_tensor_free(overlay);
    atl_explanation_free(&map);
    atl_explain_curves_free(&curves);
    return ok;
}

int main(int argc, char **argv)
{
    char shipped[4096];
    const char *picture = argc > 1 ? argv[1] : NULL, *output = argc > 2 ? argv[2] : "explained.png",
               *source = getenv("ATLED_SOURCE"), *weights = argc > 3 ? argv[3] : shipped;
    snprintf(shipped, sizeof shipped, "%s/models/cifar10.npz", source ? source : ".");
    const atl_model *model = atl_model_find("cifar10");
    atl_model_size size;
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 3)), *logits = NULL;
    atl_model_args args = {.image = image};
    int ok = g && !atl_model_size_of(model, weights, &size);
    if (ok) {
        memcpy(args.widths, size.widths, sizeof args.widths);
        logits = model->build(&args);
        ok = logits && !atl_model_load(model, g, weights);
    }
    atl_explainer *explainer = ok ? atl_explainer_new(image, logits) : NULL;
    atl_tensor *found = picture ? atl_read_image(picture) : square();
    atl_tensor *pixels = found ? atl_fit_image(found, SIDE, SIDE, SIDE) : NULL;
    ok = explainer && pixels && explain(explainer, pixels, output);
    if (!ok)
        fprintf(stderr, "explain_picture: %s\n", atl_error());
    atl_tensor_free(found);
    atl_tensor_free(pixels);
    atl_explainer_free(explainer);
    atl_graph_free(g);
    return !ok;
}
