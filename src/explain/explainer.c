/* The explainer: checks the network's nodes, and adds the target and its score to the graph. */
#include "explain/explainer.h"

#include <math.h>
#include <string.h>

#include "atled/ops.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { USUAL_BATCH = 8, MOST_BATCH = 4096 };

static atl_status check_nodes(const atl_node *image, const atl_node *scores)
{
    char text[160];
    atl_shape in = atl_shape_of(image), out = atl_shape_of(scores);
    if (!image || !scores) {
        const atl_graph *graph = atl_graph_of(image ? image : scores);
        const char *mistake = graph ? atl_graph_error(graph) : "";
        return atl_set_error(ATL_INVALID, "atl_explainer_new: %s null%s%s", image ? "the scores are" : "the image is",
                             *mistake ? ": " : "", mistake);
    }
    if (atl_graph_of(image) != atl_graph_of(scores))
        return atl_set_error(ATL_INVALID, "atl_explainer_new: image '%s' and scores '%s' belong to different graphs",
                             atl_name_of(image), atl_name_of(scores));
    if (atl_dtype_of(image) != ATL_FLOAT32 || in.rank != 4 || in.size[0] == 0 || in.size[1] < 1 || in.size[2] < 1 ||
        in.size[3] < 1)
        return atl_set_error(ATL_INVALID,
                             "atl_explainer_new: the image '%s' is %s %s, but must be float32 [n, height, width, "
                             "channels] with a known size",
                             atl_name_of(image), atl_dtype_name(atl_dtype_of(image)),
                             atl_shape_text(in, text, sizeof text));
    if (atl_dtype_of(scores) != ATL_FLOAT32 || out.rank != 2 || out.size[1] < 1)
        return atl_set_error(ATL_INVALID,
                             "atl_explainer_new: the scores '%s' are %s %s, but must be float32 [n, classes]",
                             atl_name_of(scores), atl_dtype_name(atl_dtype_of(scores)),
                             atl_shape_text(out, text, sizeof text));
    return ATL_OK;
}

/* Enters a scope that no other explainer of the graph has. */
static void enter_own_scope(atl_graph *graph)
{
    char name[ATL_NAME_SIZE] = "explain";
    for (int i = 1; atl_find(graph, ATL_NAME("%.200s/target", name)); i++)
        atl_format_name(name, "explain_%d", i);
    atl_enter(graph, name);
}

static atl_status build(atl_explainer *e)
{
    enter_own_scope(e->graph);
    e->target = atl_input(e->graph, "target", ATL_INT32, ATL_SHAPE(e->fixed_batch));
    e->score = atl_named(atl_sum(atl_gather_last(e->scores, e->target)), "score");
    e->probabilities = atl_named(atl_softmax(e->scores), "probabilities");
    atl_leave(e->graph);
    return e->score && e->probabilities ? ATL_OK : atl_error_status();
}

static atl_status find_layer(atl_explainer *e, atl_node *layer)
{
    if (layer && atl_graph_of(layer) != e->graph)
        return atl_set_error(ATL_INVALID, "atl_explainer_new: the layer '%s' belongs to another graph than the image",
                             atl_name_of(layer));
    e->layer = layer ? layer : atl_explain_layer(e->image, e->scores);
    return e->layer ? atl_explain_form_of(e->layer, e->height, e->width, &e->form) : ATL_OK;
}

static atl_status start(atl_explainer *e, const atl_explainer_args *args)
{
    atl_shape shape = atl_shape_of(args->image);
    e->graph = atl_graph_of(args->image);
    e->image = args->image;
    e->scores = args->scores;
    e->fixed_batch = shape.size[0];
    e->height = shape.size[1];
    e->width = shape.size[2];
    e->channels = shape.size[3];
    e->classes = atl_shape_of(args->scores).size[1];
    e->memory = args->memory;
    e->most = e->fixed_batch > 0 ? (int)e->fixed_batch : args->batch ? args->batch : USUAL_BATCH;
    e->compile = args->compile;
    e->compile.graph = e->graph;
    atl_status status = find_layer(e, args->layer);
    return status ? status : build(e);
}

