/* The course of an attack on one picture: the probability of the class to leave or to reach, step by step. */
#ifndef ATLED_ATTACK_COURSE_H
#define ATLED_ATTACK_COURSE_H

#include <stdint.h>

enum { ATL_COURSE_MOST = 64 };

typedef struct atl_course {
    float probability[ATL_COURSE_MOST + 1]; /* one more for the result */
    int count;
    int64_t seen, every; /* steps so far; which of them are kept, 0: all so far */
} atl_course;

/* One more step.  When the room is full, every other one is dropped. */
void atl_course_add(atl_course *course, int classes, const float *scores, int class);
/* The result, which is always kept. */
void atl_course_end(atl_course *course, int classes, const float *scores, int class);

#endif
