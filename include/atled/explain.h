/* Explanations: which pixels of a picture a network's score depends on.
 *
 *     atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 224, 224, 3));
 *     atl_node *logits = atl_squeezenet(image);
 *     atl_load_npz(g, "squeezenet_v1_1.npz", .suffixes = {"_w_0", "_b_0"});
 *     atl_explainer *explainer = atl_explainer_new(image, logits, .memory = 500 << 20);
 *     atl_explanation map;
 *     if (atl_explain(explainer, ATL_EXPLAIN_GRAD_CAM, pixels, .target = 243, .result_out = &map) == ATL_OK)
 *         atl_write_npy("map.npy", map.map);
 *     atl_explanation_free(&map);
 *
 * Below, x is the picture, f(x) the score of the target class, b the baseline, and A the map of a layer.  Attributions
 * are with respect to raw pixels, in scores per grey level or in scores.  docs/explaining.md has the formulas. */
#ifndef ATLED_EXPLAIN_H
#define ATLED_EXPLAIN_H

#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a network prepared for explanations ------------------------------------------------------------------------- */

typedef struct atl_explainer atl_explainer;

typedef struct atl_explainer_args {
    atl_node *image;  /* float32 input [n, h, w, c] of raw pixels 0..255; n may be ATL_ANY, which is fastest */
    atl_node *scores; /* [n, classes], computed from it; example i from picture i alone */
    /* Of the Grad-CAM family and of channels to dream of: [n, h, w, c], [n, c, h, w] or tokens [n, t, c]; null:
     * atl_explain_layer(image, scores). */
    atl_node *layer;
    /* At most so many bytes for weights, prepacked weights and values of a run: pictures are run in batches that fit,
     * and one program is kept at a time.  0: no limit. */
    int64_t memory;
    int batch;                /* pictures in a run, at most; 0: 8; ignored if n is known */
    atl_compile_args compile; /* .threads, .bfloat16, .disabled_passes and so on; .graph and .outputs are ignored */
    int end_;
} atl_explainer_args;
/* Returns null if the nodes are invalid, or if the graph has an error; see atl_error().  It adds nodes to the graph.
 * You may load weights before or after. */
ATL_API atl_explainer *atl_explainer_new_with(const atl_explainer_args *args);
#define atl_explainer_new(...) atl_explainer_new_with(ATL_OPTIONS_(atl_explainer_args, __VA_ARGS__))
ATL_API void atl_explainer_free(atl_explainer *explainer); /* call it before the graph is freed; null is allowed */
ATL_API int atl_explainer_classes(const atl_explainer *explainer);
ATL_API atl_node *atl_explainer_layer(const atl_explainer *explainer);

/* The layer that the Grad-CAM family looks at: the last map before the last pooling on the way to the scores, or the
 * last map if nothing pools it; for a transformer the tokens that enter the last attention.  Null if there is none. */
ATL_API atl_node *atl_explain_layer(atl_node *image, atl_node *scores);

/* The scores of one picture [h, w, c] or [1, h, w, c], and their softmax: new tensors [classes], which the caller
 * frees.  Either may be null. */
ATL_API atl_status atl_explainer_scores(atl_explainer *explainer, const atl_tensor *pixels, atl_tensor **scores_out,
                                        atl_tensor **probabilities_out);

/* ---- one explanation --------------------------------------------------------------------------------------------- */

