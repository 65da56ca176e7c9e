/* A network with what it takes to train it. */
#include "training.h"

#include <stdlib.h>
#include <string.h>

const char *const optimizer_names[] = {"sgd", "momentum", "nesterov", "adam", NULL};
const char *const schedule_names[] = {"constant", "cosine", "exponential", "step", NULL};

static int ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Weight decay of its own for each variable: on weights only, never on biases. */
static void set_decays(training *t)
{
    int64_t count;
    atl_node *const *variable = atl_variables(t->graph, &count);
    for (int64_t i = 0; i < count; i++) {
        int is_dense = atl_shape_of(variable[i]).rank == 2;
        double decay = is_dense && t->set.decay > 0 ? t->set.decay : t->set.decay_all;
        if (ends_in(atl_name_of(variable[i]), "/weights"))
            atl_variable_set_decay(variable[i], (float)decay);
    }
}

static atl_node *build_network(training *t)
{
    atl_model_args args = {.image = t->image};
    memcpy(args.widths, t->set.widths, sizeof args.widths);
    return t->set.model->build(&args);
}

static void build_losses(training *t)
{
    t->loss = atl_named(atl_mean(atl_sparse_softmax_cross_entropy(t->logits, t->labels)), "loss");
    atl_node *guess = atl_argmax(t->logits, 1);
    t->right = atl_mean(atl_equal(atl_cast(guess, ATL_FLOAT32), atl_cast(t->labels, ATL_FLOAT32)));
}

/* ---- the step --------------------------------------------------------------------------------------------------------- */

static const double pi = 3.14159265358979323846;

/* The learning rate of the step at hand, from the counter of steps. */
static atl_node *build_rate(const training *t)
{
    const training_settings *set = &t->set;
    atl_node *step = atl_cast(atl_step_counter(t->graph), ATL_FLOAT32), *rate = atl_number(step, (float)set->rate);
    if (set->schedule == SCHEDULE_COSINE) { /* rate / 2 * (1 + cos(pi * step / steps)) */
        atl_node *way = atl_clip(atl_scale(step, 1 / (float)set->steps), 0, 1);
        rate = atl_mul(rate, atl_scale(atl_shift(atl_cos(atl_scale(way, (float)pi)), 1), 0.5f));
    }
    if (set->schedule == SCHEDULE_EXPONENTIAL || set->schedule == SCHEDULE_STEP) { /* rate * factor^(step / every) */
        atl_node *times = atl_scale(step, 1 / (float)set->every);
        times = set->schedule == SCHEDULE_STEP ? atl_floor(times) : times;
        rate = atl_mul(rate, atl_pow(atl_number(step, (float)set->factor), times));
    }
    if (set->warm_up > 0)
        rate = atl_mul(rate, atl_clip(atl_scale(atl_shift(step, 1), 1 / (float)set->warm_up), 0, 1));
    return atl_named(rate, "rate");
}

/* A variable beside another, of its shape, in which the optimizer remembers. */
static atl_node *memory_of(atl_node *variable, const char *what)
{
    const char *name = ATL_NAME("optimizer/%s/%s", atl_name_of(variable), what);
    atl_node *memory = atl_variable(atl_graph_of(variable), name, atl_shape_of(variable), atl_zeros());
    return atl_variable_set_trainable(atl_variable_set_state(memory, 1), 0);
}

/* m <- momentum * m + g;  w <- w - rate * m, or with Nesterov's look ahead w - rate * (g + momentum * m) */
static atl_node *momentum_step(const training *t, atl_node *w, atl_node *g)
{
    float momentum = (float)t->set.momentum;
    atl_node *memory = memory_of(w, "momentum");
    atl_node *m = atl_assign(memory, atl_add(atl_scale(memory, momentum), g));
    atl_node *by = t->set.optimizer == OPTIMIZER_NESTEROV ? atl_add(g, atl_scale(m, momentum)) : m;
    return atl_group(atl_assign(w, atl_sub(w, atl_mul(by, t->rate))), m);
}

