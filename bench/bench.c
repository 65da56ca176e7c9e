/* bench CASE RUNS: runs the case, and prints one line of JSON with the median and the minimum time of a step.
 *
 * CASE "compile": compiles VGG16 with its image gradient; "memory_CASE": the peak resident memory of the process
 * after three steps of that case; "plan_CASE": its plan, without a measurement; "steps_CASE": the median time of
 * each step of RUNS runs, beside the machine's peak; "train_data": how much reading data slows a training loop
 * down, one line per network, RUNS pairs of quarter seconds; "graph_chain", "graph_tree": builds, differentiates
 * and compiles graphs of 10^4, 10^5 and 10^6 nodes, two lines for each; "handover": the time to pass a value from
 * one thread to another, as a whole number of nanoseconds and nothing else: see bench/run. */
#include <malloc.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cases.h"
#include "data.h"

enum { MOST_RUNS = 1000 };

static int write_times(const char *name, double *times, int runs)
{
    double median = median_of(times, runs);
    printf("{\"case\": \"%s\", \"who\": \"atled\", \"unit\": \"ms\", \"median\": %.6f, \"min\": %.6f, \"runs\": %d}\n",
           name, median * 1e3, times[0] * 1e3, runs);
    return 1;
}

/* Steps in one measurement: enough that the clock resolves a short step. */
static int steps_per_run(double seconds) { return seconds > 0 && seconds < 1e-3 ? (int)(5e-3 / seconds) + 1 : 1; }

static int run_case(const bench_case *c, built_case *b, double *times, int runs)
{
    const atl_feed *feeds = ATL_FEED(b->image, b->pixels);
    if (atl_run(b->program, feeds)) /* computes the prepacked values */
        return 0;
    double start = seconds_now();
    if (atl_run(b->program, feeds))
        return 0;
    int steps = steps_per_run(seconds_now() - start);
    for (int i = 0; i < runs; i++) {
        start = seconds_now();
        for (int k = 0; k < steps; k++)
            if (atl_run(b->program, feeds))
                return 0;
        times[i] = (seconds_now() - start) / steps;
    }
    return write_times(c->name, times, runs);
}

static int measure_case(const bench_case *c, double *times, int runs)
{
    built_case b;
    int ok = open_case(c, &b) && run_case(c, &b, times, runs);
    close_case(&b);
    return ok;
}

static int measure_compiling(double *times, int runs)
{
    for (int i = 0; i < runs; i++) {
        built_case b;
        int ok = open_case(bench_case_find("vgg16_1"), &b);
        times[i] = b.compile_seconds;
        close_case(&b);
        if (!ok)
            return 0;
    }
    return write_times("compile", times, runs);
}

static const char memory_of[] = "memory_", plan_of[] = "plan_", steps_of[] = "steps_"; /* before the name of a case */

static const bench_case *case_after(const char *prefix, const char *name)
{
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 ? bench_case_find(name + length) : NULL;
}

static int write_plan(const bench_case *c)
{
    built_case b;
    int ok = open_case(c, &b) && atl_program_write_plan(b.program, stdout) == ATL_OK;
    close_case(&b);
    return ok;
}

static int write_steps(const bench_case *c, int runs)
{
    built_case b;
    atl_machine_peak peak;
    const int ok = open_case(c, &b) &&
                   !atl_program_profile_with_peak(b.program, ATL_FEED(b.image, b.pixels), runs, &peak) &&
                   !atl_program_write_profile(b.program, stdout, ATL_PROFILE_TABLE, &peak);
    close_case(&b);
    return ok;
}

/* Of the process, in MB. */
static int measure_memory(const bench_case *c)
{
    built_case b;
    struct rusage usage = {0};
    int ok = open_case(c, &b);
    const atl_feed feeds[] = {{b.image, b.pixels}, {NULL, NULL}};
    for (int i = 0; i < 3 && ok; i++)
        ok = atl_run(b.program, feeds) == ATL_OK;
    getrusage(RUSAGE_SELF, &usage);
    double megabytes = (double)usage.ru_maxrss * 1024 / 1e6;
    if (ok)
        printf("{\"case\": \"%s%s\", \"who\": \"atled\", \"unit\": \"MB\", \"median\": %.1f, \"min\": %.1f, "
               "\"runs\": 1, \"arena\": %.1f, \"prepared\": %.1f}\n",
               memory_of, c->name, megabytes, megabytes, (double)atl_program_arena_bytes(b.program) / 1e6,
               (double)atl_program_prepared_bytes(b.program) / 1e6);
    close_case(&b);
    return ok;
}

/* ---- how close the processors are to each other ------------------------------------------------------------------ */

/* Two threads pass a value to and fro; 0 if there is only one thread.  If both share one processor, nobody waits
 * long. */
static double seconds_of_handover(void)
{
    enum { HANDOVERS = 1000, PATIENCE = 1 << 16 };
    static _Alignas(128) atomic_int turn; /* thread 0 waits for even numbers, thread 1 for odd ones */
    int threads = 1;
    atomic_store(&turn, 0);
    double start = seconds_now();
#pragma omp parallel num_threads(2)
    {
        int me = omp_get_thread_num(), patience = PATIENCE;
        if (me == 0)
            threads = omp_get_num_threads();
        for (int k = 0; k < HANDOVERS && patience && omp_get_num_threads() == 2; k += 2) {
            while (atomic_load(&turn) != k + me && patience)
                patience--;
            atomic_store(&turn, k + me + 1);
        }
    }
    return threads == 2 ? (seconds_now() - start) / HANDOVERS : 0;
}

