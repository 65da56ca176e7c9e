/* What the machine does in a second: the peaks that a profile is compared with. */
#include "program/peak.h"

#include "atled/ops.h"
#include "common/clock.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { SIDE = 1024, LONG = 1 << 23 };

struct atl_peak_meter {
    atl_graph *graph;
    atl_tensor *matrix, *vector;
    atl_node *a, *b, *v;
    atl_program *product, *negation;
    int samples;
    double product_time[ATL_PEAK_SAMPLES], negation_time[ATL_PEAK_SAMPLES]; /* seconds */
};

void atl_peak_meter_free(atl_peak_meter *m)
{
    if (!m)
        return;
    atl_program_free(m->product);
    atl_program_free(m->negation);
    atl_tensor_free(m->matrix);
    atl_tensor_free(m->vector);
    atl_graph_free(m->graph);
    atl_release(m);
}

static atl_status run(const atl_peak_meter *m, int is_product, double *time_out)
{
    double start = atl_seconds_now();
    atl_status status = is_product ? atl_run(m->product, ATL_FEEDS({m->a, m->matrix}, {m->b, m->matrix}))
                                   : atl_run(m->negation, ATL_FEED(m->v, m->vector));
    *time_out = atl_seconds_now() - start;
    return status;
}

atl_peak_meter *atl_peak_meter_new(int threads)
{
    atl_peak_meter *m = atl_allocate(1, sizeof *m);
    double unused;
    if (!m)
        return NULL;
    m->graph = atl_graph_new();
    m->matrix = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(SIDE, SIDE));
    m->vector = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(LONG));
    m->a = atl_input(m->graph, "a", ATL_FLOAT32, ATL_SHAPE(SIDE, SIDE));
    m->b = atl_input(m->graph, "b", ATL_FLOAT32, ATL_SHAPE(SIDE, SIDE));
    m->v = atl_input(m->graph, "v", ATL_FLOAT32, ATL_SHAPE(LONG));
    if (m->matrix && m->vector && m->v) {
        m->product = atl_compile(NULL, ATL_NODES(atl_matmul(m->a, m->b)), .threads = threads);
        m->negation = m->product ? atl_compile(NULL, ATL_NODES(atl_neg(m->v)), .threads = threads) : NULL;
    }
    /* The first run touches the memory. */
    if (m->negation && !run(m, 1, &unused) && !run(m, 0, &unused))
        return m;
    atl_peak_meter_free(m);
    return NULL;
}

atl_status atl_peak_sample(atl_peak_meter *m)
{
    if (m->samples >= ATL_PEAK_SAMPLES)
        return ATL_OK;
    atl_status status = run(m, 1, &m->product_time[m->samples]);
    if (!status)
        status = run(m, 0, &m->negation_time[m->samples]);
    m->samples += !status;
    return status;
}

atl_machine_peak atl_best_peak(const atl_peak_meter *m)
{
    double product = 0, negation = 0;
    for (int i = 0; i < m->samples; i++) {
        product = i == 0 || m->product_time[i] < product ? m->product_time[i] : product;
        negation = i == 0 || m->negation_time[i] < negation ? m->negation_time[i] : negation;
    }
    if (product <= 0 || negation <= 0)
        return (atl_machine_peak){0};
    return (atl_machine_peak){2.0 * SIDE * SIDE * SIDE / product, 8.0 * LONG / negation};
}

atl_machine_peak atl_measure_peak(int threads)
{
    atl_peak_meter *m = atl_peak_meter_new(threads);
    atl_machine_peak peak = {0};
    for (int i = 0; m && i < ATL_PEAK_SAMPLES; i++)
        if (atl_peak_sample(m))
            break;
    if (m)
        peak = atl_best_peak(m);
    atl_peak_meter_free(m);
    return peak;
}