/* m <- m + (1 - b1) (g - m);  v <- v + (1 - b2) (g^2 - v);  w <- w - rate * c * m / (sqrt(v) + 1e-8), where the correction
 * c = sqrt(1 - b2^t) / (1 - b1^t) undoes that both began as zeros.  Kingma & Ba 2014 */
static atl_node *adam_step(const training *t, atl_node *w, atl_node *g)
{
    const float b1 = 0.9f, b2 = 0.999f;
    atl_node *time = atl_shift(atl_cast(atl_step_counter(t->graph), ATL_FLOAT32), 1);
    atl_node *m0 = memory_of(w, "m"), *v0 = memory_of(w, "v");
    atl_node *m = atl_assign(m0, atl_add(m0, atl_scale(atl_sub(g, m0), 1 - b1)));
    atl_node *v = atl_assign(v0, atl_add(v0, atl_scale(atl_sub(atl_square(g), v0), 1 - b2)));
    atl_node *left1 = atl_sub(atl_number(w, 1), atl_pow(atl_number(w, b1), time));
    atl_node *left2 = atl_sub(atl_number(w, 1), atl_pow(atl_number(w, b2), time));
    atl_node *rate = atl_mul(t->rate, atl_div(atl_sqrt(left2), left1));
    atl_node *by = atl_div(atl_mul(m, rate), atl_shift(atl_sqrt(v), 1e-8f));
    return atl_group(atl_assign(w, atl_sub(w, by)), m, v);
}

static atl_node *one_step(const training *t, atl_node *w, atl_node *g)
{
    if (t->set.optimizer == OPTIMIZER_SGD)
        return atl_assign(w, atl_sub(w, atl_mul(g, t->rate)));
    return t->set.optimizer == OPTIMIZER_ADAM ? adam_step(t, w, g) : momentum_step(t, w, g);
}

/* Half the squared norm of all gradients. */
static atl_node *build_slope(int64_t count, atl_node *const *g)
{
    atl_node *sum = NULL;
    for (int64_t i = 0; i < count; i++)
        sum = sum ? atl_add(sum, atl_l2_loss(g[i])) : atl_l2_loss(g[i]);
    return atl_check_finite(atl_named(sum, "slope"));
}

static atl_node *build_decay(const training *t)
{
    int64_t count;
    atl_node *const *variable = atl_variables(t->graph, &count);
    atl_node *sum = NULL;
    for (int64_t i = 0; i < count; i++) {
        float decay = atl_variable_decay(variable[i]);
        if (decay == 0)
            continue;
        atl_node *term = atl_scale(atl_l2_loss(variable[i]), decay);
        sum = sum ? atl_add(sum, term) : term;
        variable = atl_variables(t->graph, &count);
    }
    return sum;
}

/* Every trainable variable, as it stands before the optimizer adds its own. */
enum { MOST_VARIABLES = 512 };

static atl_node *build_update(training *t)
{
    int64_t count, trained = 0;
    atl_node *const *variable = atl_variables(t->graph, &count);
    atl_node *w[MOST_VARIABLES], *g[MOST_VARIABLES], *steps[MOST_VARIABLES + 1];
    for (int64_t i = 0; i < count && trained < MOST_VARIABLES; i++)
        if (atl_variable_is_trainable(variable[i]))
            w[trained++] = variable[i];
    if (atl_gradients(.of = ATL_NODES(t->cost), .by = {trained, w}, .result = g))
        return NULL;
    t->slope = build_slope(trained, g);
    for (int64_t i = 0; i < trained; i++)
        steps[i] = one_step(t, w[i], g[i]);
    atl_node *counter = atl_step_counter(t->graph);
    steps[trained] = atl_assign(counter, atl_increment(counter));
    return atl_group_with((int)trained + 1, steps);
}

static atl_node *build_cost(training *t)
{
    atl_node *decay = build_decay(t);
    return atl_check_finite(atl_named(decay ? atl_add(t->loss, decay) : t->loss, "cost"));
}

