/* Times the algorithms that can compute a node, once per process, each with a program of that node alone.
 *
 * The key of a time describes what was timed: op, attributes, shapes, threads and algorithm (known_times.c). */
#include "compiler/layout/timing.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "atled/program.h"
#include "graph/memory.h"
#include "lowering/lowering.h"
#include "compiler/layout/known_times.h"
#include "compiler/plan/plan.h"
#include "lowering/op_hooks.h"

enum { RUNS = 7 };

/* ---- measuring --------------------------------------------------------------------------------------------------- */

/* Writes "conv2d 0100... [1, 55, 55, 16] [3, 3, 16, 64] threads 2 bfloat16 0 algorithm 1"; returns 0 if that is too
 * long for a key. */
static int describe_key(const atl_node *node, int algo, int bfloat16, char *key)
{
    const unsigned char *bytes = node->attributes;
    char shape[200];
    int at = snprintf(key, ATL_LONGEST_TIME_KEY, "%s ", node->op->name);
    for (size_t i = 0; i < node->op->attributes && at < ATL_LONGEST_TIME_KEY; i++)
        at += snprintf(key + at, (size_t)(ATL_LONGEST_TIME_KEY - at), "%02x", bytes[i]);
    for (int i = 0; i < node->input_count && at < ATL_LONGEST_TIME_KEY; i++)
        at += snprintf(key + at, (size_t)(ATL_LONGEST_TIME_KEY - at), " %s",
                       atl_shape_text(*node->inputs[i]->shape, shape, sizeof shape));
    if (at < ATL_LONGEST_TIME_KEY)
        at += snprintf(key + at, (size_t)(ATL_LONGEST_TIME_KEY - at), " threads %d bfloat16 %d algorithm %d",
                       omp_get_max_threads(), bfloat16, algo);
    return at < ATL_LONGEST_TIME_KEY;
}

/* Seconds of the steps that compute, without reorders; negative with the error set. */
static double seconds_of(const atl_program *program)
{
    double microseconds = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        if (atl_program_step(program, i, &info))
            return -1;
        if (!info.prepack && info.flops > 0)
            microseconds += info.microseconds;
    }
    return microseconds * 1e-6;
}

/* A graph of the node alone, with new inputs; feeds[] has room for one more feed than the node has inputs. */
static atl_node *alone(atl_graph *graph, const atl_node *node, atl_node **inputs, atl_feed *feeds)
{
    int count = 0, ok = 1;
    for (int i = 0; ok && i < node->input_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "input_%d", i);
        inputs[i] = atl_input(graph, name, node->inputs[i]->dtype, *node->inputs[i]->shape);
        if (!inputs[i] || !atl_reads_input(node, i))
            continue;
        atl_tensor *values = atl_uniform_tensor(*node->inputs[i]->shape, -1, 1, (uint64_t)i);
        ok = values != NULL;
        if (ok)
            feeds[count++] = (atl_feed){inputs[i], values};
    }
    return ok ? atl_apply_in(graph, node->op, node->attributes, node->input_count, inputs) : NULL;
}

static double measure(const atl_node *node, int algo, int bfloat16)
{
    enum { MOST_INPUTS = 8 };
    atl_node *inputs[MOST_INPUTS];
    atl_feed feeds[MOST_INPUTS + 1] = {{NULL, NULL}};
    if (node->input_count > MOST_INPUTS)
        return INFINITY;
    atl_graph *graph = atl_graph_new();
    atl_node *only = graph ? alone(graph, node, inputs, feeds) : NULL;
    atl_program *program = only ? atl_compile_with_algo(only, algo, bfloat16) : NULL;
    double seconds = program && !atl_program_profile(program, feeds, RUNS) ? seconds_of(program) : -1;
    if (seconds < 0 && graph && graph->broken)
        atl_set_error(graph->broken, "timing: %s", graph->error);
    atl_program_free(program);
    for (int i = 0; i < MOST_INPUTS; i++)
        atl_tensor_free((atl_tensor *)feeds[i].value);
    atl_graph_free(graph);
    return seconds;
}

/* Returns a negative number with the error set. */
static double time_of(const atl_node *node, int algo, int bfloat16)
{
    char key[ATL_LONGEST_TIME_KEY];
    if (!describe_key(node, algo, bfloat16, key))
        return INFINITY;
    double seconds = atl_known_time(key);
    if (seconds >= 0)
        return seconds;
    seconds = measure(node, algo, bfloat16);
    return seconds < 0 || atl_remember_time(key, seconds) ? seconds : -1;
}

static int time_node(atl_times *times, const atl_node *node, unsigned algos, int bfloat16)
{
    double best[2] = {INFINITY, INFINITY};
    for (int algo = 1; algo < ATL_ALGO_COUNT; algo++) {
        int blocked = algo >= ATL_ALGO_BLOCKED;
        double seconds = algos >> algo & 1 ? time_of(node, algo, bfloat16) : INFINITY;
        if (seconds < 0)
            return 0;
        if (seconds < best[blocked]) {
            best[blocked] = seconds;
            (blocked ? times->blocked : times->plain)[node->index] = (char)algo;
        }
    }
    times->gain[node->index] = isinf(best[0]) || isinf(best[1]) ? NAN : best[0] - best[1];
    return 1;
}

int atl_time_nodes(atl_times *times_out, const atl_graph *graph, const char *needed, const char *prepackable,
                   int winograd, int bfloat16)
{
    atl_times *times = times_out;
    int ok;
    times->plain = atl_allocate((size_t)graph->count, 1);
    times->blocked = atl_allocate((size_t)graph->count, 1);
    times->gain = atl_allocate((size_t)graph->count, sizeof *times->gain);
    ok = (times->plain && times->blocked && times->gain) || (atl_out_of_memory(), 0);
    for (int64_t n = 0; ok && n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        unsigned algos =
            needed[n] && !prepackable[n] && atl_hooks_of(node)->algos ? atl_hooks_of(node)->algos(node, winograd) : 0;
        times->gain[n] = NAN;
        ok = !(algos & (algos - 1)) ||
             time_node(times, node, algos, bfloat16); /* only if there are two algorithms or more */
    }
    if (!ok)
        atl_release_times(times);
    return ok;
}

void atl_release_times(atl_times *times)
{
    atl_release(times->plain);
    atl_release(times->blocked);
    atl_release(times->gain);
    *times = (atl_times){0};
}
