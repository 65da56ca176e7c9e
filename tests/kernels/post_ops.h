/* A post-op for the tests of kernels: it checks that it sees each result once, final, and changes it. */
#ifndef ATLED_TESTS_POST_OPS_H
#define ATLED_TESTS_POST_OPS_H

#include "isas.h"

typedef struct post_op_check {
    float *result; /* what the kernel has to write to */
    const float *expected;
    int64_t count;
    uint8_t *seen, *begun;   /* how often each result, and whether a range begins with it */
    uint8_t *other, *beyond; /* whether a value was another, and a range outside of the result */
} post_op_check;

static inline float changed_by_post_op(float value) { return 2 * value + 1; }

/* In any thread, so that nothing is asserted here. */
static inline void see_results(const void *job, int64_t first, int64_t last)
{
    const post_op_check *c = job;
    if (first < 0 || last > c->count || first >= last) {
        *c->beyond = 1;
        return;
    }
    c->begun[first]++;
    for (int64_t i = first; i < last; i++) {
        c->seen[i]++;
        c->other[i] |= memcmp(&c->result[i], &c->expected[i], sizeof *c->result) != 0;
        c->result[i] = changed_by_post_op(c->result[i]);
    }
}

/* For a kernel that writes `expected` without a post-op. */
static inline post_op_check new_post_op_check(const float *expected, int64_t count)
{
    post_op_check c = {.result = random_floats(count), .expected = expected, .count = count};
    c.seen = calloc((size_t)(3 * count + 1), 1);
    c.begun = c.seen + count, c.other = c.begun + count, c.beyond = c.other + count;
    return c;
}

/* After the kernel's run with `c` as its job; the number of ranges. */
static inline int64_t finish_post_op_check(post_op_check *c, const atl_conv_sizes *d)
{
    int64_t ranges = 0;
    cr_assert(!*c->beyond, "a range outside of the result");
    for (int64_t i = 0; i < c->count; i++) {
        const float changed = changed_by_post_op(c->expected[i]);
        ranges += c->begun[i];
        cr_assert(c->seen[i] == 1 && !c->other[i] && memcmp(&c->result[i], &changed, sizeof changed) == 0,
                  "result %lld of %lld, %lldx%lld, window %lldx%lld, %d workers: seen %d times, %s", (long long)i,
                  (long long)c->count, (long long)d->height, (long long)d->width, (long long)d->filter_height,
                  (long long)d->filter_width, d->workers, c->seen[i], c->other[i] ? "not final" : "final");
    }
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(c->result[c->count + i]), "written behind the result");
    free(c->result), free(c->seen);
    return ranges;
}

#endif
