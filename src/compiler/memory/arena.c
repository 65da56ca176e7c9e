/* Packs an arena. Few blocks: each is placed in a gap that is free during its whole lifetime.  Many orders are tried
 * and the best is kept.  The result is close to the largest live set in practice, but the time is quadratic.  Many
 * blocks: they are placed in order of time into holes kept in a list. */
#include "compiler/memory/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/numbers.h"
#include "cost/cost.h"
#include "graph/memory.h"

static int64_t rounded(int64_t bytes) { return atl_round_up(bytes, ATL_ARENA_ALIGNMENT); }

static int larger_first(const void *a, const void *b)
{
    const atl_block *x = *(atl_block *const *)a, *y = *(atl_block *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    if (x->first != y->first)
        return x->first > y->first ? 1 : -1;
    return (x > y) - (x < y);
}

static int earlier_first(const void *a, const void *b)
{
    const atl_block *x = *(atl_block *const *)a, *y = *(atl_block *const *)b;
    if (x->first != y->first)
        return x->first > y->first ? 1 : -1;
    return larger_first(a, b);
}

/* ---- few blocks: many orders ------------------------------------------------------------------------------------- */

typedef struct weighed_block {
    atl_block *block;
    double weight; /* blocks with a larger weight are placed first */
    int at_peak;   /* it is in use at the peak of memory use, or near it */
} weighed_block;

typedef struct search {
    atl_block *blocks;
    weighed_block *order; /* the order of placement */
    atl_block **placed;   /* so far, in order of offset */
    int64_t *best;        /* offsets of the smallest arena so far, which has `smallest` bytes */
    int64_t count, smallest, least, work;
} search;

static int heavier_first(const void *a, const void *b)
{
    const weighed_block *x = a, *y = b;
    return x->weight != y->weight ? (x->weight < y->weight ? 1 : -1) : larger_first(&x->block, &y->block);
}

/* The offset for the block: the lowest gap that is free during its whole lifetime, or the tightest one, between the
 * blocks placed so far; otherwise above them. */
static int64_t gap_for(const search *s, int64_t placed, const atl_block *block, int tightest)
{
    int64_t at = 0, found = -1, least = INT64_MAX;
    for (int64_t i = 0; i < placed; i++) {
        const atl_block *other = s->placed[i];
        if (other->last < block->first || other->first > block->last)
            continue;
        int64_t gap = other->offset - at;
        if (gap >= rounded(block->bytes) && gap < least) {
            least = gap;
            found = at;
            if (!tightest)
                break;
        }
        if (other->offset + rounded(other->bytes) > at)
            at = other->offset + rounded(other->bytes);
    }
    return found >= 0 ? found : at;
}

/* Places all blocks in order, and keeps the offsets if the arena is the smallest so far. */
static void place_in_order(search *s, int in_tightest_gap)
{
    int64_t size = 0;
    for (int64_t n = 0; n < s->count; n++) {
        atl_block *block = s->order[n].block;
        int64_t at = gap_for(s, n, block, in_tightest_gap), i = n;
        block->offset = at;
        for (; i > 0 && s->placed[i - 1]->offset > at; i--)
            s->placed[i] = s->placed[i - 1];
        s->placed[i] = block;
        if (at + rounded(block->bytes) > size)
            size = at + rounded(block->bytes);
    }
    s->work -= s->count * s->count / 2;
    if (size >= s->smallest)
        return;
    s->smallest = size;
    for (int64_t i = 0; i < s->count; i++)
        s->best[i] = s->blocks[i].offset;
}

/* Moves the block with the highest end to the front of the order. */
static void move_highest_first(search *s)
{
    int64_t highest = 0, end = -1;
    for (int64_t i = 0; i < s->count; i++) {
        const atl_block *block = s->order[i].block;
        if (block->offset + rounded(block->bytes) > end) {
            end = block->offset + rounded(block->bytes);
            highest = i;
        }
    }
    weighed_block moved = s->order[highest];
    memmove(s->order + 1, s->order, (size_t)highest * sizeof *s->order);
    s->order[0] = moved;
}

/* Sorts by bytes * lifetime^power; with peak_first, blocks in use at the peak come first. */
static void sort_by_weight(search *s, double power, int peak_first)
{
    for (int64_t i = 0; i < s->count; i++) {
        weighed_block *w = &s->order[i];
        w->weight = (double)w->block->bytes * pow((double)(w->block->last - w->block->first + 1), power);
        if (peak_first && w->at_peak)
            w->weight += 1e60;
    }
    qsort(s->order, (size_t)s->count, sizeof *s->order, heavier_first);
}

/* Tries orders until the arena reaches its lower bound, or the budget is spent: each order once, then again that many
 * times, each time with the highest block moved to the front. */
static void try_orders(search *s, int again)
{
    enum { POWERS = 9 };
    for (int k = 0; k < POWERS * 4; k++) {
        sort_by_weight(s, 0.25 * (k / 4), k % 2);
        for (int i = 0; i <= again; i++) {
            if (s->smallest <= s->least || s->work < 0)
                return;
            place_in_order(s, k / 2 % 2);
            move_highest_first(s);
        }
    }
}

/* The bytes in use in each step; the caller frees them; null: out of memory. */
static int64_t *live_bytes(const atl_block *blocks, int64_t count, int64_t *steps_out)
{
    int64_t steps = 0, live = 0;
    for (int64_t i = 0; i < count; i++)
        if (blocks[i].last + 2 > steps)
            steps = blocks[i].last + 2;
    int64_t *bytes = atl_allocate((size_t)steps + 1, sizeof *bytes);
    for (int64_t i = 0; bytes && i < count; i++) {
        bytes[blocks[i].first] += rounded(blocks[i].bytes);
        bytes[blocks[i].last + 1] -= rounded(blocks[i].bytes);
    }
    for (int64_t i = 0; bytes && i < steps; i++)
        bytes[i] = live += bytes[i];
    *steps_out = steps;
    return bytes;
}

/* Sets s->least, and marks the blocks at the peak.  Returns 0 if out of memory. */
static int find_peak(search *s)
{
    int64_t steps, *live = live_bytes(s->blocks, s->count, &steps);
    if (!live)
        return 0;
    for (int64_t i = 0; i < steps; i++)
        s->least = live[i] > s->least ? live[i] : s->least;
    for (int64_t k = 0; k < s->count; k++)
        for (int64_t i = s->blocks[k].first; i <= s->blocks[k].last && !s->order[k].at_peak; i++)
            s->order[k].at_peak = live[i] >= s->least - s->least / 1000;
    atl_release(live);
    return 1;
}

static int64_t place_few(atl_block *blocks, int64_t count)
{
    search s = {.blocks = blocks, .count = count, .smallest = INT64_MAX, .work = 60000000};
    s.order = atl_allocate((size_t)count, sizeof *s.order);
    s.placed = atl_allocate((size_t)count, sizeof *s.placed);
    s.best = atl_allocate((size_t)count, sizeof *s.best);
    int ok = s.order && s.placed && s.best;
    for (int64_t i = 0; ok && i < count; i++)
        s.order[i].block = &blocks[i];
    ok = ok && find_peak(&s);
    if (ok) {
        try_orders(&s, 0);
        try_orders(&s, 11);
    }
    for (int64_t i = 0; ok && i < count; i++)
        blocks[i].offset = s.best[i];
    atl_release(s.order);
    atl_release(s.placed);
    atl_release(s.best);
    return ok ? s.smallest : -1;
}

/* ---- many blocks: a sweep over time ------------------------------------------------------------------------------ */

typedef struct hole {
    int64_t offset, bytes;
} hole;

/* Finds a hole.  The list is short in practice; it is searched from its end, where the last freed holes are. */
static int64_t take_hole(hole *holes, int64_t *count, int64_t bytes, int64_t *size)
{
    enum { LOOKED_AT = 64 };
    int64_t best = -1;
    for (int64_t i = *count - 1, n = 0; i >= 0 && n < LOOKED_AT; i--, n++)
        if (holes[i].bytes >= bytes && (best < 0 || holes[i].bytes < holes[best].bytes))
            best = i;
    if (best < 0) {
        *size += bytes;
        return *size - bytes;
    }
    int64_t offset = holes[best].offset;
    holes[best].offset += bytes;
    holes[best].bytes -= bytes;
    if (holes[best].bytes == 0)
        holes[best] = holes[--*count];
    return offset;
}

/* Returns a hole, merged with a neighbour if one was freed lately. */
static void give_hole(hole *holes, int64_t *count, int64_t offset, int64_t bytes)
{
    enum { LOOKED_AT = 16 };
    for (int64_t i = *count - 1, n = 0; i >= 0 && n < LOOKED_AT; i--, n++) {
        if (holes[i].offset + holes[i].bytes == offset)
            offset = holes[i].offset;
        else if (offset + bytes != holes[i].offset)
            continue;
        bytes += holes[i].bytes;
        holes[i] = holes[--*count];
        n = -1;
        i = *count;
    }
    holes[(*count)++] = (hole){offset, bytes};
}

static int by_end(const void *a, const void *b)
{
    const atl_block *x = *(atl_block *const *)a, *y = *(atl_block *const *)b;
    return x->last != y->last ? (x->last > y->last ? 1 : -1) : (x > y) - (x < y);
}

static int64_t sweep(atl_block **order, int64_t count, atl_block **ends, hole *holes)
{
    int64_t size = 0, hole_count = 0, ended = 0;
    qsort(ends, (size_t)count, sizeof *ends, by_end);
    for (int64_t n = 0; n < count; n++) {
        for (; ended < count && ends[ended]->last < order[n]->first; ended++)
            give_hole(holes, &hole_count, ends[ended]->offset, rounded(ends[ended]->bytes));
        order[n]->offset = take_hole(holes, &hole_count, rounded(order[n]->bytes), &size);
    }
    return size;
}

static int64_t place_many(atl_block *blocks, int64_t count)
{
    atl_block **order = atl_allocate((size_t)count, sizeof *order), **ends = atl_allocate((size_t)count, sizeof *ends);
    hole *holes = atl_allocate((size_t)count + 1, sizeof *holes);
    int64_t size = -1;
    for (int64_t i = 0; order && ends && i < count; i++)
        order[i] = ends[i] = &blocks[i];
    if (order && ends && holes) {
        qsort(order, (size_t)count, sizeof *order, earlier_first);
        size = sweep(order, count, ends, holes);
    }
    atl_release(order);
    atl_release(ends);
    atl_release(holes);
    return size;
}

/* True if no sum of sizes can overflow. */
static int are_addressable(const atl_block *blocks, int64_t count)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        if (blocks[i].bytes > ATL_MOST_BYTES || sum > INT64_MAX / 2)
            return 0;
        sum += rounded(blocks[i].bytes);
    }
    return sum <= INT64_MAX / 2;
}

int64_t atl_pack_arena(atl_block *blocks, int64_t count)
{
    if (!count)
        return 0;
    if (!are_addressable(blocks, count))
        return -1;
    return count <= atl_costs_in_use()->few_blocks ? place_few(blocks, count) : place_many(blocks, count);
}

int64_t atl_largest_live_set(const atl_block *blocks, int64_t count)
{
    int64_t steps, largest = 0, *live = are_addressable(blocks, count) ? live_bytes(blocks, count, &steps) : NULL;
    if (!live)
        return -1;
    for (int64_t i = 0; i < steps; i++)
        largest = live[i] > largest ? live[i] : largest;
    atl_release(live);
    return largest;
}
