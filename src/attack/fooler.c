/* A network prepared for fooling: a loss on its logits, and the gradient with respect to the image. */
#include "attack/fooler.h"

#include "atled/gradient.h"
#include "atled/ops.h"
#include "common/clock.h"
#include "graph/error.h"
#include "graph/memory.h"

/* ---- the network, its loss, its gradient ------------------------------------------------------------------------- */

static int is_one(int64_t size) { return size == 1 || size == ATL_ANY; }

static atl_status check_nodes(const atl_node *image, const atl_node *logits)
{
    char text[160];
    atl_shape in = atl_shape_of(image), out = atl_shape_of(logits);
    if (!image || !logits) {
        const atl_graph *graph = atl_graph_of(image ? image : logits);
        const char *mistake = graph && *atl_graph_error(graph) ? atl_graph_error(graph) : atl_error();
        return atl_set_error(ATL_INVALID, "atl_fooler_new: %s is null%s%s", image ? "logits" : "image",
                             mistake[0] ? ": " : "", mistake);
    }
    if (in.rank != 4 || !is_one(in.size[0]) || in.size[1] < 1 || in.size[2] < 1 || in.size[3] < 1)
        return atl_set_error(ATL_INVALID,
                             "atl_fooler_new: the image '%s' is %s, but must be [1, height, width, channels]",
                             atl_name_of(image), atl_shape_text(in, text, sizeof text));
    if (out.rank != 2 || !is_one(out.size[0]) || out.size[1] < 1)
        return atl_set_error(ATL_INVALID, "atl_fooler_new: the logits '%s' are %s, but must be [1, classes]",
                             atl_name_of(logits), atl_shape_text(out, text, sizeof text));
    return ATL_OK;
}

/* Each loss is a scalar; a smaller one is better for the target. */
static atl_node *loss_of(atl_node *logits, atl_node *target, int64_t classes, atl_fool_loss kind)
{
    atl_node *score = atl_gather_last(logits, target);
    switch (kind) {
    case ATL_LOSS_LOGIT:
        return atl_neg(atl_sum(score));
    case ATL_LOSS_MARGIN: {
        atl_node *others = atl_sub(logits, atl_scale(atl_one_hot(target, classes), 1e30f));
        return atl_sum(atl_sub(atl_reduce_max(others, ATL_AXES(-1)), score));
    }
    case ATL_LOSS_SOFTMAX_MSE:
        return atl_mean_squared_error(atl_softmax(logits), atl_one_hot(target, classes));
    default:
        return atl_sum(atl_sparse_softmax_cross_entropy(logits, target));
    }
}

/* Enters a scope that no other fooler of the graph has. */
static void enter_own_scope(atl_graph *graph)
{
    char name[ATL_NAME_SIZE] = "fool";
    for (int i = 1; atl_find(graph, ATL_NAME("%.200s/target", name)); i++)
        atl_format_name(name, "fool_%d", i);
    atl_enter(graph, name);
}

static atl_status build(atl_fooler *fooler, atl_node *logits, atl_compile_args compile)
{
    atl_graph *graph = atl_graph_of(logits);
    enter_own_scope(graph);
    fooler->target = atl_input(graph, "target", ATL_INT32, ATL_SHAPE(atl_shape_of(logits).size[0]));
    fooler->loss = atl_named(loss_of(logits, fooler->target, fooler->classes, fooler->kind), "loss");
    fooler->probabilities = atl_named(atl_softmax(logits), "probabilities");
    atl_leave(graph);
    fooler->gradient = atl_gradient(fooler->loss, fooler->image);
    compile.graph = graph;
    compile.outputs = ATL_NODES(fooler->loss, fooler->probabilities, fooler->gradient);
    fooler->program = atl_compile_with(&compile);
    fooler->label = atl_tensor_new(ATL_INT32, ATL_SHAPE(1));
    if (!fooler->program)
        return atl_graph_status(graph) ? atl_set_error(atl_graph_status(graph), "%s", atl_graph_error(graph))
                                       : atl_error_status();
    return fooler->label ? ATL_OK : ATL_OUT_OF_MEMORY;
}

