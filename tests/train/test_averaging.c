/* The means of a training step: gradients are sent before the backward pass has ended, and dropout belongs to the part
 * of a batch, not to the rank that runs it. */
#include "support.h"

#include <stdatomic.h>
#include <time.h>

#include "../distributed/ranks_of_threads.h"

enum { ROWS = 4, INPUTS = 6, PARTS = 4, STEPS = 3 };

/* Three dense layers with dropout between them; `part` numbers the noise. */
typedef struct net {
    atl_graph *graph;
    atl_node *x, *number, *part, *step;
} net;

static net build(atl_all_reduce *r, atl_optimizer optimizer)
{
    net n = {.graph = atl_graph_new()};
    n.x = atl_input(n.graph, "x", ATL_FLOAT32, ATL_SHAPE(ROWS, INPUTS));
    n.number = atl_input(n.graph, "part", ATL_INT32, ATL_SCALAR);
    atl_set_noise_counter(n.graph, n.number);
    atl_node *h = atl_relu(atl_dense_layer(n.x, "first", 16));
    h = atl_relu(atl_dense_layer(atl_dropout(h, 0.5f), "second", 16));
    atl_node *cost = atl_mean(atl_square(atl_dense_layer(atl_dropout(h, 0.5f), "third", 3)));
    n.step = atl_minimize(cost, optimizer, .all_reduce = r, .part_out = &n.part);
    return n;
}

/* The last layer's gradients come first: their bucket is sent before the products of the first layer's. */
Test(averaging, buckets_are_sent_before_the_backward_pass_has_ended)
{
    atl_all_reduce *r = atl_all_reduce_new(NULL, .parts = PARTS, .bucket_bytes = 64);
    net n = build(r, atl_sgd(.rate = 0.1));
    atl_program *p = atl_compile(n.graph, ATL_NODES(n.part));
    cr_assert(p, "%s", atl_error());
    int64_t first_send = -1, last_product = -1, sends = 0;
    for (int64_t i = 0; i < atl_program_step_count(p); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(p, i, &info), ATL_OK);
        if (strcmp(info.op, "all_reduce_send") == 0) {
            first_send = sends++ ? first_send : i;
        } else if (strcmp(info.op, "matmul") == 0)
            last_product = i;
    }
    cr_assert(sends >= 6 && first_send < last_product, "the first of %lld sends is step %lld, the last product %lld",
              (long long)sends, (long long)first_send, (long long)last_product);
    atl_program_free(p);
    atl_graph_free(n.graph);
    atl_all_reduce_free(r);
}

/* The means are nodes: a drawing shows them, and a profile times them. */
Test(averaging, means_are_drawn_and_profiled)
{
    static const char *const ops[] = {"all_reduce_send", "all_reduce_receive"};
    atl_all_reduce *r = atl_all_reduce_new(NULL);
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ROWS, INPUTS));
    atl_node *step = atl_minimize(atl_mean(atl_square(atl_dense_layer(x, "layer", 2))), atl_sgd(), .all_reduce = r);
    atl_program *p = atl_compile(g, ATL_NODES(step));
    atl_tensor *value = random_tensor(ATL_SHAPE(ROWS, INPUTS), -1, 1);
    char *drawing = NULL, *profile = NULL;
    size_t drawn, profiled;
    FILE *file = open_memstream(&drawing, &drawn), *table = open_memstream(&profile, &profiled);
    cr_assert_eq(atl_program_profile(p, ATL_FEEDS({x, value}), 2), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_write_dot(.graph = g, .file = file), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_program_write_profile(p, table, ATL_PROFILE_JSON, NULL), ATL_OK, "%s", atl_error());
    fclose(file);
    fclose(table);
    for (int i = 0; i < 2; i++) {
        cr_assert(strstr(drawing, ops[i]), "%s is not drawn: %s", ops[i], drawing);
        cr_assert(strstr(profile, ops[i]), "%s is not in the profile: %s", ops[i], profile);
    }
    free(drawing);
    free(profile);
    atl_tensor_free(value);
    atl_program_free(p);
    atl_graph_free(g);
    atl_all_reduce_free(r);
}

