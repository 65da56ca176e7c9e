/* A network and the graphs to train it. */
#include "training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"

const char *const optimizer_names[] = {"sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", NULL};
const char *const schedule_names[] = {"constant", "cosine", "exponential", "step", NULL};

/* ---- the network ------------------------------------------------------------------------------------------------- */

static int build_logits(const char *command, const training_settings *set, int in_training, int in_parts, net *n)
{
    atl_model_args args = {.image = n->image, .training = in_training};
    args.all_reduce = in_parts && set->sync_batch_norm ? set->all_reduce : NULL;
    memcpy(args.widths, set->widths, sizeof args.widths);
    if (!set->file)
        return (n->logits = set->model->build(&args)) != NULL;
    n->code = build_network_file(command, set->file, n->image, &n->net, &n->logits);
    atl_nodes variables = atl_variables(n->graph);
    for (int64_t i = 0; i < variables.count; i++) /* numbers that stand in formulas, such as the scale of attention */
        if (atl_shape_of(variables.node[i]).rank == 0)
            atl_variable_set_trainable(variables.node[i], 0);
    return !n->code;
}

/* in_parts: a batch is run in parts, and noise is numbered by the part, an input. */
static int build_net(const char *command, const training_settings *set, int in_training, int in_parts, net *n)
{
    n->graph = atl_graph_new();
    if (!n->graph)
        return 0;
    atl_set_seed(n->graph, set->seed);
    int64_t batch = set->file ? set->file->batch : ATL_ANY;
    n->image = atl_input(n->graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, set->height, set->width, set->channels));
    n->labels = atl_input(n->graph, "labels", ATL_INT32, ATL_SHAPE(batch));
    atl_set_noise_counter(n->graph, in_parts ? atl_input(n->graph, "part", ATL_INT32, ATL_SCALAR) : NULL);
    if (!build_logits(command, set, in_training, in_parts, n))
        return 0;
    n->loss = atl_named(atl_mean(atl_sparse_softmax_cross_entropy(n->logits, n->labels)), "loss");
    return n->loss != NULL;
}

static atl_program *compile(const training_settings *set, const net *n, atl_nodes outputs)
{
    atl_compile_args args = compile_args_of(&set->compile);
    args.graph = n->graph;
    args.outputs = outputs;
    return atl_compile_with(&args);
}

/* ---- what each variable has of its own --------------------------------------------------------------------------- */

static int ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Decay on weights only, never on biases. */
static void set_decays(const training *t)
{
    int64_t count = atl_variables(t->trained.graph).count;
    atl_node *const *variable = atl_variables(t->trained.graph).node;
    for (int64_t i = 0; i < count; i++) {
        int rank = atl_shape_of(variable[i]).rank;
        double decay = rank == 2 && t->set.decay > 0 ? t->set.decay : t->set.decay_all;
        if (t->set.file ? rank >= 2 : ends_in(atl_name_of(variable[i]), "/weights"))
            atl_variable_set_decay(variable[i], (float)decay);
    }
}

/* "conv1" is the variable of that name, or all in that scope. */
static int is_within(const char *variable, const char *scope, size_t length)
{
    return strncmp(variable, scope, length) == 0 && (variable[length] == 0 || variable[length] == '/');
}

typedef void set_number(atl_node *variable, float value);

static void set_decay(atl_node *variable, float value) { atl_variable_set_decay(variable, value); }

/* A rate of 0 freezes the variable, and its gradient is not computed. */
static void set_rate(atl_node *variable, float value)
{
    atl_variable_set_rate_scale(variable, value);
    if (value == 0)
        atl_variable_set_trainable(variable, 0);
}

