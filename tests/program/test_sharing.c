/* Threads of a run on one processor, as a crowded machine wants it. */
#define _GNU_SOURCE /* sched_getaffinity whatever -std= says */
#include <omp.h>
#include <sched.h>

#include "nets.h"
#include "program/sharing.h"

/* How many of the next runs have their threads together, on a machine where a run takes so long either way. */
static int runs_together(atl_sharing *s, int runs, double apart, double together)
{
    int count = 0;
    for (int i = 0; i < runs; i++) {
        bool now = atl_sharing_next(s);
        count += now;
        atl_sharing_note(s, now, now ? together : apart);
    }
    return count;
}

Test(sharing, runs_use_what_is_faster_and_look_again)
{
    atl_sharing s = {0};
    cr_assert_eq(runs_together(&s, 2, 2, 2), 2, "the first run says nothing, the second is measured");
    cr_assert_eq(runs_together(&s, 1, 2, 2), 0, "then the other way");
    int together = runs_together(&s, 200, 2, 1);
    cr_assert(together >= 190 && together < 200, "%d", together);
    together = runs_together(&s, 400, 1, 2); /* the machine is quiet now */
    cr_assert(together >= 1 && together <= 80, "%d", together);
    together = runs_together(&s, 400, 2, 1); /* and crowded again */
    cr_assert(together >= 320 && together < 400, "%d", together);
}

/* On a machine of many processors a run on one of them takes as much longer: that is tried as much more rarely. */
Test(sharing, trying_what_is_slow_costs_little)
{
    for (int factor = 2; factor <= 128; factor *= 4) {
        atl_sharing s = {0};
        runs_together(&s, 3, 1, factor);
        int slow = runs_together(&s, 100000, 1, factor);
        cr_assert_gt(slow, 0);
        cr_assert_leq((double)slow * factor, 100000 / 25.0, "%d runs that take %d times as long", slow, factor);
    }
}

static void places_of_threads(cpu_set_t *places, int threads)
{
    omp_set_num_threads(threads);
#pragma omp parallel
    sched_getaffinity(0, sizeof *places, &places[omp_get_thread_num()]);
}

Test(sharing, all_threads_move_and_come_back)
{
    cpu_set_t before[3], now[3], after[3];
    places_of_threads(before, 3);
    atl_share_processor();
    places_of_threads(now, 3);
    atl_leave_processor();
    places_of_threads(after, 3);
    for (int i = 0; i < 3; i++)
        cr_assert(CPU_EQUAL(&before[i], &after[i]), "thread %d", i);
    cr_assert_eq(CPU_COUNT(&now[0]), 1);
    cr_assert(CPU_EQUAL(&now[0], &now[1]));
    cr_assert(CPU_EQUAL(&now[0], &now[2]));
    atl_leave_processor(); /* nobody is away */
    places_of_threads(after, 3);
    cr_assert(CPU_EQUAL(&before[2], &after[2]));
}

Test(sharing, is_for_threads_that_sleep)
{
    unsetenv("OMP_WAIT_POLICY");
    cr_assert(!atl_can_share());
    setenv("OMP_WAIT_POLICY", "active", 1);
    cr_assert(!atl_can_share());
    setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
    cr_assert(atl_can_share());
}

static atl_program *compiled_with_policy(const small_net *net, const char *policy)
{
    setenv("OMP_WAIT_POLICY", policy, 1);
    atl_program *program = atl_compile(net->graph, ATL_NODES(net->by_image, net->by_filter), .threads = 3);
    cr_assert(program, "%s", atl_graph_error(net->graph));
    return program;
}

Test(sharing, changes_no_bit)
{
    small_net net = small_net_new(5, 32); /* large enough for loops to be divided */
    atl_tensor *pixels = random_tensor(ATL_SHAPE(5, 32, 32, 3), -1, 1);
    atl_program *apart = compiled_with_policy(&net, "active"), *either = compiled_with_policy(&net, "passive");
    cr_assert_eq(atl_run(apart, ATL_FEED(net.image, pixels)), ATL_OK, "%s", atl_error());
    for (int run = 0; run < 8; run++) { /* together, and then both ways */
        cr_assert_eq(atl_run(either, ATL_FEED(net.image, pixels)), ATL_OK, "%s", atl_error());
        const atl_node *of[] = {net.by_image, net.by_filter};
        for (int i = 0; i < 2; i++) {
            const atl_tensor *now = atl_value(either, of[i]);
            size_t bytes = (size_t)atl_tensor_count(now) * sizeof(float);
            cr_assert_eq(memcmp(atl_floats(now), atl_floats(atl_value(apart, of[i])), bytes), 0, "run %d, gradient %d",
                         run, i);
        }
    }
    atl_program_free(apart);
    atl_program_free(either);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}