typedef struct outcome {
    float weights[INPUTS * 16];
    char error[256];
    int counts_anew; /* each rank numbers its parts from 0: a mistake, which must change the weights */
    int profiles;    /* the part, before the training */
} outcome;

enum { PROFILED_RUNS = PARTS + 2 }; /* and one: a batch has fewer, and the last one is not complete */

/* Runs part `index` of all batches, or profiles it. */
static atl_status run_part(const net *n, atl_program *part, int64_t index, int32_t number, int profiles)
{
    float x[ROWS * INPUTS];
    for (int k = 0; k < ROWS * INPUTS; k++)
        x[k] = sinf((float)(index * ROWS * INPUTS + k));
    atl_tensor *images = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(ROWS, INPUTS), x),
               *counter = atl_tensor_view(ATL_INT32, ATL_SCALAR, &number);
    const atl_feed *feeds = ATL_FEEDS({n->x, images}, {n->number, counter});
    atl_status status = profiles ? atl_program_profile(part, feeds, PROFILED_RUNS) : atl_run(part, feeds);
    atl_tensor_free(images);
    atl_tensor_free(counter);
    return status;
}

static void train(const atl_ranks *ranks, void *context)
{
    outcome *o = context;
    int64_t first;
    atl_all_reduce *r = atl_all_reduce_new(ranks, .parts = PARTS);
    net n = build(r, atl_sgd(.rate = 0.1));
    atl_program *part = atl_compile(n.graph, ATL_NODES(n.part)), *step = atl_compile(n.graph, ATL_NODES(n.step));
    int64_t own = atl_all_reduce_parts(r, &first);
    if (o->profiles && run_part(&n, part, first, (int32_t)first, 1))
        snprintf(o->error, sizeof o->error, "%s", atl_error());
    if (o->profiles && !*o->error && atl_run(step, NULL) == ATL_OK)
        snprintf(o->error, sizeof o->error, "a step averages the parts of a profile");
    for (int s = 0; s < STEPS && part && step && !*o->error; s++) {
        for (int64_t i = 0; i < own && !*o->error; i++) {
            int32_t number = (int32_t)(s * PARTS + (o->counts_anew ? 0 : first) + i);
            if (run_part(&n, part, s * PARTS + first + i, number, 0))
                snprintf(o->error, sizeof o->error, "%s", atl_error());
        }
        if (!*o->error && atl_run(step, NULL))
            snprintf(o->error, sizeof o->error, "%s", atl_error());
    }
    memcpy(o->weights, atl_floats(atl_variable_value(atl_find(n.graph, "first/weights"))), sizeof o->weights);
    atl_program_free(part);
    atl_program_free(step);
    atl_graph_free(n.graph);
    atl_all_reduce_free(r);
}

static outcome train_with(int size, int counts_anew, int profiles)
{
    static outcome found[MOST_THREAD_RANKS];
    void *context[MOST_THREAD_RANKS];
    for (int i = 0; i < size; i++) {
        found[i] = (outcome){.counts_anew = counts_anew, .profiles = profiles};
        context[i] = &found[i];
    }
    run_ranks(size, 0, train, context);
    for (int i = 0; i < size; i++)
        cr_assert_str_empty(found[i].error);
    return found[0];
}

Test(averaging, dropout_belongs_to_the_part)
{
    outcome alone = train_with(1, 0, 0);
    for (int size = 2; size <= 4; size++) {
        outcome found = train_with(size, 0, 0);
        cr_assert(memcmp(found.weights, alone.weights, sizeof alone.weights) == 0, "%d ranks", size);
    }
    outcome anew = train_with(2, 1, 0);
    cr_assert(memcmp(anew.weights, alone.weights, sizeof alone.weights) != 0, "no dropout at all");
}

