/* Measures the numbers of src/cost/cost.h on the machine at hand: see costs.c. */
#ifndef ATLED_BENCH_COSTS_H
#define ATLED_BENCH_COSTS_H

#include "cost/cost.h"
#include "floats.h"

/* The least time of a run, of many that take 0.2 s together. */
double least_seconds(void (*run)(void *data), void *data);
/* Bytes of the second-level cache of one core; 1 MB if the system does not tell. */
double second_level_cache(void);

/* Each sets some of the numbers, and may read those set before. */
void measure_memory(atl_costs *c);
void measure_winograd(atl_costs *c);
void measure_onednn(atl_costs *c); /* convolutions in float32 */
void measure_bfloat16(atl_costs *c);
void measure_threads(atl_costs *c);

#endif
