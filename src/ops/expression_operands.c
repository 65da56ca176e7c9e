/* How a fused expression reads operands that do not lie in memory as its result does. */
#include <string.h>

#include "kernels/kernels.h"
#include "ops/expression_step.h"

enum { LONG_RUN = 16, LONG_REPEAT = 256 }; /* elements that are worth a call; repetitions of which each is */

/* Goes on in the next outer dimensions where a dimension, from d on, is at its end. */
static void carry(const expression_step *s, const operand *x, int64_t *at, int d, int64_t *offset)
{
    for (; d > 0 && at[d] == s->size[d]; d--) {
        *offset += x->stride[d - 1] - at[d] * x->stride[d];
        at[d] = 0;
        at[d - 1]++;
    }
}

void atl_gather_operand(const expression_step *s, const operand *x, const float *from, int64_t start, int64_t n,
                        float *to)
{
    int64_t at[ATL_MAX_RANK], offset = 0, rest = start;
    int inner = s->dimensions - 1;
    for (int d = inner; d >= 0; d--) {
        at[d] = rest % s->size[d];
        rest /= s->size[d];
        offset += at[d] * x->stride[d];
    }
    while (n > 0) {
        int64_t run = s->size[inner] - at[inner];
        int64_t stride = x->stride[inner];
        if (stride == 0 && at[inner] == 0 && inner > 0 && run < LONG_REPEAT) { /* as many whole runs as there are */
            int64_t runs = atl_smaller(n / run, s->size[inner - 1] - at[inner - 1]);
            atl_kernels->repeat_each(to, from + offset, x->stride[inner - 1], runs, run);
            to += runs * run;
            n -= runs * run;
            offset += runs * x->stride[inner - 1];
            at[inner - 1] += runs;
            carry(s, x, at, inner - 1, &offset);
            if (runs)
                continue;
        }
        if (run > n)
            run = n;
        if (stride == 0 && run >= LONG_RUN)
            atl_kernels->fill_with(to, from[offset], run);
        else if (stride == 1 && run >= LONG_RUN)
            memcpy(to, from + offset, (size_t)run * sizeof *to);
        else
            for (int64_t k = 0; k < run; k++)
                to[k] = from[offset + k * stride];
        to += run;
        n -= run;
        offset += run * stride;
        at[inner] += run;
        carry(s, x, at, inner, &offset);
    }
}

void atl_repeat_row(const float *row, int64_t period, int64_t start, int64_t n, float *to)
{
    int64_t at = start % period;
    while (n > 0) {
        int64_t run = period - at < n ? period - at : n;
        memcpy(to, row + at, (size_t)run * sizeof *to);
        to += run;
        n -= run;
        at = 0;
    }
}