static int measure_handover(double *times)
{
    enum { RUNS = 21 }; /* a few milliseconds altogether */
    for (int i = 0; i < RUNS; i++)
        times[i] = seconds_of_handover();
    printf("%.0f\n", median_of(times, RUNS) * 1e9);
    return 1;
}

/* ---- large graphs ---- */

static atl_node *expression_of(atl_node *x, int64_t nodes)
{
    for (int64_t i = 0; i < nodes; i++)
        x = i % 2 ? atl_tanh(x) : atl_sin(x);
    return x;
}

/* Half of the nodes are leaves, each another multiple of x; the other half adds them up in pairs. */
static atl_node *tree_of(atl_node *x, int64_t nodes)
{
    int64_t count = nodes / 2;
    atl_node **level = malloc((size_t)count * sizeof *level);
    for (int64_t i = 0; level && i < count; i++)
        level[i] = atl_scale(x, 1 + (float)i);
    for (; level && count > 1; count = (count + 1) / 2)
        for (int64_t i = 0; i < count; i += 2)
            level[i / 2] = i + 1 < count ? atl_add(level[i], level[i + 1]) : level[i];
    atl_node *root = level ? level[0] : NULL;
    free(level);
    return root;
}

static double seconds_of_graph(atl_node *(*build)(atl_node *, int64_t), int64_t nodes)
{
    double start = seconds_now();
    atl_graph *graph = atl_graph_new();
    atl_node *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(16));
    atl_node *y = atl_sum(build(x, nodes)), *gradient = atl_gradient(y, x);
    atl_program *program = gradient ? atl_compile(graph, ATL_NODES(y, gradient)) : NULL;
    double seconds = program ? seconds_now() - start : 0;
    atl_program_free(program);
    atl_graph_free(graph);
    return seconds;
}

static void write_graph_time(const char *name, int64_t nodes, const char *memory, double median, double least, int runs)
{
    printf("{\"case\": \"%s_%lld%s\", \"who\": \"atled\", \"unit\": \"us/node\", \"median\": %.6f, \"min\": %.6f, "
           "\"runs\": %d}\n",
           name, (long long)nodes, memory, median * 1e6, least * 1e6, runs);
}

/* Microseconds per node of the forward part.  The process keeps its memory between the runs: the kernel clears fresh
 * pages, and the host of a virtual machine has to find them first, which for the largest graphs takes as long as
 * everything else.  The first run of each size, in fresh memory, has a line of its own. */
static int measure_graphs(const char *name, atl_node *(*build)(atl_node *, int64_t), double *times, int runs)
{
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, -1);
    for (int64_t nodes = 10000; nodes <= 1000000; nodes *= 10) {
        double fresh = seconds_of_graph(build, nodes) / (double)nodes;
        for (int i = 0; i < runs; i++) {
            times[i] = seconds_of_graph(build, nodes) / (double)nodes;
            if (times[i] == 0)
                return 0;
        }
        double median = median_of(times, runs);
        write_graph_time(name, nodes, "", median, times[0], runs);
        write_graph_time(name, nodes, "_fresh", fresh, fresh, 1);
    }
    return 1;
}

int main(int argc, char **argv)
{
    static double times[MOST_RUNS];
    const char *name = argc > 1 ? argv[1] : "";
    int runs = argc > 2 ? atoi(argv[2]) : 10, ok;
    runs = runs < 1 ? 1 : runs > MOST_RUNS ? MOST_RUNS : runs;
    if (strcmp(name, "compile") == 0)
        ok = measure_compiling(times, runs);
    else if (case_after(memory_of, name))
        ok = measure_memory(case_after(memory_of, name));
    else if (case_after(plan_of, name))
        ok = write_plan(case_after(plan_of, name));
    else if (case_after(steps_of, name))
        ok = write_steps(case_after(steps_of, name), runs);
    else if (strcmp(name, "train_data") == 0)
        ok = measure_data(times, runs);
    else if (strcmp(name, "handover") == 0)
        ok = measure_handover(times);
    else if (strcmp(name, "graph_chain") == 0)
        ok = measure_graphs(name, expression_of, times, runs);
    else if (strcmp(name, "graph_tree") == 0)
        ok = measure_graphs(name, tree_of, times, runs);
    else if (bench_case_find(name))
        ok = measure_case(bench_case_find(name), times, runs);
    else {
        int count;
        const bench_case *all = bench_cases(&count);
        fprintf(stderr,
                "usage: bench CASE [RUNS], where CASE is compile, memory_CASE, plan_CASE, steps_CASE, train_data, "
                "graph_chain, graph_tree, handover");
        for (int i = 0; i < count; i++)
            fprintf(stderr, ", %s", all[i].name);
        fputc('\n', stderr);
        return 2;
    }
    if (!ok)
        fprintf(stderr, "%s: %s\n", name, atl_error() ? atl_error() : "failed");
    return !ok;
}
