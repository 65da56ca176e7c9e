/* One program, run by several threads at once, each with a context of its own.  Not a Criterion test, because
 * Criterion cannot run under the thread sanitizer: `./setup.sh test` builds it with that sanitizer, and with one
 * OpenMP thread per run, because the sanitizer does not understand how OpenMP's threads wait for each other.  Exit
 * code 0: all values were right. */
#include <pthread.h>

#include "nets.h"
#include "compiler/plan/plan.h"

/* More workers than processors, and more batch sizes than plans are kept: plans are made, found and dropped while
 * others run. */
enum { WORKERS = 4, BATCHES = 11, RUNS = 22, KEPT = 8 /* program.c: KEPT_PLANS */ };

static int failures;
static void check(int ok, const char *what, const char *why)
{
    if (!ok)
        fprintf(stderr, "FAILED: %s: %s\n", what, why ? why : "");
    failures += !ok;
}

/* ---- unknown batch ----------------------------------------------------------------------------------------------- */

typedef struct worker {
    atl_program *program;
    const small_net *net;
    atl_tensor *const *pixels, *const *expected; /* [batch - 1] */
    int id, runs, wrong, most_kept;
    char message[256];
} worker;

/* The same plan by one thread: the same bits. */
static int are_equal(const atl_tensor *a, const atl_tensor *b)
{
    int64_t count = atl_tensor_count(a);
    return count == atl_tensor_count(b) && !memcmp(atl_floats(a), atl_floats(b), (size_t)count * sizeof(float));
}

static void run_batch(worker *w, atl_context *context, int64_t batch)
{
    atl_status status = atl_context_run(context, ATL_FEED(w->net->image, w->pixels[batch - 1]));
    const atl_tensor *value = status ? NULL : atl_context_value(context, w->net->by_image);
    int kept = atl_program_kept_plans(w->program);
    w->most_kept = kept > w->most_kept ? kept : w->most_kept;
    w->runs++;
    if (value && are_equal(value, w->expected[batch - 1]))
        return;
    w->wrong++;
    snprintf(w->message, sizeof w->message, "batch %d: %s", (int)batch, status ? atl_error() : "a wrong value");
}

/* Messages contain names of nodes, which are made when first asked for. */
static void make_mistakes(worker *w, atl_context *context)
{
    w->wrong += atl_context_run(context, ATL_NO_FEEDS) == ATL_OK || !strstr(atl_error(), "'image'");
    w->wrong += atl_context_value(context, w->net->by_filter) != NULL;
}

static void *work(void *of)
{
    worker *w = of;
    atl_context *context = atl_context_new(w->program);
    for (int i = 0; context && i < RUNS; i++) {
        run_batch(w, context, 1 + (i * (w->id + 1) + w->id) % BATCHES);
        if (i % 8 == w->id)
            make_mistakes(w, context);
    }
    atl_context_free(context);
    return NULL;
}

/* The values of a program with one thread for every batch. */
static void expect(const small_net *net, atl_tensor **pixels, atl_tensor **expected)
{
    atl_program *program = atl_compile(net->graph, ATL_NODES(net->by_image), .threads = 1);
    for (int64_t batch = 1; batch <= BATCHES; batch++) {
        pixels[batch - 1] = atl_uniform_tensor(ATL_SHAPE(batch, 8, 8, 3), -1, 1, (uint64_t)batch);
        check(!atl_run(program, ATL_FEED(net->image, pixels[batch - 1])), "run alone", atl_error());
        expected[batch - 1] = atl_tensor_copy(atl_value(program, net->by_image));
    }
    atl_program_free(program);
}

static void plans_come_and_go_while_states_run(void)
{
    small_net net = small_net_new(ATL_ANY, 8);
    atl_tensor *pixels[BATCHES], *expected[BATCHES];
    worker workers[WORKERS];
    pthread_t threads[WORKERS];
    expect(&net, pixels, expected);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.by_image), .threads = 1);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (worker){program, &net, pixels, expected, .id = i};
        check(!pthread_create(&threads[i], NULL, work, &workers[i]), "unknown batch", "no thread");
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WORKERS; i++) {
        check(workers[i].runs == RUNS && !workers[i].wrong, "unknown batch", workers[i].message);
        check(workers[i].most_kept <= KEPT, "unknown batch", "more plans are kept than ought to be");
    }
    check(atl_program_kept_plans(program) == KEPT, "unknown batch", "another number of plans was kept");
    atl_program_free(program);
    for (int i = 0; i < BATCHES; i++) {
        atl_tensor_free(pixels[i]);
        atl_tensor_free(expected[i]);
    }
    atl_graph_free(net.graph);
}

/* ---- known shapes ------------------------------------------------------------------------------------------------ */

