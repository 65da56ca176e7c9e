/* The means of a training step: gradients are sent before the backward pass has ended, and dropout belongs to the part
 * of a batch, not to the rank that runs it. */
#include "support.h"
#include "../distributed/ranks_of_threads.h"

enum { ROWS = 4, INPUTS = 6, PARTS = 4, STEPS = 3 };

/* Three dense layers with dropout between them; `part` numbers the noise. */
typedef struct net {
    atl_graph *graph;
    atl_node *x, *number, *part, *step;
} net;

static net build(atl_all_reduce *r)
{
    net n = {.graph = atl_graph_new()};
    n.x = atl_input(n.graph, "x", ATL_FLOAT32, ATL_SHAPE(ROWS, INPUTS));
    n.number = atl_input(n.graph, "part", ATL_INT32, ATL_SCALAR);
    atl_set_noise_counter(n.graph, n.number);
    atl_node *h = atl_relu(atl_dense_layer(n.x, "first", 16));
    h = atl_relu(atl_dense_layer(atl_dropout(h, 0.5f), "second", 16));
    atl_node *cost = atl_mean(atl_square(atl_dense_layer(atl_dropout(h, 0.5f), "third", 3)));
    n.step = atl_minimize(cost, atl_sgd(.rate = 0.1), .all_reduce = r, .part_out = &n.part);
    return n;
}

/* The last layer's gradients come first: their bucket is sent before the products of the first layer's. */
Test(averaging, buckets_are_sent_before_the_backward_pass_has_ended)
{
    atl_all_reduce *r = atl_all_reduce_new(NULL, .parts = PARTS, .bucket_bytes = 64);
    net n = build(r);
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

typedef struct outcome {
    float weights[INPUTS * 16];
    char error[256];
    int counts_anew; /* each rank numbers its parts from 0: a mistake, which must change the weights */
} outcome;

static void train(const atl_ranks *ranks, void *context)
{
    outcome *o = context;
    int64_t first;
    atl_all_reduce *r = atl_all_reduce_new(ranks, .parts = PARTS);
    net n = build(r);
    atl_program *part = atl_compile(n.graph, ATL_NODES(n.part)), *step = atl_compile(n.graph, ATL_NODES(n.step));
    int64_t own = atl_all_reduce_parts(r, &first);
    for (int s = 0; s < STEPS && part && step && !*o->error; s++) {
        for (int64_t i = 0; i < own && !*o->error; i++) {
            int32_t number = (int32_t)(s * PARTS + (o->counts_anew ? 0 : first) + i);
            float x[ROWS * INPUTS];
            for (int k = 0; k < ROWS * INPUTS; k++)
                x[k] = sinf((float)((s * PARTS + first + i) * ROWS * INPUTS + k));
            atl_tensor *images = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(ROWS, INPUTS), x),
                       *counter = atl_tensor_view(ATL_INT32, ATL_SCALAR, &number);
            if (atl_run(part, ATL_FEEDS({n.x, images}, {n.number, counter})))
                snprintf(o->error, sizeof o->error, "%s", atl_error());
            atl_tensor_free(images);
            atl_tensor_free(counter);
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

static outcome train_with(int size, int counts_anew)
{
    static outcome found[MOST_THREAD_RANKS];
    void *context[MOST_THREAD_RANKS];
    for (int i = 0; i < size; i++) {
        found[i] = (outcome){.counts_anew = counts_anew};
        context[i] = &found[i];
    }
    run_ranks(size, 0, train, context);
    for (int i = 0; i < size; i++)
        cr_assert_str_empty(found[i].error);
    return found[0];
}

Test(averaging, dropout_belongs_to_the_part)
{
    outcome alone = train_with(1, 0);
    for (int size = 2; size <= 4; size++) {
        outcome found = train_with(size, 0);
        cr_assert(memcmp(found.weights, alone.weights, sizeof alone.weights) == 0, "%d ranks", size);
    }
    outcome anew = train_with(2, 1);
    cr_assert(memcmp(anew.weights, alone.weights, sizeof alone.weights) != 0, "no dropout at all");
}
