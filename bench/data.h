/* What reading data costs a training loop. */
#ifndef ATLED_BENCH_DATA_H
#define ATLED_BENCH_DATA_H

/* Shares of the time, in percent, a line of JSON for each network; 1, or 0 with the reason on stderr.  Data that is not there is
 * passed over with a word. */
int measure_data(double *shares, int pairs);

#endif
