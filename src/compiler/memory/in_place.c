/* Results that overwrite operands which no later step reads. */
#include "compiler/memory/in_place.h"

/* The first entry of the step; entries are in order of their steps. */
static int64_t first_of_step(const atl_lowering *l, int64_t step)
{
    int64_t i = 0, end = l->in_place_count;
    while (i < end) {
        int64_t middle = i + (end - i) / 2;
        if (l->in_places[middle].step < step)
            i = middle + 1;
        else
            end = middle;
    }
    return i;
}

/* The number of operands of the step in that buffer. */
static int64_t operands_in(const atl_plan *p, const atl_plan_step *step, atl_value_id buffer)
{
    const atl_value_id *read = atl_step_reads(step);
    int64_t count = 0;
    for (int i = 0; i < step->reads; i++)
        count += atl_root_of(p, read[i]) == buffer;
    return count;
}

/* An op names each operand that its result may overwrite, because it reads every element of that operand before it
 * writes the one in its place.  If the step reads the same memory through another operand, in another order (the image
 * of a convolution whose residual is that image, too), the result would overwrite elements before they are read. */
int atl_may_write_over(const atl_lowering *l, int64_t step, atl_value_id result, atl_value_id input)
{
    const atl_plan *p = l->plan;
    atl_value_id buffer = atl_root_of(p, input);
    int64_t named = 0, found = 0;
    for (int64_t i = first_of_step(l, step); i < l->in_place_count && l->in_places[i].step == step; i++) {
        const atl_in_place *entry = &l->in_places[i];
        if (entry->result != result)
            continue;
        named += atl_root_of(p, entry->input) == buffer;
        found |= entry->input == input;
    }
    return found && named == operands_in(p, &p->steps[step], buffer);
}

/* True if another result of the step of in_places[i] already uses that buffer.  A result without readers ends with the
 * step, like the input. */
static int is_taken(const atl_lowering *l, int64_t i, atl_value_id place)
{
    for (int64_t k = i - 1; k >= 0 && l->in_places[k].step == l->in_places[i].step; k--)
        if (l->plan->values[l->in_places[k].result].shares == place)
            return 1;
    return 0;
}

/* True if the value lies within an image, as its part or as a part of another shape: its buffer is the image's. */
static int is_within(const atl_plan *p, atl_value_id value)
{
    for (; value >= 0; value = p->values[value].shares)
        if (p->values[value].pixel_stride)
            return 1;
    return 0;
}

void atl_share_buffers(atl_lowering *l, atl_lifetimes *lives)
{
    atl_plan *p = l->plan;
    for (int64_t i = 0; i < l->in_place_count; i++) {
        atl_value_id result = l->in_places[i].result, input = atl_root_of(p, l->in_places[i].input);
        atl_plan_value *to = &p->values[result], *from = &p->values[input];
        if (to->shares >= 0 || is_within(p, l->in_places[i].input) || to->space != ATL_IN_ARENA ||
            from->space != ATL_IN_ARENA || to->bytes > from->bytes || lives->last[input] != l->in_places[i].step ||
            lives->first[result] != l->in_places[i].step || is_taken(l, i, input) ||
            !atl_may_write_over(l, l->in_places[i].step, result, l->in_places[i].input))
            continue;
        to->shares = input;
        lives->last[input] = lives->last[result];
        l->in_places[i].is_so = 1;
    }
}

void atl_unshare_buffers(atl_lowering *l)
{
    for (int64_t i = 0; i < l->in_place_count; i++)
        if (l->in_places[i].is_so) {
            l->in_places[i].is_so = 0;
            l->plan->values[l->in_places[i].result].shares = -1;
        }
}
