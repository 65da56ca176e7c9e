/* Times the algorithms that can compute a node, once per process, by a callback that runs the node alone (plan.h).
 *
 * The key of a time describes what was timed: op, attributes, shapes, threads and algorithm (known_times.c). */
#include "compiler/layout/timing.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "graph/memory.h"
#include "lowering/lowering.h"
#include "compiler/layout/known_times.h"
#include "lowering/op_hooks.h"

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

/* Returns a negative number with the error set. */
static double time_of(const atl_node *node, int algo, int bfloat16, atl_measure_node *measure)
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

static int time_node(atl_times *times, const atl_node *node, unsigned algos, int bfloat16, atl_measure_node *measure)
{
    double best[2] = {INFINITY, INFINITY};
    for (int algo = 1; algo < ATL_ALGO_COUNT; algo++) {
        int blocked = atl_algo_is_blocked(algo);
        double seconds = algos >> algo & 1 ? time_of(node, algo, bfloat16, measure) : INFINITY;
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
                   int winograd, int bfloat16, atl_measure_node *measure)
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
             time_node(times, node, algos, bfloat16, measure); /* only if there are two algorithms or more */
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