atl_fooler *atl_fooler_new_with(const atl_fooler_args *args)
{
    if (!args)
        return atl_null_argument("atl_fooler_new", "the options are"), NULL;
    atl_node *image = args->image, *logits = args->logits;
    if (check_nodes(image, logits))
        return NULL;
    if (args->compile.graph || args->compile.outputs.count) {
        atl_set_error(ATL_INVALID,
                      "atl_fooler_new: .compile.graph and .compile.outputs are the fooler's own: leave them out");
        return NULL;
    }
    atl_fooler *fooler = atl_allocate(1, sizeof *fooler);
    if (!fooler) {
        atl_set_error(ATL_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    fooler->image = image;
    fooler->logits = logits;
    fooler->compile = args->compile;
    fooler->kind = args->loss;
    fooler->shape = atl_shape_of(image);
    fooler->shape.size[0] = 1;
    fooler->classes = atl_shape_of(logits).size[1];
    if (build(fooler, logits, args->compile)) {
        atl_fooler_free(fooler);
        return NULL;
    }
    return fooler;
}

void atl_fooler_free(atl_fooler *fooler)
{
    if (!fooler)
        return;
    atl_program_free(fooler->program);
    atl_attacker_free(fooler->shared);
    atl_tensor_free(fooler->label);
    atl_release(fooler);
}

int atl_fooler_classes(const atl_fooler *fooler) { return fooler ? (int)fooler->classes : 0; }

/* ---- classification ---------------------------------------------------------------------------------------------- */

atl_status atl_fooler_run(atl_fooler *fooler, const atl_tensor *pixels, int target)
{
    double start = atl_seconds_now();
    atl_ints(fooler->label)[0] = target;
    atl_status status = atl_run(fooler->program, ATL_FEEDS({fooler->image, pixels}, {fooler->target, fooler->label}));
    fooler->seconds += atl_seconds_now() - start;
    return status;
}

atl_tensor *atl_fooler_picture(const atl_fooler *fooler, const atl_tensor *pixels)
{
    char given[160], requested[160];
    if (!fooler)
        return atl_null_argument("atl_fooler", "the fooler is"), NULL;
    atl_shape shape = atl_tensor_shape(pixels);
    if (shape.rank == 3)
        shape = ATL_SHAPE(1, shape.size[0], shape.size[1], shape.size[2]);
    if (atl_floats(pixels) && atl_shape_equal(shape, fooler->shape))
        return atl_tensor_of_floats(shape, atl_floats(pixels));
    if (!atl_floats(pixels))
        atl_set_error(ATL_INVALID, "the picture is %s, but must be a float32 tensor",
                      pixels ? atl_dtype_name(atl_tensor_dtype(pixels)) : "null");
    else
        atl_set_error(ATL_INVALID, "the picture is %s, but the network takes %s: resize it (atl_fit_image)",
                      atl_shape_text(atl_tensor_shape(pixels), given, sizeof given),
                      atl_shape_text(fooler->shape, requested, sizeof requested));
    return NULL;
}

static const atl_tensor *value_for(atl_fooler *fooler, const atl_tensor *pixels, int target, const atl_node *node)
{
    atl_tensor *picture = atl_fooler_picture(fooler, pixels);
    atl_status status = picture ? atl_fooler_run(fooler, picture, target) : atl_error_status();
    atl_tensor_free(picture);
    return status ? NULL : atl_value(fooler->program, node);
}

const atl_tensor *atl_fooler_classify(atl_fooler *fooler, const atl_tensor *pixels)
{
    return value_for(fooler, pixels, 0, fooler ? fooler->probabilities : NULL);
}

atl_status atl_fooler_check_target(const atl_fooler *fooler, int target)
{
    if (!fooler)
        return atl_null_argument("atl_fooler", "the fooler is");
    if (target >= 0 && target < fooler->classes)
        return ATL_OK;
    return atl_set_error(ATL_INVALID, "target %d: the network has classes 0..%lld", target,
                         (long long)fooler->classes - 1);
}

const atl_tensor *atl_fooler_gradient(atl_fooler *fooler, const atl_tensor *pixels, int target)
{
    return atl_fooler_check_target(fooler, target) ? NULL : value_for(fooler, pixels, target, fooler->gradient);
}

/* ---- many targets ------------------------------------------------------------------------------------------------ */

/* The loss for each picture of a run, [n], where the attacker has no such term. */
static atl_node *own_loss(const atl_fooler *fooler, atl_node *class)
{
    if (fooler->kind != ATL_LOSS_SOFTMAX_MSE)
        return NULL;
    atl_node *error = atl_sub(atl_softmax(fooler->logits), atl_one_hot(class, fooler->classes));
    return atl_reduce_mean(atl_square(error), .axis = {-1}, .axes = 1);
}

atl_status atl_fooler_share(atl_fooler *fooler)
{
    if (fooler->shared)
        return ATL_OK;
    atl_graph *graph = atl_graph_of(fooler->image);
    enter_own_scope(graph);
    atl_node *class = atl_input(graph, "target", ATL_INT32, ATL_SHAPE(atl_shape_of(fooler->logits).size[0]));
    atl_node *loss = own_loss(fooler, class);
    atl_leave(graph);
    /* One picture a run. On SqueezeNet, ResNet-20 and the CIFAR-10 net runs of 8 took longer, and when few targets are
     * left most of such a run would be wasted. */
    if (!atl_graph_status(graph))
        fooler->shared = atl_attacker_new(fooler->image, fooler->logits, .loss = loss, .loss_class = class, .rows = 1,
                                          .threads = fooler->compile.threads, .compile = fooler->compile);
    else
        return atl_set_error(atl_graph_status(graph), "%s", atl_graph_error(graph));
    return fooler->shared ? ATL_OK : atl_error_status();
}
