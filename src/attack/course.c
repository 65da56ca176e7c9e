/* The course of an attack on one picture. */
#include "attack/course.h"

#include <math.h>

static float probability_of(int classes, const float *scores, int class)
{
    double largest = -INFINITY, sum = 0;
    for (int i = 0; i < classes; i++)
        largest = fmax(largest, (double)scores[i]);
    for (int i = 0; i < classes; i++)
        sum += exp((double)scores[i] - largest);
    return (float)(exp((double)scores[class] - largest) / sum);
}

void atl_course_add(atl_course *c, int classes, const float *scores, int class)
{
    c->every = c->every ? c->every : 1;
    int is_kept = c->seen++ % c->every == 0;
    if (is_kept && c->count == ATL_COURSE_MOST) {
        for (int i = 0; 2 * i < c->count; i++)
            c->probability[i] = c->probability[2 * i];
        c->count = ATL_COURSE_MOST / 2;
        c->every *= 2;
    }
    if (is_kept) /* also by the new `every`, which divides the even number of kept ones times the old one */
        c->probability[c->count++] = probability_of(classes, scores, class);
}

void atl_course_end(atl_course *c, int classes, const float *scores, int class)
{
    c->probability[c->count++] = probability_of(classes, scores, class);
}
