/* How much reading data slows a training loop down. */
#ifndef ATLED_BENCH_DATA_H
#define ATLED_BENCH_DATA_H

/* Shares of the time, in per cent, one line of JSON per network; returns 1, or 0 with the reason on stderr.  Skips a
 * network whose data is missing, with a message. */
int measure_data(double *shares, int pairs);

#endif