atl_explainer *atl_explainer_new_with(const atl_explainer_args *args)
{
    if (!args)
        return atl_null_argument("atl_explainer_new", "the options are"), NULL;
    if (check_nodes(args->image, args->scores))
        return NULL;
    if (args->memory < 0 || args->batch < 0 || args->batch > MOST_BATCH ||
        atl_shape_of(args->image).size[0] > MOST_BATCH) {
        atl_set_error(ATL_INVALID, "atl_explainer_new: .memory must not be negative, and a batch at most %d",
                      MOST_BATCH);
        return NULL;
    }
    atl_explainer *e = atl_allocate(1, sizeof *e);
    if (!e) {
        atl_set_error(ATL_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    if (start(e, args)) {
        atl_explainer_free(e);
        return NULL;
    }
    return e;
}

void atl_explainer_free(atl_explainer *e)
{
    if (!e)
        return;
    atl_explain_drop_programs(e);
    atl_tensor_free(e->pictures);
    atl_tensor_free(e->targets);
    atl_tensor_free(e->picture);
    atl_tensor_free(e->one_target);
    atl_release(e);
}

int atl_explainer_classes(const atl_explainer *e) { return e ? (int)e->classes : 0; }
atl_node *atl_explainer_layer(const atl_explainer *e) { return e ? e->layer : NULL; }
int64_t atl_explain_pixels(const atl_explainer *e) { return e->height * e->width * e->channels; }

const float *atl_explain_picture(const atl_explainer *e, const char *what, const atl_tensor *pixels)
{
    char given[160], wanted[160];
    const float *x = atl_floats(pixels);
    atl_shape shape = atl_tensor_shape(pixels), own = ATL_SHAPE(e->height, e->width, e->channels);
    if (!x) {
        atl_set_error(ATL_INVALID, "atl_explain: %s %s, but must be a float32 tensor", what,
                      pixels ? "has another type" : "is null");
        return NULL;
    }
    if (shape.rank == 4 && shape.size[0] == 1)
        shape = ATL_SHAPE(shape.size[1], shape.size[2], shape.size[3]);
    if (!atl_shape_equal(shape, own)) {
        atl_set_error(ATL_INVALID, "atl_explain: %s is %s, but the network takes %s: resize it (atl_fit_image)", what,
                      atl_shape_text(atl_tensor_shape(pixels), given, sizeof given),
                      atl_shape_text(own, wanted, sizeof wanted));
        return NULL;
    }
    for (int64_t i = 0; i < atl_explain_pixels(e); i++)
        if (!isfinite(x[i])) {
            atl_set_error(ATL_INVALID, "atl_explain: element %lld of %s is not a finite number", (long long)i, what);
            return NULL;
        }
    return x;
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

typedef struct scores_job {
    const atl_explainer *explainer;
    const float *x;
    atl_tensor *scores, *probabilities;
} scores_job;

static atl_status fill_picture(void *data, int64_t i, float *picture)
{
    const scores_job *job = data;
    (void)i;
    memcpy(picture, job->x, (size_t)atl_explain_pixels(job->explainer) * sizeof *picture);
    return ATL_OK;
}

static atl_status take_scores(void *data, int64_t i, const atl_explain_item *item)
{
    scores_job *job = data;
    atl_shape shape = ATL_SHAPE(job->explainer->classes);
    (void)i;
    job->scores = atl_tensor_of_floats(shape, item->scores);
    job->probabilities = atl_tensor_of_floats(shape, item->probabilities);
    return job->scores && job->probabilities ? ATL_OK : atl_error_status();
}

/* Gives the tensor to the caller, or frees it. */
static void hand_over(atl_tensor *tensor, int failed, atl_tensor **to)
{
    if (to && !failed)
        *to = tensor;
    else
        atl_tensor_free(tensor);
}

atl_status atl_explainer_scores(atl_explainer *e, const atl_tensor *pixels, atl_tensor **scores_out,
                                atl_tensor **probabilities_out)
{
    if (scores_out)
        *scores_out = NULL;
    if (probabilities_out)
        *probabilities_out = NULL;
    if (!e)
        return atl_null_argument("atl_explainer_scores", "the explainer is");
    scores_job job = {.explainer = e, .x = atl_explain_picture(e, "the picture", pixels)};
    if (!job.x)
        return ATL_INVALID;
    atl_status status = atl_explain_run(&(atl_explain_job){
        .explainer = e, .kind = ATL_KIND_SCORES, .count = 1, .fill = fill_picture, .take = take_scores, .data = &job});
    hand_over(job.scores, status != ATL_OK, scores_out);
    hand_over(job.probabilities, status != ATL_OK, probabilities_out);
    return status;
}
