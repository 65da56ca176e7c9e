/* ranks NET BATCH PARTS BUCKET_MB STEPS [WIDTH]: training steps on random pictures, by the ranks that mpirun has
 * started, or by this process alone; OMP_NUM_THREADS threads each.  Rank 0 prints the median time of a step, the share
 * of it in which the ranks wait for others (on average; what the one that waits least waits is no imbalance), and the
 * processor time of all ranks for a step.  BUCKET_MB may be a fraction, 0: the default.  WIDTH: of local3 of cifar10,
 * so that there are more gradients. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "atled/atled.h"
#include "atled/mpi.h"

enum { MOST_STEPS = 1000, WARM_UP = 2 };

static double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double processor_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A batch's part, and a step's programs. */
typedef struct job {
    atl_all_reduce *all_reduce;
    atl_program *part, *step;
    const atl_node *image, *labels;
    atl_tensor *images, *truth;
    int64_t gradients; /* floats */
} job;

static int build(job *j, const atl_model *model, int width, int64_t rows)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(rows, model->height, model->width, 3)), *part = NULL;
    atl_node *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(rows));
    atl_node *logits = model->build(&(atl_model_args){.image = image, .training = 1, .widths = {0, 0, width}});
    atl_node *loss = atl_mean(atl_sparse_softmax_cross_entropy(logits, labels));
    atl_node *step =
        atl_minimize(loss, atl_momentum(.rate = 1e-4f), .all_reduce = j->all_reduce, .part_out = &part, .unchecked = 1);
    atl_nodes variables = atl_variables(g);
    for (int64_t i = 0; i < variables.count; i++)
        if (atl_variable_is_trainable(variables.node[i]))
            j->gradients += atl_tensor_count(atl_variable_value(variables.node[i]));
    j->image = image;
    j->labels = labels;
    j->part = atl_compile(g, ATL_NODES(part));
    j->step = atl_compile(g, ATL_NODES(step));
    j->images = atl_tensor_new(ATL_FLOAT32, atl_shape_of(image));
    j->truth = atl_tensor_new(ATL_INT32, ATL_SHAPE(rows));
    if (!j->part || !j->step || !j->images || !j->truth)
        return 0;
    for (int64_t i = 0; i < atl_tensor_count(j->images); i++)
        atl_floats(j->images)[i] = (float)(i * 7919 % 256);
    for (int64_t i = 0; i < rows; i++)
        atl_ints(j->truth)[i] = (int32_t)(i % 10);
    return 1;
}

static int run_step(const job *j)
{
    for (int64_t i = atl_all_reduce_parts(j->all_reduce, NULL); i > 0; i--)
        if (atl_run(j->part, ATL_FEEDS({j->image, j->images}, {j->labels, j->truth})))
            return 0;
    return atl_run(j->step, NULL) == ATL_OK;
}

typedef struct over_ranks {
    double sum, least;
} over_ranks;

static over_ranks take_over(const atl_ranks *ranks, double own)
{
    double all[1024] = {own};
    over_ranks result = {0, INFINITY};
    int size = ranks ? ranks->size : 1;
    if (ranks && (size > 1024 || ranks->all_gather(ranks->context, &own, all, sizeof own)))
        return result;
    for (int i = 0; i < size; i++) {
        result.sum += all[i];
        result.least = fmin(result.least, all[i]);
    }
    return result;
}

int main(int argc, char **argv)
{
    const atl_ranks *ranks = NULL;
    static double time[MOST_STEPS];
    const atl_model *model = argc > 5 ? atl_model_find(argv[1]) : NULL;
    int64_t batch = argc > 5 ? atoll(argv[2]) : 0, parts = argc > 5 ? atoll(argv[3]) : 0;
    int steps = argc > 5 ? atoi(argv[5]) : 0, width = argc > 6 ? atoi(argv[6]) : 0;
    if (!model || parts < 1 || batch < parts || steps < 1 || steps > MOST_STEPS) {
        fprintf(stderr, "ranks NET BATCH PARTS BUCKET_MB STEPS [WIDTH]\n");
        return 2;
    }
    int is_launched = getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE");
    job j = {.all_reduce = NULL};
    if (is_launched && atl_mpi_begin(&argc, &argv, &ranks))
        return fprintf(stderr, "%s\n", atl_error()), 3;
    j.all_reduce = atl_all_reduce_new(ranks, .parts = parts, .bucket_bytes = (int64_t)(atof(argv[4]) * 0x1p20));
    if (!j.all_reduce || !build(&j, model, width, batch / parts))
        return fprintf(stderr, "%s\n", atl_error()), 3;
    double waited = 0, processor = 0;
    for (int i = -WARM_UP; i < steps; i++) {
        if (i == 0) {
            waited = atl_all_reduce_waited(j.all_reduce);
            processor = processor_seconds();
        }
        double before = seconds_now();
        if (!run_step(&j))
            return fprintf(stderr, "%s\n", atl_error()), 3;
        if (i >= 0)
            time[i] = seconds_now() - before;
    }
    int size = ranks ? ranks->size : 1;
    double sum = 0;
    for (int i = 0; i < steps; i++)
        sum += time[i];
    waited = (atl_all_reduce_waited(j.all_reduce) - waited) / sum;
    over_ranks waiting = take_over(ranks, waited);
    processor = take_over(ranks, processor_seconds() - processor).sum / steps;
    qsort(time, (size_t)steps, sizeof *time, compare);
    if (!ranks || ranks->rank == 0)
        printf("%s, %d ranks, batch %lld in %lld parts, %.1f MB of gradients, buckets of %s MB: %.1f ms a step "
               "(least %.1f), %.1f %% waited (by the rank that waits least %.1f), %.1f ms of processor time, %s\n",
               model->name, size, (long long)batch, (long long)parts, 4e-6 * (double)j.gradients, argv[4],
               1e3 * time[steps / 2], 1e3 * time[0], 100 * waiting.sum / size, 100 * waiting.least, 1e3 * processor,
               atl_isa_name(atl_isa_in_use()));
    atl_all_reduce_free(j.all_reduce);
    if (ranks)
        atl_mpi_end();
    return 0;
}