/* NAME=X */
static int set_one(const char *command, const training *t, const char *option, const char *text, set_number *set)
{
    const char *equals = strrchr(text, '=');
    char *end = NULL;
    double value = equals ? strtod(equals + 1, &end) : 0;
    if (!equals || equals == text || end == equals + 1 || *end || !(value >= 0 && value <= 1e6))
        return report_error(command, EXIT_USAGE, "--%s %s: give NAME=X, where X is at least 0", option, text);
    int64_t count = atl_variables(t->trained.graph).count, found = 0;
    atl_node *const *variable = atl_variables(t->trained.graph).node;
    char names[1024] = "";
    for (int64_t i = 0; i < count; i++) {
        const char *name = atl_name_of(variable[i]);
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", name);
        if (!atl_variable_is_trainable(variable[i]) || !is_within(name, text, (size_t)(equals - text)))
            continue;
        set(variable[i], (float)value);
        found++;
    }
    return found ? 0
                 : report_error(command, EXIT_USAGE, "--%s %s: nothing of that name is trained; there are %s", option,
                                text, names);
}

static int set_each(const char *command, const training *t)
{
    int code = 0;
    for (int i = 0; i < t->set.decay_of.count && !code; i++)
        code = set_one(command, t, "decay-of", t->set.decay_of.value[i], set_decay);
    for (int i = 0; i < t->set.rate_of.count && !code; i++)
        code = set_one(command, t, "rate-of", t->set.rate_of.value[i], set_rate);
    return code;
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static atl_node *build_schedule(const training *t)
{
    const training_settings *set = &t->set;
    atl_graph *graph = t->trained.graph;
    float rate = (float)set->options.rate, factor = (float)set->factor;
    atl_rate_args drops = {.graph = graph, .rate = rate, .factor = factor};
    switch (set->schedule) {
    case SCHEDULE_COSINE:
        return atl_cosine_decay(graph, rate, .steps = set->steps, .lowest = (float)set->lowest);
    case SCHEDULE_EXPONENTIAL:
        return atl_exponential_decay(graph, rate, .every = set->every, .factor = factor, .staircase = set->staircase);
    case SCHEDULE_STEP:
        memcpy(drops.at, set->at, sizeof drops.at);
        return set->at[0] ? atl_step_decay_with(&drops)
                          : atl_exponential_decay(graph, rate, .every = set->every, .factor = factor, .staircase = 1);
    default:
        return atl_constant_rate(graph, rate);
    }
}

static atl_node *build_rate(const training *t)
{
    atl_node *rate = build_schedule(t);
    if (t->set.warm_up > 0)
        rate = atl_warm_up(rate, t->set.warm_up);
    return atl_named(rate, "rate");
}

static atl_optimizer make_optimizer(const training *t)
{
    typedef atl_optimizer with(const atl_optimizer *options);
    static with *const make[] = {atl_sgd_with,     atl_momentum_with, atl_nesterov_with, atl_rmsprop_with,
                                 atl_adagrad_with, atl_adam_with,     atl_adamw_with};
    atl_optimizer options = t->set.options;
    options.schedule = t->rate;
    options.rate = 0; /* the schedule has it */
    return make[t->set.optimizer](&options);
}

/* AdamW applies weight decay itself. */
static atl_node *build_cost(const training *t)
{
    atl_node *loss = t->trained.loss;
    return t->set.optimizer == OPTIMIZER_ADAMW ? loss : atl_add(loss, atl_weight_decay(t->trained.graph));
}

static void build_step(training *t)
{
    const training_settings *set = &t->set;
    const net *n = &t->trained;
    atl_node *guess = atl_cast(atl_argmax(n->logits, 1), ATL_FLOAT32);
    t->right = atl_mean(atl_equal(guess, atl_cast(n->labels, ATL_FLOAT32)));
    t->rate = build_rate(t);
    atl_node *mean[3] = {n->loss, t->right, NULL}, *reported[3];
    atl_minimize_args args = {.cost = build_cost(t),
                              .optimizer = make_optimizer(t),
                              .clip_value = (float)set->clip_value,
                              .clip_norm = (float)set->clip_norm,
                              .clip_global_norm = (float)set->clip_global_norm,
                              .average = (float)set->average,
                              .check_gradients = 1};
    if (set->all_reduce) {
        t->counter = atl_find(n->graph, "part");
        t->stop = atl_input(n->graph, "stop", ATL_FLOAT32, ATL_SCALAR);
        args.all_reduce = set->all_reduce;
        args.part_out = &t->part;
        reported[0] = n->loss;
        reported[1] = t->right;
        reported[2] = t->stop;
        args.reported = (atl_nodes){3, reported};
        args.reported_out = mean;
    }
    t->step = atl_minimize_with(&args);
    t->mean_loss = mean[0];
    t->mean_right = mean[1];
    t->mean_stop = mean[2];
    if (!set->all_reduce)
        t->train = compile(set, n, ATL_NODES(t->step, n->loss, t->right, t->rate));
    else if (t->step && (t->gradients = compile(set, n, ATL_NODES(t->part))))
        t->train = compile(set, n, ATL_NODES(t->step, t->mean_loss, t->mean_right, t->mean_stop, t->rate));
}

/* Only if averages are used, and a layer keeps statistics. */
static int build_measuring(const char *command, training *t)
{
    if (t->set.average <= 0 || atl_updates(t->trained.graph).count == 0)
        return 1;
    if (!build_net(command, &t->set, 1, 0, &t->measured))
        return 0;
    t->measure = compile(&t->set, &t->measured, ATL_NODES(atl_group_with(atl_updates(t->measured.graph))));
    return t->measure != NULL;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int refuse(const char *command, const training *t, const net *n)
{
    atl_status first = n->graph ? atl_graph_status(n->graph) : ATL_OK;
    if (n->code)
        return n->code;
    return report_error(command, exit_code_of(first ? first : atl_error_status()), "%s: %s",
                        t->set.file ? t->set.file->path : t->set.model->name,
                        first ? atl_graph_error(n->graph) : atl_error());
}

int begin_training(const char *command, const training_settings *set, training *training_out)
{
    training *t = training_out;
    *t = (training){.set = *set, .handed_over = -1};
    int code = begin_compiling(command, &set->compile);
    if (code)
        return code;
    if (build_net(command, set, 0, 0, &t->used))
        t->look = compile(set, &t->used, ATL_NODES(t->used.logits, t->used.loss));
    if (!t->look)
        return refuse(command, t, &t->used);
    if (set->look_only)
        return 0;
    if (!build_net(command, set, 1, set->all_reduce != NULL, &t->trained))
        return refuse(command, t, &t->trained);
    set_decays(t);
    code = set_each(command, t);
    if (code)
        return code;
    build_step(t);
    if (!t->train)
        return refuse(command, t, &t->trained);
    return build_measuring(command, t) ? 0 : refuse(command, t, &t->measured);
}

static void free_net(net *n)
{
    atl_onnx_free(n->net);
    atl_graph_free(n->graph);
}

void end_training(training *t)
{
    atl_program_free(t->train);
    atl_program_free(t->gradients);
    atl_program_free(t->look);
    atl_program_free(t->measure);
    free_net(&t->measured);
    free_net(&t->trained);
    free_net(&t->used);
    *t = (training){.step = NULL};
}

int64_t steps_done(const training *t)
{
    const atl_tensor *steps = atl_variable_value(atl_step_counter(t->trained.graph));
    return steps ? *atl_ints(steps) : 0;
}

/* Batch norm's running statistics belong to the weights, not to their averages.  For the averages they are measured
 * again, over batches of examples as in training.  Each batch multiplies the weight of the old statistics by 0.9: half
 * a per cent of it remains. */
static atl_status measure(training *t)
{
    enum { BATCHES = 50 };
    atl_batches_args examples = t->examples; /* whole batches */
    examples.parts = examples.first_part = examples.part_count = 0;
    examples.first = steps_done(t);
    atl_status status = atl_copy_variables(t->measured.graph, t->trained.graph, 1);
    atl_batches *batches = status ? NULL : atl_batches_new_with(&examples);
    if (!status && !batches)
        status = atl_error_status();
    for (int i = 0; i < BATCHES && !status; i++) {
        const atl_batch *batch = atl_batches_next(batches);
        status = batch ? atl_run(t->measure, ATL_FEED(t->measured.image, batch->images)) : atl_error_status();
    }
    atl_batches_free(batches);
    return status ? status : atl_copy_variables(t->used.graph, t->measured.graph, 0);
}

/* Averages are there after the first step. */
atl_status hand_over(training *t)
{
    if (!t->trained.graph || t->handed_over == steps_done(t))
        return ATL_OK;
    int averages = steps_done(t) > 0;
    atl_status status =
        averages && t->measure ? measure(t) : atl_copy_variables(t->used.graph, t->trained.graph, averages);
    t->handed_over = status ? -1 : steps_done(t);
    return status;
}

atl_status save_weights(training *t, const char *path)
{
    atl_status status = hand_over(t);
    return status ? status : atl_save_weights(t->used.graph, path);
}

atl_status save_checkpoint(const training *t, const char *path) { return atl_save_npz(t->trained.graph, path); }

atl_status load_weights(const training *t, const char *path, const atl_weight_name *names, atl_npz_report *report)
{
    if (t->set.file)
        return atl_load_weights(t->trained.graph, path, .names = names, .allow_missing = 1, .weights_only = 1,
                                .report_out = report);
    return atl_model_load(t->set.model, t->trained.graph, path, .names = names, .allow_missing = 1, .weights_only = 1,
                          .report_out = report);
}

const char *non_finite_variable_of(const training *t)
{
    const char *name = first_non_finite_variable(t->trained.graph);
    return name || t->handed_over != steps_done(t) ? name : first_non_finite_variable(t->used.graph);
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

/* The number of classes with a higher score than the true one; of equal ones the first comes first, and NaN never comes
 * first. */
static int place_of(const float *logits, int classes, int label)
{
    int before = 0;
    for (int i = 0; i < classes; i++)
        before += i < label ? !(logits[i] < logits[label]) : i > label && !(logits[i] <= logits[label]);
    return before;
}

static int guess_of(const float *logits, int classes)
{
    int best = 0;
    for (int i = 1; i < classes; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

static int are_finite(const float *x, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

static atl_status count_guesses(const training *t, const atl_batch *batch, int64_t *confusion, score *sum)
{
    const atl_tensor *logits = atl_value(t->look, t->used.logits), *loss = atl_value(t->look, t->used.loss);
    if (!logits || !loss)
        return atl_error_status();
    int64_t classes = atl_tensor_shape(logits).size[1];
    for (int64_t i = 0; i < batch->count; i++) {
        const float *row = atl_floats(logits) + i * classes;
        int label = atl_ints(batch->labels)[i], place = place_of(row, (int)classes, label);
        sum->right += place == 0;
        sum->top5 += place < 5;
        sum->not_finite += !are_finite(row, (int)classes);
        if (confusion)
            confusion[label * classes + guess_of(row, (int)classes)]++;
    }
    sum->loss += (double)*atl_floats(loss) * (double)batch->count;
    sum->count += batch->count;
    return ATL_OK;
}

atl_status look_at_batch(const training *t, const atl_batch *batch, int64_t *confusion, score *sum)
{
    atl_status status = atl_run(t->look, ATL_FEEDS({t->used.image, batch->images}, {t->used.labels, batch->labels}));
    return status ? status : count_guesses(t, batch, confusion, sum);
}

void finish_score(score *sum)
{
    if (!sum->count)
        return;
    sum->loss /= (double)sum->count;
    sum->right /= (double)sum->count;
    sum->top5 /= (double)sum->count;
}

atl_status look_at(training *t, const atl_dataset *data, int64_t batch_size, int64_t *confusion, score *score_out)
{
    score sum = {0};
    atl_batches *batches = atl_batches_new(data, .size = batch_size, .height = t->set.height, .width = t->set.width,
                                           .threads = (int)t->set.compile.threads);
    atl_status status = batches ? hand_over(t) : atl_error_status();
    for (int last = 0; !status && !last;) {
        const atl_batch *batch = atl_batches_next(batches);
        if (!batch) {
            status = atl_error_status();
            break;
        }
        status = look_at_batch(t, batch, confusion, &sum);
        last = batch->last;
    }
    atl_batches_free(batches);
    finish_score(&sum);
    *score_out = sum;
    return status;
}
