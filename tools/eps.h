/* The size of a change on the command line, and exact comparisons with it. */
#ifndef ATLED_TOOLS_EPS_H
#define ATLED_TOOLS_EPS_H

#include "atled/attack.h"

/* Reads "8/255", "0.031", or "8g" (grey levels; also "8grey", "8 grey levels"): a fraction of the range of a pixel.
 * For ATL_NORM_L0 a number of elements.  Returns 0, or the exit code after an error message. */
int read_eps(const char *command, const char *text, atl_norm norm, atl_fraction *eps_out);
/* "8/255" */
void write_eps(atl_fraction eps, char *text, unsigned long size);

/* The size of a change in whole levels of 0..255: exact. */
typedef struct exact_size {
    long long largest, sum, sum_of_squares, elements;
} exact_size;
/* Returns 0 if an element is no whole number. */
int measure_exactly(long long count, const float *original, const float *pixels, exact_size *size_out);
int is_within_eps(const exact_size *size, atl_norm norm, atl_fraction eps);

#endif
