/* How much reading data slows a training loop down: a few steps on batches from the reader, then as many steps on one
 * batch again and again, in turn.  The share of a pair is the additional time of the former, relative to their time. */
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cases.h"

static const struct data_case {
    const char *name, *network, *folder;
    int64_t side;
    int is_varied; /* flips images and changes their brightness and contrast; both variants crop at random */
} cases[] = {{"train_data_cifar10", "cifar10_train", "cifar10", 24, 1}, {"train_data_mlp", "mlp_adam", "mnist", 28, 0}};

typedef struct fed_loop {
    built_case b;
    atl_dataset *data;
    atl_batches *batches;
} fed_loop;

static int step(fed_loop *l, const atl_tensor *images)
{
    return atl_run(l->b.program, ATL_FEED(l->b.image, images)) == ATL_OK;
}

/* Runs a step on a whole batch of the network's shape. */
static int step_with_data(fed_loop *l)
{
    const atl_batch *batch;
    atl_shape shape = atl_shape_of(l->b.image);
    do
        batch = atl_batches_next(l->batches);
    while (batch->count < shape.size[0]);
    atl_tensor *images = atl_tensor_view(ATL_FLOAT32, shape, (float *)atl_floats(batch->images));
    int ok = images && step(l, images);
    atl_tensor_free(images);
    return ok;
}

/* Seconds; 0 if a step failed. */
static double seconds_of(fed_loop *l, int steps, int with_data)
{
    double start = seconds_now();
    for (int i = 0; i < steps; i++)
        if (!(with_data ? step_with_data(l) : step(l, l->b.pixels)))
            return 0;
    return seconds_now() - start;
}

static int open_loop(const struct data_case *c, const char *folder, fed_loop *l)
{
    if (!open_case(bench_case_find(c->network), &l->b))
        return 0;
    l->data = atl_dataset_open(folder, ATL_TRAINING);
    l->batches = l->data ? atl_batches_new(l->data, .size = atl_shape_of(l->b.image).size[0], .height = c->side,
                                           .width = c->side, .shuffle = 1, .random_crop = 1, .flip = c->is_varied,
                                           .brightness = c->is_varied ? 63 : 0, .contrast = c->is_varied ? 0.2f : 0)
                         : NULL;
    return l->batches != NULL;
}

/* A quarter of a second for each of the two, in turn. */
static int measure_loop(const struct data_case *c, fed_loop *l, double *shares, int pairs)
{
    double warm = seconds_of(l, 5, 1), one = warm > 0 ? seconds_of(l, 5, 0) / 5 : 0;
    if (one <= 0)
        return 0;
    int steps = (int)(0.25 / one) + 1;
    for (int i = 0; i < pairs; i++) {
        double took[2]; /* without, with data */
        took[i % 2] = seconds_of(l, steps, i % 2);
        took[!(i % 2)] = seconds_of(l, steps, !(i % 2));
        if (took[0] <= 0 || took[1] <= 0)
            return 0;
        shares[i] = 100 * (took[1] - took[0]) / took[1];
    }
    double median = median_of(shares, pairs);
    printf("{\"case\": \"%s\", \"who\": \"atled\", \"unit\": \"%%\", \"median\": %.3f, \"min\": %.3f, \"max\": %.3f, "
           "\"runs\": %d, \"step_ms\": %.3f}\n",
           c->name, median, shares[0], shares[pairs - 1], pairs, one * 1e3);
    return 1;
}

int measure_data(double *shares, int pairs)
{
    const char *root = getenv("ATLED_DATA");
    int ok = 1;
    for (size_t i = 0; ok && i < sizeof cases / sizeof cases[0]; i++) {
        char folder[4096];
        fed_loop l = {.data = NULL};
        snprintf(folder, sizeof folder, "%s/%s", root ? root : "../shared/data", cases[i].folder);
        if (access(folder, R_OK)) {
            fprintf(stderr, "%s: skipped: no %s (ATLED_DATA)\n", cases[i].name, folder);
            continue;
        }
        ok = open_loop(&cases[i], folder, &l) && measure_loop(&cases[i], &l, shares, pairs);
        atl_batches_free(l.batches);
        atl_dataset_free(l.data);
        close_case(&l.b);
    }
    return ok;
}