/* A profile runs a part more often than a batch has parts, and leaves nothing of them behind. */
Test(averaging, a_part_is_profiled)
{
    outcome plain = train_with(1, 0, 0);
    for (int size = 1; size <= 2; size++) {
        outcome profiled = train_with(size, 0, 1);
        cr_assert(memcmp(profiled.weights, plain.weights, sizeof plain.weights) == 0, "%d ranks", size);
    }
}

/* ---- updates while gradients travel ------------------------------------------------------------------------------ */

static atomic_int updates; /* of variables, begun */

static bool infer_noted(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, atl_shape_of(atl_input_of(y, 0))); }

static void note_update(const atl_node *y, const void *const *x, void *result)
{
    memcpy(result, x[0], (size_t)atl_shape_count(atl_shape_of(y)) * sizeof(float));
    atomic_fetch_add(&updates, 1);
}

static void noted_reference(const atl_node *y, const double *const *x, double *result)
{
    memcpy(result, x[0], (size_t)atl_shape_count(atl_shape_of(y)) * sizeof *result);
}

static const atl_op noted = {
    .name = "noted", .arity = 1, .infer = infer_noted, .kernel = note_update, .reference = noted_reference};

static atl_node *noted_update(const atl_optimizer *o, const atl_rule_inputs *u, atl_node *const *slot,
                              atl_node **new_slot)
{
    (void)o;
    (void)slot;
    (void)new_slot;
    return atl_sub(u->variable, atl_mul(u->rate, atl_apply(&noted, u->gradient)));
}

/* One rank of two; the other one sends what this one does. */
typedef struct mirror {
    int exchanges;
    int awaits_update_in; /* the number of the exchange, from 1, that ends when a variable is being updated */
    int fails_in;         /* the one that fails */
    int updated_meanwhile;
} mirror;

static atl_status mirror_blocks(void *context, const void *send, void *received, size_t bytes)
{
    mirror *m = context;
    m->exchanges++;
    for (int i = 0; m->exchanges == m->awaits_update_in && !m->updated_meanwhile && i < 3000; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        m->updated_meanwhile = atomic_load(&updates);
    }
    if (m->exchanges == m->fails_in)
        return atl_set_error(ATL_UNSUPPORTED, "the network is down");
    memcpy(received, send, bytes);
    memcpy((char *)received + bytes, send, bytes);
    return ATL_OK;
}

static atl_status mirror_sum(void *context, const void *send, void *received, size_t bytes)
{
    (void)context;
    memcpy(received, send, bytes);
    memcpy((char *)received + bytes, send, bytes);
    return ATL_OK;
}

typedef struct mirrored {
    atl_all_reduce *all_reduce;
    net net;
    atl_program *part, *step;
} mirrored;

static mirrored start_mirrored(mirror *m)
{
    static const atl_optimizer_rule rule = {.name = "noted", .update = noted_update};
    atl_ranks ranks = {.rank = 0, .size = 2, .context = m, .all_to_all = mirror_blocks, .all_gather = mirror_sum};
    mirrored t = {.all_reduce = atl_all_reduce_new(&ranks, .bucket_bytes = 64)};
    atomic_store(&updates, 0);
    t.net = build(t.all_reduce, (atl_optimizer){.rule = &rule, .rate = 0.1});
    t.part = atl_compile(t.net.graph, ATL_NODES(t.net.part), .check = -1);
    t.step = atl_compile(t.net.graph, ATL_NODES(t.net.step), .check = -1); /* a checked step could fail */
    cr_assert(t.part && t.step, "%s", atl_error());
    return t;
}

static void end_mirrored(mirrored *t)
{
    atl_program_free(t->part);
    atl_program_free(t->step);
    atl_graph_free(t->net.graph);
    atl_all_reduce_free(t->all_reduce);
}

