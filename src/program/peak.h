/* What the machine does in a second, measured before, between or after other work. */
#ifndef ATLED_PROGRAM_PEAK_H
#define ATLED_PROGRAM_PEAK_H

#include "atled/program.h"

enum { ATL_PEAK_SAMPLES = 10 }; /* at most, of a meter */

typedef struct atl_peak_meter atl_peak_meter;
/* Null with the error set. */
atl_peak_meter *atl_peak_meter_new(int threads);
void atl_peak_meter_free(atl_peak_meter *meter);
/* Measures once more. */
atl_status atl_peak_sample(atl_peak_meter *meter);
/* Of all samples; zeros if there are none. */
atl_machine_peak atl_best_peak(const atl_peak_meter *meter);

#endif
