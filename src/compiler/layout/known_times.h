/* What has been timed in this process, and its files. */
#ifndef ATLED_COMPILER_LAYOUT_KNOWN_TIMES_H
#define ATLED_COMPILER_LAYOUT_KNOWN_TIMES_H

/* Room for a key with its final zero. */
enum { ATL_LONGEST_TIME_KEY = 1000 };

/* Seconds; negative: it is not known. */
double atl_known_time(const char *key);

/* Keeps the time until the process ends; a key that is known keeps its first one.  0 with the error set. */
int atl_remember_time(const char *key, double seconds);

/* For tests: nothing has been timed. */
void atl_forget_times(void);

#endif
