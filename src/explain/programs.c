/* The programs of an explainer: compiled when first needed, with a batch that fits the memory limit. */
#include <stddef.h>

#include "atled/gradient.h"
#include "atled/op.h"
#include "atled/ops.h"
#include "explain/explainer.h"
#include "graph/error.h"
#include "kernels/maps.h"

/* ---- gradients with other rules ---------------------------------------------------------------------------------- */

/* True for max(x, 0) with an upper bound, as of networks whose relu6 is a clip; a clip to other bounds is no
 * activation. */
static int is_bounded_relu(const atl_node *y)
{
    const atl_clip_bounds *bounds = atl_attributes_of(y);
    return bounds->lowest == 0;
}

static atl_node *own_rule(atl_node *y, atl_node *dy) { return atl_op_of(y)->gradient[0](y, dy); }
static atl_node *guided_clip(atl_node *y, atl_node *dy) { return own_rule(y, is_bounded_relu(y) ? atl_relu(dy) : dy); }
static atl_node *deconvolution_clip(atl_node *y, atl_node *dy)
{
    return is_bounded_relu(y) ? atl_relu(dy) : own_rule(y, dy);
}

static atl_node *guided_relu6(atl_node *y, atl_node *dy) { return own_rule(y, atl_relu(dy)); }

static const atl_override guided[] = {{"relu", NULL, atl_guided_relu},
                                      {"relu6", NULL, guided_relu6},
                                      {"clip", NULL, guided_clip},
                                      {NULL, NULL, NULL}};
static const atl_override deconvolution[] = {{"relu", NULL, atl_deconvolution_relu},
                                             {"relu6", NULL, atl_deconvolution_relu},
                                             {"clip", NULL, deconvolution_clip},
                                             {NULL, NULL, NULL}};

atl_node *atl_explain_channel_mean(const atl_explainer *e)
{
    const atl_layer_form *f = &e->form;
    int is_tokens = atl_shape_of(e->layer).rank == 3;
    atl_node *channel = atl_one_hot(e->target, f->channels);
    channel = atl_reshape(channel, is_tokens           ? ATL_SHAPE(-1, 1, f->channels)
                                   : f->channels_first ? ATL_SHAPE(-1, f->channels, 1, 1)
                                                       : ATL_SHAPE(-1, 1, 1, f->channels));
    return atl_scale(atl_sum(atl_mul(e->layer, channel)), 1 / (float)(f->height * f->width));
}

static atl_status build_gradient(atl_explainer *e, atl_explain_kind kind)
{
    atl_kind_program *k = &e->kind[kind];
    if (kind == ATL_KIND_SCORES || k->gradient)
        return ATL_OK;
    if ((kind == ATL_KIND_LAYER || kind == ATL_KIND_CHANNEL) && !e->layer)
        return atl_set_error(ATL_INVALID,
                             "atl_explain: the network has no layer with a map or tokens, which Grad-CAM needs: see "
                             "atl_explainer_args.layer");
    atl_node *by = kind == ATL_KIND_LAYER ? e->layer : e->image;
    atl_node *of = kind == ATL_KIND_CHANNEL ? atl_explain_channel_mean(e) : e->score;
    return atl_gradients(ATL_NODES(of), ATL_NODES(by), &k->gradient,
                         .overrides = kind == ATL_KIND_GUIDED          ? guided
                                      : kind == ATL_KIND_DECONVOLUTION ? deconvolution
                                                                       : NULL);
}

/* ---- compiling --------------------------------------------------------------------------------------------------- */

void atl_explain_drop_programs(atl_explainer *e)
{
    for (int i = 0; i < ATL_KINDS; i++) {
        atl_program_free(e->kind[i].program);
        e->kind[i].program = NULL;
    }
}

