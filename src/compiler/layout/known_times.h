/* The times measured in this process, and files of times. */
#ifndef ATLED_COMPILER_LAYOUT_KNOWN_TIMES_H
#define ATLED_COMPILER_LAYOUT_KNOWN_TIMES_H

/* The size of a key, with its final zero. */
enum { ATL_LONGEST_TIME_KEY = 1000 };

/* Seconds; negative if the time is not known. */
double atl_known_time(const char *key);

/* Stores the time until the process ends; a known key keeps its first time.  Returns 0 with the error set. */
int atl_remember_time(const char *key, double seconds);

/* For tests: forgets all times. */
void atl_forget_times(void);

#endif