typedef enum atl_explain_method {
    ATL_EXPLAIN_GRADIENT = 0,   /* df/dx                                        (Simonyan et al. 2013) */
    ATL_EXPLAIN_GRADIENT_INPUT, /* (x - b) * df/dx                              (Shrikumar et al. 2016) */
    ATL_EXPLAIN_SMOOTH_GRAD,    /* mean of df/dx at x + N(0, deviation^2)       (Smilkov et al. 2017) */
    ATL_EXPLAIN_INTEGRATED,     /* (x - b) * integral of df/dx from b to x      (Sundararajan et al. 2017) */
    ATL_EXPLAIN_GUIDED,         /* df/dx; a relu passes positive gradients only (Springenberg et al. 2014) */
    ATL_EXPLAIN_DECONVOLUTION,  /* the same, also where the relu is inactive    (Zeiler & Fergus 2013) */
    ATL_EXPLAIN_GRAD_CAM,       /* sum over channels of A * mean(df/dA)         (Selvaraju et al. 2016) */
    ATL_EXPLAIN_GRAD_CAM_PLUS,  /* the mean weighted by pixel                   (Chattopadhyay et al. 2017) */
    ATL_EXPLAIN_LAYER_CAM,      /* sum over channels of A * relu(df/dA)         (Jiang et al. 2021) */
    ATL_EXPLAIN_OCCLUSION,      /* f(x) - f(x with a window of b)               (Zeiler & Fergus 2013) */
    ATL_EXPLAIN_RISE,           /* mean of random masks weighted by probability (Petsiuk et al. 2018) */
    ATL_EXPLAIN_METHODS         /* their number */
} atl_explain_method;
/* "grad-cam"; "" if out of range. */
ATL_API const char *atl_explain_method_name(atl_explain_method method);
ATL_API const char *atl_explain_method_about(atl_explain_method method); /* one line */

typedef struct atl_explanation {
    /* float32 [h, w, c] for methods that attribute to each channel, else [h, w], with signs. */
    atl_tensor *attribution;
    /* float32 [h, w], what to show: the largest |attribution| of a pixel's channels; for the Grad-CAM family the
     * positive part; for occlusion and RISE the attribution. */
    atl_tensor *map;
    atl_tensor *layer_map;     /* of the Grad-CAM family: [layer's h, w], with signs; else null */
    atl_tensor *layer_weights; /* of Grad-CAM and Grad-CAM++: [layer's channels]; else null */
    double score;              /* f(x) */
    double baseline_score;     /* f(b), of integrated gradients */
    double completeness_error; /* sum of the attribution - (f(x) - f(b)), of integrated gradients */
    double completeness;       /* |that| / |f(x) - f(b)|; over the sum of |attribution| if that is 0 */
    int steps;                 /* of integrated gradients, used for the result */
    int64_t pictures;          /* through the network, in all */
    int batch;                 /* pictures in a run */
    double seconds;
} atl_explanation;
/* Frees the tensors, and clears the struct; null is allowed. */
ATL_API void atl_explanation_free(atl_explanation *explanation);

/* Called after each run, with the number of pictures done and their number so far as it is known; return non-zero to
 * stop. */
typedef int atl_explain_watch(void *context, int64_t done, int64_t all);

typedef struct atl_explain_args {
    atl_explainer *explainer;
    atl_explain_method method;
    const atl_tensor *pixels;   /* float32 [h, w, c] or [1, h, w, c], 0..255 */
    int target;                 /* class */
    const atl_tensor *baseline; /* b, as pixels; null: black */
    /* Of SmoothGrad: 50.  Of RISE: 2000 masks. */
    int samples;
    float deviation; /* of SmoothGrad's noise, in grey levels; 0: 0.15 times (largest - smallest pixel) */
    uint64_t seed;   /* of SmoothGrad and RISE */
    /* Of integrated gradients: points of Gauss-Legendre quadrature, 0: 50; doubled while the completeness is above
     * .tolerance, up to .most_steps.  .tolerance 0: 0.01; ATL_ZERO: as many as .most_steps.  .most_steps 0: 1600. */
    int steps, most_steps;
    float tolerance;
    int window[2];               /* of occlusion, height and width; 0: a 14th of the picture, at least 4 */
    int stride[2];               /* 0: half the window, at least 1 */
    int cells;                   /* of RISE: of a mask in each direction, before it is enlarged; 0: 7 */
    float share;                 /* of RISE: of the cells that are shown; 0: 0.5 */
    atl_explain_watch *watch;    /* may be null */
    void *context;               /* passed to watch */
    atl_explanation *result_out; /* required; free it with atl_explanation_free */
    int end_;
} atl_explain_args;
/* ATL_INVALID if a picture has another shape than the network's input, or an option is out of range; ATL_NOT_FINITE if
 * the network's values are; ATL_UNSUPPORTED if one picture takes more than .memory; ATL_STOPPED by .watch.  After a
 * failure *result_out is empty.  The result does not depend on the batch size beyond rounding. */
ATL_API atl_status atl_explain_with(const atl_explain_args *args);
#define atl_explain(...) atl_explain_with(ATL_OPTIONS_(atl_explain_args, __VA_ARGS__))