static atl_status compile(atl_explainer *e, atl_explain_kind kind)
{
    atl_kind_program *k = &e->kind[kind];
    atl_compile_args args = e->compile;
    switch (kind) {
    case ATL_KIND_SCORES:
        args.outputs = ATL_NODES(e->scores, e->probabilities);
        k->program = atl_compile_with(&args);
        break;
    case ATL_KIND_LAYER:
        args.outputs = ATL_NODES(e->scores, e->probabilities, k->gradient, e->layer);
        k->program = atl_compile_with(&args);
        break;
    default:
        args.outputs = ATL_NODES(e->scores, e->probabilities, k->gradient);
        k->program = atl_compile_with(&args);
    }
    if (k->program)
        return ATL_OK;
    return atl_graph_status(e->graph) ? atl_set_error(atl_graph_status(e->graph), "%s", atl_graph_error(e->graph))
                                      : atl_error_status();
}

static int64_t weight_bytes(const atl_graph *graph)
{
    int64_t sum = 0;
    atl_nodes variables = atl_variables(graph);
    for (int64_t i = 0; i < variables.count; i++)
        sum += atl_shape_count(atl_shape_of(variables.node[i])) * 4;
    return sum;
}

/* The feeds of a batch. */
static atl_status make_feeds(atl_explainer *e, int batch, atl_tensor **pictures, atl_tensor **targets)
{
    if (*pictures && *targets && atl_tensor_shape(*pictures).size[0] == batch)
        return ATL_OK;
    atl_tensor_free(*pictures);
    atl_tensor_free(*targets);
    *pictures = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(batch, e->height, e->width, e->channels));
    *targets = atl_tensor_new(ATL_INT32, ATL_SHAPE(batch));
    return *pictures && *targets ? ATL_OK : atl_error_status();
}

/* Bytes that one more picture takes: its values, and its place in the feed. */
static int64_t picture_bytes(const atl_explainer *e, const atl_kind_program *k)
{
    return k->memory + atl_explain_pixels(e) * 4;
}

/* Runs one picture (or the only batch there is) to learn what it takes. */
static atl_status measure(atl_explainer *e, atl_kind_program *k)
{
    atl_tensor **pictures = e->fixed_batch > 0 ? &e->pictures : &e->picture;
    atl_tensor **targets = e->fixed_batch > 0 ? &e->targets : &e->one_target;
    atl_status status = make_feeds(e, e->fixed_batch > 0 ? (int)e->fixed_batch : 1, pictures, targets);
    if (!status)
        status = atl_run(k->program, ATL_FEEDS({e->image, *pictures}, {e->target, *targets}));
    k->memory = atl_program_arena_bytes(k->program);
    k->prepared = atl_program_prepared_bytes(k->program);
    return status;
}

static atl_status choose_batch(atl_explainer *e, atl_kind_program *k)
{
    int64_t kept = weight_bytes(e->graph) + k->prepared, one = picture_bytes(e, k);
    k->batch = e->most;
    if (!e->memory)
        return ATL_OK;
    if (kept + one > e->memory)
        return atl_set_error(ATL_UNSUPPORTED,
                             "atl_explain: %s takes %.1f MB, of which the weights take %.1f, but the limit is %.1f MB: "
                             "raise the memory limit",
                             e->fixed_batch > 0 ? "a run" : "one picture", (double)(kept + one) / 1e6,
                             (double)kept / 1e6, (double)e->memory / 1e6);
    /* The plan of one picture stays beside that of a batch. */
    int64_t more = (e->memory - kept - one) / one;
    if (e->fixed_batch < 0 && more < k->batch)
        k->batch = more < 2 ? 1 : (int)more;
    return ATL_OK;
}

atl_status atl_explain_feeds(atl_explainer *e, int batch) { return make_feeds(e, batch, &e->pictures, &e->targets); }

atl_status atl_explain_prepare(atl_explainer *e, atl_explain_kind kind)
{
    atl_kind_program *k = &e->kind[kind];
    if (k->program)
        return ATL_OK;
    if (e->memory)
        atl_explain_drop_programs(e);
    atl_status status = build_gradient(e, kind);
    if (!status)
        status = compile(e, kind);
    if (!status)
        status = measure(e, k);
    if (!status)
        status = choose_batch(e, k);
    if (status) {
        atl_program_free(k->program);
        k->program = NULL;
    }
    return status;
}
