/* A recipe as a network: the layers, a head, a cost, gradients, a training step. */
#include "net.h"

#include "graph/random.h"

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

static void ask_for(net *n, atl_node *node, const char *format, ...) ATL_PRINTF(3, 4);
static void ask_for(net *n, atl_node *node, const char *format, ...)
{
    for (int i = 0; i < n->outputs; i++)
        if (n->output[i] == node)
            return;
    if (!node || n->outputs == MOST_OUTPUTS)
        return;
    va_list list;
    va_start(list, format);
    vsnprintf(n->about[n->outputs], sizeof *n->about, format, list);
    va_end(list);
    n->output[n->outputs++] = node;
}

/* ---- the head and the cost --------------------------------------------------------------------------------------- */

static atl_node *dense(net *n, atl_node *x, const char *name, int width, atl_activation *activation)
{
    float decay = n->recipe->option[NET_DECAY] ? 0.02f : 0;
    return atl_dense_layer(x, name, .width = width, .activation = activation, .decay = decay,
                           .weight_order = n->recipe->option[NET_HEAD] == 4 ? ATL_OUT_IN : ATL_IN_OUT);
}

static atl_node *head_of(net *n, atl_node *x)
{
    switch (n->recipe->option[NET_HEAD]) {
    case 1:
        net_say(n, "  head: mean of each channel, dense 10\n");
        return dense(n, atl_flatten(atl_avg_pool2d(x)), "dense", 10, NULL);
    case 2:
        net_say(n, "  head: dense 16, relu, dense 5\n");
        return dense(n, dense(n, atl_flatten(x), "dense1", 16, atl_relu), "dense2", 5, NULL);
    case 3:
        net_say(n, "  head: largest of each channel, layer norm, dense 33, tanh\n");
        return dense(n, atl_layer_norm(atl_reduce_max(x, ATL_AXES(1, 2))), "dense", 33, atl_tanh);
    case 4:
        net_say(n, "  head: dense 7, weights [out, in], softmax\n");
        return atl_softmax(dense(n, atl_flatten(x), "dense", 7, NULL));
    default:
        return x;
    }
}

static atl_node *loss_of(net *n, atl_node *x)
{
    static const char *names[] = {"mean of squares", "cross entropy", "Huber loss", "l2_loss", "mean and a power"};
    int loss = n->recipe->option[NET_LOSS];
    net_say(n, "  cost: %s\n", names[loss]);
    switch (loss) {
    case 0:
        return atl_mean(atl_square(x));
    case 1:
        return atl_mean(atl_softmax_cross_entropy(x, .label = ATL_ZERO));
    case 2:
        return atl_mean(atl_huber_loss(x, atl_fill(x, 0.3f), 0.5f));
    case 3:
        return atl_scale(atl_l2_loss(x), 0.01f);
    default:
        return atl_add(atl_mean(x), atl_sum(atl_scale(atl_mul(x, atl_square(x)), 0.01f)));
    }
}

