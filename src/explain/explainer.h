/* A network prepared for explanations: programs for its scores and gradients, run over many pictures in batches. */
#ifndef ATLED_EXPLAIN_EXPLAINER_H
#define ATLED_EXPLAIN_EXPLAINER_H

#include "atled/explain.h"

/* What a program computes beside scores and probabilities. */
typedef enum atl_explain_kind {
    ATL_KIND_SCORES,
    ATL_KIND_GRADIENT,      /* of the target's score with respect to the image */
    ATL_KIND_GUIDED,        /* the same with other gradients of relu */
    ATL_KIND_DECONVOLUTION, /* likewise */
    ATL_KIND_LAYER,         /* the layer's map, and the gradient of the target's score with respect to it */
    ATL_KIND_CHANNEL,       /* the gradient of the mean of the layer's channel `target` with respect to the image */
    ATL_KINDS
} atl_explain_kind;

/* One program, made when it is first needed. */
typedef struct atl_kind_program {
    atl_node *gradient; /* null: not built yet, or there is none */
    atl_program *program;
    int batch;        /* pictures in a run */
    int64_t memory;   /* bytes for one picture, without weights */
    int64_t prepared; /* bytes of prepacked weights */
} atl_kind_program;

/* How a layer's map is laid out. */
typedef struct atl_layer_form {
    int64_t height, width, channels;
    int64_t first; /* tokens before those of the picture, such as a class token */
    int channels_first;
} atl_layer_form;

struct atl_explainer {
    atl_graph *graph;
    atl_node *image, *scores, *probabilities, *layer;
    atl_node *target; /* int32 [n] */
    atl_node *score;  /* scalar: the sum of the targets' scores */
    int64_t height, width, channels, classes;
    int64_t fixed_batch; /* the image's first size, or ATL_ANY */
    int64_t memory;
    int most; /* pictures in a run */
    atl_layer_form form;
    atl_compile_args compile;
    atl_kind_program kind[ATL_KINDS];
    atl_tensor *pictures, *targets;   /* the feeds of a full batch */
    atl_tensor *picture, *one_target; /* of a single picture, if the batch may have any size */
};

/* What a run computed for one picture; null where the kind does not compute it. */
typedef struct atl_explain_item {
    const float *scores, *probabilities; /* [classes] */
    const float *gradient;               /* [h, w, c], or that of the layer */
    const float *layer;
} atl_explain_item;

/* Many pictures through one program.  `fill` writes picture i, h * w * c floats; `take` gets what was computed for it,
 * in order.  Both return ATL_OK, or a status with the message set, which ends the job. */
typedef struct atl_explain_job {
    atl_explainer *explainer;
    atl_explain_kind kind;
    int target;
    int64_t count;
    atl_status (*fill)(void *data, int64_t i, float *picture);
    atl_status (*take)(void *data, int64_t i, const atl_explain_item *item);
    void *data;
    const atl_explain_args *args; /* for its .watch; may be null */
    int64_t done_before;          /* of the same explanation, for .watch */
    int64_t all;
} atl_explain_job;

/* ---- programs.c ---- */

/* Makes the kind's program ready and sets its batch, within the memory limit. */
atl_status atl_explain_prepare(atl_explainer *explainer, atl_explain_kind kind);
/* Makes the feeds of a batch of that many pictures. */
atl_status atl_explain_feeds(atl_explainer *explainer, int batch);
/* Frees the programs; they are made again when needed. */
void atl_explain_drop_programs(atl_explainer *explainer);

/* The mean of channel `target` of the layer, summed over the batch: a scalar. */
atl_node *atl_explain_channel_mean(const atl_explainer *explainer);

/* ---- batches.c ---- */

atl_status atl_explain_run(const atl_explain_job *job);

/* ---- explainer.c ---- */

int64_t atl_explain_pixels(const atl_explainer *explainer); /* h * w * c */
/* The pixels as floats, or null with the error set: of another type or shape than the network takes, or not finite. */
const float *atl_explain_picture(const atl_explainer *explainer, const char *what, const atl_tensor *pixels);

/* ---- layer.c ---- */

/* How the layer's map is laid out; ATL_INVALID if it is no map and no row of tokens. */
atl_status atl_explain_form_of(const atl_node *layer, int64_t height, int64_t width, atl_layer_form *form_out);

#endif
