/* SqueezeNet and the explanations that another library computed for two photographs. */
#ifndef ATLED_TESTS_EXPLAIN_GOLDEN_H
#define ATLED_TESTS_EXPLAIN_GOLDEN_H

#include "models/golden.h"

enum { PHOTOS = 2 };
static const char *const golden_photo[PHOTOS] = {"imagenet_00_243", "imagenet_01_559"};

typedef struct golden_explain {
    trained_net net;
    atl_explainer *explainer;
    atl_npz *npz;
    atl_tensor *pixels; /* [224, 224, 3] */
    int target;
} golden_explain;

/* name: "saliency"; layer: a node's name, or null. */
static inline golden_explain open_golden_explain(const char *name, int photo, const char *layer, unsigned without)
{
    golden_explain g = {.net = load_net("squeezenet", "squeezenet/squeezenet_v1_1.npz", ATL_ANY)};
    atl_npz *pixels = open_golden(ATL_NAME("explain/saliency_%s.npz", golden_photo[photo]));
    g.npz = open_golden(ATL_NAME("explain/%s_%s.npz", name, golden_photo[photo]));
    g.pixels = golden_floats(pixels, "pixels");
    atl_tensor *target = golden_value(g.npz, "target");
    g.target = atl_ints(target)[0];
    g.explainer = atl_explainer_new(g.net.image, g.net.logits, .layer = layer ? atl_find(g.net.graph, layer) : NULL,
                                    .compile.disabled_passes = without);
    cr_assert(g.explainer, "%s", atl_error());
    atl_tensor_free(target);
    atl_npz_close(pixels);
    return g;
}

static inline void close_golden_explain(golden_explain *g)
{
    atl_explainer_free(g->explainer);
    atl_graph_free(g->net.graph);
    atl_npz_close(g->npz);
    atl_tensor_free(g->pixels);
}

/* How far a result is from the golden array (relative L2). */
static inline double golden_distance(const golden_explain *g, const atl_tensor *value, const char *key)
{
    atl_tensor *expected = golden_value(g->npz, key);
    double distance = relative_l2(value, expected);
    fprintf(stderr, "%s, class %d: %.2g\n", key, g->target, distance);
    atl_tensor_free(expected);
    return distance;
}

#endif