static void build_cost(net *n)
{
    const int *option = n->recipe->option;
    atl_node *last = head_of(n, n->value[n->recipe->layers]);
    if (option[NET_OPTIMIZER]) /* so that there is something to train */
        last = atl_mul(last, atl_variable(n->graph, "gain", ATL_SCALAR, atl_fill_with(0.9f)));
    n->last = last;
    n->cost = loss_of(n, last);
    n->used[n->recipe->layers] = 1;
    for (int k = 0; option[NET_LEAVES] && k <= n->recipe->layers; k++)
        if (!n->used[k])
            n->cost = atl_add(n->cost, atl_mean(n->value[k]));
    if (option[NET_DECAY])
        n->cost = atl_add(n->cost, atl_weight_decay(n->graph));
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static void ask_for_gradients(net *n, atl_node *of, const char *name)
{
    const int *option = n->recipe->option;
    atl_node *by[MOST_OUTPUTS], *result[MOST_OUTPUTS];
    int64_t variables = atl_variables(n->graph).count, count = 0;
    atl_node *const *variable = atl_variables(n->graph).node;
    if (option[NET_BY_IMAGE])
        by[count++] = n->image;
    if (option[NET_BY_VALUE] && option[NET_BY_VALUE] <= n->recipe->layers)
        by[count++] = n->value[option[NET_BY_VALUE]];
    for (int64_t i = 0; i < variables && option[NET_BY_VARIABLES] && count < MOST_OUTPUTS; i++)
        if (atl_variable_is_trainable(variable[i])) {
            by[count++] = variable[i];
            if (option[NET_BY_VARIABLES] == 1)
                break;
        }
    if (!count || atl_gradients(.of = {1, &of}, .by = {count, by}, .result_out = result, .unused = ATL_UNUSED_ZEROS))
        return;
    for (int64_t i = 0; i < count; i++)
        ask_for(n, result[i], "d %s / d %.24s", name, atl_name_of(by[i]));
    if (option[NET_SECOND_ORDER] && of == n->cost)
        ask_for(n, atl_gradient(atl_sum(atl_square(result[0])), by[0]), "d^2 cost");
}

/* ---- the training step ------------------------------------------------------------------------------------------- */

static atl_optimizer optimizer_of(int option)
{
    switch (option) {
    case 1:
        return atl_sgd(.rate = 0.1);
    case 2:
        return atl_momentum(.rate = 0.1);
    case 3:
        return atl_nesterov(.rate = 0.1);
    case 4:
        return atl_rmsprop(.rate = 0.01, .epsilon = 1e-3);
    case 5:
        return atl_adagrad(.rate = 0.1, .start = 0.1);
    case 6:
        return atl_adam(.rate = 0.01, .epsilon = 1e-3);
    case 7:
        return atl_adamw(.rate = 0.01, .epsilon = 1e-3);
    default:
        return atl_rmsprop(.rate = 0.01, .epsilon = 1e-3, .momentum = 0.9);
    }
}

/* The step, or a node computed from it: the assignments must be made for either. */
static atl_node *in_form(net *n, atl_node *step, int form)
{
    switch (form) {
    case 1:
        return atl_reshape(step, ATL_SHAPE(1));
    case 2:
        return atl_expand_dims(step, 0);
    case 3:
        return atl_flatten(atl_expand_dims(step, 0));
    case 4:
        return atl_stack(0, step, atl_scalar(step, 7));
    case 5:
        return atl_scale(atl_reshape(step, ATL_SHAPE(1)), 2);
    case 6:
        return atl_group(n->cost, step);
    case 7:
        return atl_squeeze(atl_expand_dims(step, 0), 0);
    case 8:
        return atl_concat(0, atl_reshape(step, ATL_SHAPE(1)), atl_reshape(n->cost, ATL_SHAPE(1)));
    case 9:
        return atl_broadcast_to(atl_reshape(step, ATL_SHAPE(1, 1)), ATL_SHAPE(2, 3));
    case 10:
        return atl_slice(atl_stack(0, atl_scalar(step, 7), step), .begin = {1});
    case 11:
        return atl_reshape_like(step, n->cost);
    case 12:
        return atl_relu(atl_transpose(atl_reshape(step, ATL_SHAPE(1, 1))));
    default:
        return step;
    }
}

static void ask_for_step(net *n)
{
    const int *option = n->recipe->option;
    if (!option[NET_OPTIMIZER])
        return;
    int clip = option[NET_CLIP];
    atl_node *step = atl_minimize(n->cost, optimizer_of(option[NET_OPTIMIZER]), .clip_value = clip == 1 ? 0.05f : 0,
                                  .clip_norm = clip == 2 ? 0.1f : 0, .clip_global_norm = clip == 3 ? 0.2f : 0,
                                  .average = option[NET_AVERAGE] ? 0.9f : 0);
    ask_for(n, in_form(n, step, option[NET_STEP_FORM]), "the training step");
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

void net_begin(net *n, const net_recipe *recipe, int64_t batch, uint64_t attempt)
{
    const int *option = recipe->option;
    *n = (net){.recipe = recipe, .graph = atl_graph_new()};
    atl_set_seed(n->graph, atl_random_bits(recipe->seed ^ recipe->number, attempt));
    atl_shape shape = ATL_SHAPE(batch, option[NET_HEIGHT], option[NET_WIDTH], option[NET_CHANNELS]);
    n->value[0] = n->image = atl_input(n->graph, "image", ATL_FLOAT32, shape);
    net_say(n, "  0 = image [%d, %d, %d, %d]%s\n", option[NET_BATCH], option[NET_HEIGHT], option[NET_WIDTH],
            option[NET_CHANNELS], option[NET_ANY_BATCH] ? ", compiled for any batch" : "");
}

void net_build(net *n, const net_recipe *recipe, int64_t batch, uint64_t attempt)
{
    net_begin(n, recipe, batch, attempt);
    for (int k = 0; k < recipe->layers; k++)
        net_add_layer(n, k);
    build_cost(n);
    ask_for(n, n->last, "the last value");
    ask_for(n, n->cost, "the cost");
    for (int k = 0; k < recipe->layers; k++)
        if (recipe->option[NET_WANTS] >> k & 1)
            ask_for(n, n->value[k + 1], "value %d", k + 1);
    ask_for_gradients(n, n->cost, "cost");
    if (recipe->option[NET_SECOND_COST])
        ask_for_gradients(n, atl_mean(n->last), "mean");
    ask_for_step(n);
}

void net_describe(const net_recipe *recipe, char *text, size_t size)
{
    static const char *names[NET_OPTIONS] = {[NET_BY_IMAGE] = "by image",
                                             [NET_BY_VARIABLES] = "by variables",
                                             [NET_BY_VALUE] = "by value",
                                             [NET_SECOND_COST] = "second cost",
                                             [NET_SECOND_ORDER] = "d^2 cost",
                                             [NET_WANTS] = "wants",
                                             [NET_OPTIMIZER] = "optimizer",
                                             [NET_STEP_FORM] = "form of step",
                                             [NET_CLIP] = "clip",
                                             [NET_AVERAGE] = "average",
                                             [NET_BFLOAT16] = "bfloat16",
                                             [NET_THREADS] = "threads",
                                             [NET_TIMING] = "timing",
                                             [NET_NAN] = "NaN in the image",
                                             [NET_FEED_BACK] = "feed back",
                                             [NET_CONTEXT] = "second context",
                                             [NET_TWO_PROGRAMS] = "two programs",
                                             [NET_LEAVES] = "leaves",
                                             [NET_DECAY] = "decay"};
    net n;
    net_build(&n, recipe, recipe->option[NET_BATCH], 0);
    net_say(&n, "  options:");
    for (int i = 0; i < NET_OPTIONS; i++)
        if (names[i] && recipe->option[i])
            net_say(&n, " %s %d;", names[i], recipe->option[i]);
    snprintf(text, size, "%s\n", n.text);
    atl_graph_free(n.graph);
}