/* All use the plan made by the compiler, and the first to run prepares the filters for all. */
typedef struct starter {
    atl_program *program;
    const small_net *net;
    const atl_tensor *pixels;
    const atl_node *nameless; /* nobody has asked for its name yet; not an output */
    atl_tensor *result;
    int named;
} starter;

static void *start(void *of)
{
    starter *s = of;
    atl_context *context = atl_context_new(s->program);
    for (int i = 0; context && i < 3; i++)
        if (!atl_context_run(context, ATL_FEED(s->net->image, s->pixels)) && i == 2)
            s->result = atl_tensor_copy(atl_context_value(context, s->net->by_image));
    s->named = !atl_context_value(context, s->nameless) && strstr(atl_error(), "'nameless'");
    atl_context_free(context);
    return NULL;
}

static void what_is_made_once_is_made_for_all(void)
{
    small_net net = small_net_new(2, 8);
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(2, 8, 8, 3), -1, 1, 1);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.by_image), .threads = 1);
    atl_node *nameless = atl_named(atl_neg(net.loss), "nameless");
    starter starters[WORKERS];
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        starters[i] = (starter){program, &net, pixels, nameless, NULL, 0};
        check(!pthread_create(&threads[i], NULL, start, &starters[i]), "known shapes", "no thread");
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WORKERS; i++) {
        check(starters[i].result && starters[0].result && are_equal(starters[i].result, starters[0].result),
              "known shapes", "the states do not agree");
        check(starters[i].named, "known shapes", "a message does not name the node");
    }
    for (int i = 0; i < WORKERS; i++)
        atl_tensor_free(starters[i].result);
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(net.graph);
}

/* ---- programs of one graph --------------------------------------------------------------------------------------- */

enum { SIDE = 64, GRAPHS = 40 };

/* Each thread has a program of its own; all programs use the same variable, which none has read before. */
typedef struct sharer {
    atl_program *program;
    const atl_node *x, *y, *stranger;
    const atl_tensor *value;
    pthread_barrier_t *start;
    int failed, unnamed;
} sharer;

static void *run_own(void *of)
{
    sharer *s = of;
    pthread_barrier_wait(s->start);
    s->failed = atl_run(s->program, ATL_FEED(s->x, s->value)) != ATL_OK;
    s->unnamed = atl_run(s->program, ATL_NO_FEEDS) == ATL_OK || !strstr(atl_error(), "'x'") ||
                 atl_value(s->program, s->stranger) != NULL;
    return NULL;
}

/* All programs read the same memory: after it has been set to 0, all give 0. */
static void expect_zeros(const sharer *sharers, atl_node *w)
{
    atl_tensor *zero = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(SIDE, SIDE));
    check(!atl_variable_assign(w, zero), "programs of one graph", atl_error());
    for (int i = 0; i < WORKERS; i++) {
        const sharer *s = &sharers[i];
        check(!s->failed && !s->unnamed, "programs of one graph", "a first run");
        check(!atl_run(s->program, ATL_FEED(s->x, s->value)), "programs of one graph", atl_error());
        check(atl_scalar_of(s->program, s->y) == 0, "programs of one graph", "one keeps old weights");
    }
    atl_tensor_free(zero);
}

static void programs_of_one_graph_share_its_variables(void)
{
    for (int n = 0; n < GRAPHS; n++) {
        sharer sharers[WORKERS];
        pthread_t threads[WORKERS];
        pthread_barrier_t start;
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE)); /* plans are made at the first run */
        atl_node *w = atl_variable(g, "w", ATL_SHAPE(SIDE, SIDE), atl_uniform(1, 2)), *stranger = atl_neg(x);
        atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(2, SIDE), 1, 2, 1);
        pthread_barrier_init(&start, NULL, WORKERS);
        for (int i = 0; i < WORKERS; i++) {
            atl_node *y = atl_scale(atl_matmul(x, w), (float)(i + 1));
            sharers[i] = (sharer){atl_compile(g, ATL_NODES(y), .threads = 1), x, y, stranger, value, &start, 0, 0};
        }
        for (int i = 0; i < WORKERS; i++)
            check(!pthread_create(&threads[i], NULL, run_own, &sharers[i]), "programs of one graph", "no thread");
        for (int i = 0; i < WORKERS; i++)
            pthread_join(threads[i], NULL);
        expect_zeros(sharers, w);
        for (int i = 0; i < WORKERS; i++)
            atl_program_free(sharers[i].program);
        pthread_barrier_destroy(&start);
        atl_tensor_free(value);
        atl_graph_free(g);
    }
}

int main(void)
{
    programs_of_one_graph_share_its_variables();
    plans_come_and_go_while_states_run();
    what_is_made_once_is_made_for_all();
    return failures > 0;
}