static atl_status run_mirrored(const mirrored *t, float x)
{
    int32_t number = 0;
    float pixels[ROWS * INPUTS];
    for (int i = 0; i < ROWS * INPUTS; i++)
        pixels[i] = x;
    atl_tensor *images = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(ROWS, INPUTS), pixels),
               *counter = atl_tensor_view(ATL_INT32, ATL_SCALAR, &number);
    atl_status status = atl_run(t->part, ATL_FEEDS({t->net.x, images}, {t->net.number, counter}));
    atl_tensor_free(images);
    atl_tensor_free(counter);
    return status ? status : atl_run(t->step, NULL);
}

static float weight_of(const mirrored *t, const char *name)
{
    return atl_floats(atl_variable_value(atl_find(t->net.graph, name)))[0];
}

Test(averaging, a_variable_is_updated_while_the_next_bucket_travels)
{
    mirror m = {.awaits_update_in = 2};
    mirrored t = start_mirrored(&m);
    cr_assert_eq(run_mirrored(&t, 1), ATL_OK, "%s", atl_error());
    cr_assert(m.exchanges > 2 && m.updated_meanwhile > 0, "%d updates in the second of %d exchanges",
              m.updated_meanwhile, m.exchanges);
    end_mirrored(&t);
}

/* What is left is neither the old state nor the new one: only loading ends that. */
Test(averaging, what_a_failed_exchange_leaves_half_updated_is_not_saved)
{
    mirror m = {.awaits_update_in = 2, .fails_in = 2};
    mirrored t = start_mirrored(&m);
    atl_graph *copy = atl_graph_new();
    atl_variable(copy, "third/biases", ATL_SHAPE(3), atl_fill_with(5));
    cr_assert_eq(atl_copy_variables(copy, t.net.graph, 0), ATL_OK, "%s", atl_error());
    char whole[512];
    snprintf(whole, sizeof whole, "%s", scratch_file("whole.npz"));
    cr_assert_eq(atl_save_npz(t.net.graph, whole), ATL_OK, "%s", atl_error());
    float before = weight_of(&t, "third/biases");
    cr_assert_eq(run_mirrored(&t, 1), ATL_UNSUPPORTED);
    cr_assert_mentions(atl_error(), "the network is down");
    cr_assert(m.updated_meanwhile > 0);
    cr_assert_eq(atl_save_npz(t.net.graph, scratch_file("half.npz")), ATL_INVALID);
    cr_assert_mentions(atl_error(), "load a checkpoint");
    cr_assert_eq(atl_copy_variables(copy, t.net.graph, 0), ATL_INVALID);
    atl_node *variable = atl_find(t.net.graph, "third/biases");
    cr_assert_neq(atl_onnx_write(scratch_file("half.onnx"), ATL_NODES(variable)), ATL_OK);
    cr_assert_mentions(atl_error(), "load a checkpoint");
    cr_assert_eq(atl_load_npz(t.net.graph, whole), ATL_OK, "%s", atl_error());
    cr_assert_eq(weight_of(&t, "third/biases"), before);
    cr_assert_eq(atl_save_npz(t.net.graph, scratch_file("half.npz")), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_onnx_write(scratch_file("half.onnx"), ATL_NODES(variable)), ATL_OK, "%s", atl_error());
    atl_graph_free(copy);
    end_mirrored(&t);
}

/* A rank that is lost before the first means are there, and a cost that is not finite. */
Test(averaging, a_step_that_fails_before_its_first_update_changes_nothing)
{
    for (int is_nan = 0; is_nan < 2; is_nan++) {
        mirror m = {.fails_in = is_nan ? 0 : 1};
        mirrored t = start_mirrored(&m);
        float before = weight_of(&t, "third/weights");
        cr_assert_eq(run_mirrored(&t, is_nan ? NAN : 1), is_nan ? ATL_NOT_FINITE : ATL_UNSUPPORTED);
        cr_assert_eq(atomic_load(&updates), 0);
        cr_assert_eq(weight_of(&t, "third/weights"), before);
        cr_assert_eq(atl_save_npz(t.net.graph, scratch_file("before.npz")), ATL_OK, "%s", atl_error());
        end_mirrored(&t);
    }
}