static int build(training *t)
{
    const training_settings *set = &t->set;
    atl_shape shape = ATL_SHAPE(ATL_ANY, set->height, set->width, set->channels);
    atl_set_seed(t->graph, set->seed);
    t->image = atl_input(t->graph, "image", ATL_FLOAT32, shape);
    t->labels = atl_input(t->graph, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    t->logits = build_network(t);
    build_losses(t);
    t->look = atl_compile(t->graph, ATL_NODES(t->logits, t->loss));
    if (set->look_only || !t->look)
        return t->look != NULL;
    set_decays(t);
    t->cost = build_cost(t);
    t->rate = build_rate(t);
    t->update = build_update(t);
    t->step = atl_compile(t->graph, ATL_NODES(t->update, t->loss, t->cost, t->right, t->rate, t->slope));
    return t->step != NULL;
}

int begin_training(const char *command, const training_settings *set, training *training_out)
{
    *training_out = (training){.set = *set, .graph = atl_graph_new()};
    if (!training_out->graph)
        return complain(command, EXIT_INTERNAL, "%s", atl_error());
    if (!build(training_out)) {
        const char *why = atl_graph_error(training_out->graph);
        return complain(command, EXIT_BAD_FILE, "%s: %s", set->model->name, why ? why : atl_error());
    }
    return 0;
}

void end_training(training *t)
{
    atl_program_free(t->step);
    atl_program_free(t->look);
    atl_graph_free(t->graph);
    *t = (training){.graph = NULL};
}

atl_status save_variables(const training *t, const char *path, int with_state)
{
    int64_t count;
    int entries = 0;
    atl_node *const *variable = atl_variables(t->graph, &count);
    atl_npz_entry *entry = malloc((size_t)count * sizeof *entry);
    if (!entry)
        return ATL_OUT_OF_MEMORY;
    for (int64_t i = 0; i < count; i++)
        if (with_state || !atl_variable_is_state(variable[i]))
            entry[entries++] = (atl_npz_entry){atl_name_of(variable[i]), atl_variable_value(variable[i])};
    atl_status status = atl_write_npz(path, entry, entries);
    free(entry);
    return status;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------ */

/* How many classes score higher than the true one; of equal ones the first comes first. */
static int place_of(const float *logits, int classes, int label)
{
    int before = 0;
    for (int i = 0; i < classes; i++)
        before += logits[i] > logits[label] || (logits[i] == logits[label] && i < label);
    return before;
}

static int guess_of(const float *logits, int classes)
{
    int best = 0;
    for (int i = 1; i < classes; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

static void count_guesses(const training *t, const atl_batch *batch, int64_t *confusion, score *sum)
{
    const atl_tensor *logits = atl_value(t->look, t->logits);
    int classes = (int)atl_tensor_shape(logits).size[1];
    for (int64_t i = 0; i < batch->count; i++) {
        const float *row = atl_floats(logits) + i * classes;
        int label = atl_ints(batch->labels)[i], place = place_of(row, classes, label);
        sum->right += place == 0;
        sum->top5 += place < 5;
        if (confusion)
            confusion[label * classes + guess_of(row, classes)]++;
    }
    sum->loss += (double)atl_number_of(t->look, t->loss) * (double)batch->count;
    sum->count += batch->count;
}

atl_status look_at(training *t, const atl_dataset *data, int64_t batch_size, int64_t *confusion, score *score_out)
{
    score sum = {0};
    atl_batches *batches = atl_batches_new(data, .size = batch_size, .height = t->set.height, .width = t->set.width);
    atl_status status = batches ? ATL_OK : ATL_INVALID;
    for (int last = 0; !status && !last;) {
        const atl_batch *batch = atl_batches_next(batches);
        status = atl_run(t->look, ATL_FEEDS({t->image, batch->images}, {t->labels, batch->labels}));
        if (!status)
            count_guesses(t, batch, confusion, &sum);
        last = batch->last;
    }
    atl_batches_free(batches);
    if (sum.count) {
        sum.loss /= (double)sum.count;
        sum.right /= (double)sum.count;
        sum.top5 /= (double)sum.count;
    }
    *score_out = sum;
    return status;
}