/* ---- showing it -------------------------------------------------------------------------------------------------- */

/* The map as colours over the grey picture: new tensor [h, w, 3], 0..255, which the caller frees.  map: [h, w], pixels:
 * [h, w, 3] or [1, h, w, 3].  0 and less is the picture itself, and the 99th percentile of the map and more the
 * brightest colour. */
ATL_API atl_tensor *atl_explain_overlay(const atl_tensor *map, const atl_tensor *pixels);

/* ---- judging it -------------------------------------------------------------------------------------------------- */

/* The probability of the class while pixels are exchanged in the order of a map, the largest first (Petsiuk et al.
 * 2018): element i belongs to a share of i / steps of the pixels. */
typedef struct atl_explain_curves {
    atl_tensor *deletion;  /* float32 [steps + 1]: pixels become those of the baseline; a good map falls soon */
    atl_tensor *insertion; /* the same: pixels of the picture appear on the blurred picture; a good map rises soon */
    double deletion_area, insertion_area; /* below the curves, by trapezoids: 0..1 */
} atl_explain_curves;
ATL_API void atl_explain_curves_free(atl_explain_curves *curves); /* null is allowed */

typedef struct atl_explain_curves_args {
    atl_explainer *explainer;
    const atl_tensor *map; /* float32 [h, w]; of equal values the first in row order comes first */
    const atl_tensor *pixels;
    int target;
    const atl_tensor *baseline; /* of the deletion; null: black */
    int steps;                  /* 0: 100 */
    float blur;                 /* deviation of the blur in pixels; 0: 5 for a short side of 224, and in proportion */
    atl_explain_curves *result_out; /* required */
    int end_;
} atl_explain_curves_args;
/* Errors as for atl_explain. */
ATL_API atl_status atl_explain_judge_with(const atl_explain_curves_args *args);
#define atl_explain_judge(...) atl_explain_judge_with(ATL_OPTIONS_(atl_explain_curves_args, __VA_ARGS__))

/* How much an explanation depends on what the network has learned (Adebayo et al. 2018): the weights are shuffled,
 * layer by layer from the top. */
typedef struct atl_explain_sanity_layer {
    char name[96];      /* of the layer that was shuffled last */
    double correlation; /* of ranks, of the map with that of the intact network; 0 if either is constant */
} atl_explain_sanity_layer;

typedef struct atl_explain_sanity_result {
    int count;
    atl_explain_sanity_layer *layer; /* from the top */
} atl_explain_sanity_result;
ATL_API void atl_explain_sanity_free(atl_explain_sanity_result *result); /* null is allowed */

/* Explains with the intact network, then after each further layer; `how` gives method, picture and so on, and its
 * result_out, which is required, gets the intact explanation.  Values are shuffled within each variable, by how->seed.
 * The variables have their values again when the call returns; do not run other programs of the graph meanwhile. */
ATL_API atl_status atl_explain_sanity(const atl_explain_args *how, atl_explain_sanity_result *result_out);

/* ---- dreaming ---------------------------------------------------------------------------------------------------- */

/* A picture that a class or a channel responds to most (Olah et al. 2017): its Fourier coefficients follow the gradient
 * of the score by Adam, while the picture is moved by a few random pixels in each iteration. */
typedef struct atl_dream_args {
    atl_explainer *explainer;
    bool of_channel; /* the mean of channel `target` of the explainer's layer, not the score of class `target` */
    int target;
    int iterations; /* 0: 256 */
    float rate;     /* 0: 0.05 */
    int jitter;     /* pixels in each direction; 0: a 16th of the short side; negative: none */
    uint64_t seed;
    atl_explain_watch *watch; /* after each iteration; may be null */
    void *context;
    double *score_out;       /* of the result, rounded to 8 bits; may be null */
    atl_tensor **pixels_out; /* required: float32 [h, w, c], whole numbers 0..255; the caller frees it */
    int end_;
} atl_dream_args;
/* Errors as for atl_explain; if .watch stops it, ATL_OK with the picture so far. */
ATL_API atl_status atl_dream_with(const atl_dream_args *args);
#define atl_dream(...) atl_dream_with(ATL_OPTIONS_(atl_dream_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
