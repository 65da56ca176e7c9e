/* Packing an arena.
 *
 * Few blocks are placed one after the other, each at the lowest place that is free over its whole life, in several orders of which
 * the best is kept: close to the largest live set in practice, but quadratic.  Many are placed in order of time into holes kept
 * in a list. */
#include "compiler/memory/arena.h"

#include <stdlib.h>
#include <string.h>

#include "graph/memory.h"

enum { FEW = 3000 };

static int64_t rounded(int64_t bytes)
{
    return (bytes + ATL_ARENA_ALIGNMENT - 1) / ATL_ARENA_ALIGNMENT * ATL_ARENA_ALIGNMENT;
}

static int larger_first(const void *a, const void *b)
{
    const atl_block *x = *(atl_block *const *)a, *y = *(atl_block *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    if (x->first != y->first)
        return x->first > y->first ? 1 : -1;
    return (x > y) - (x < y);
}

/* Those that fill most of space and time. */
static int area_first(const void *a, const void *b)
{
    const atl_block *x = *(atl_block *const *)a, *y = *(atl_block *const *)b;
    double p = (double)x->bytes * (double)(x->last - x->first + 1),
           q = (double)y->bytes * (double)(y->last - y->first + 1);
    return p != q ? (p < q ? 1 : -1) : larger_first(a, b);
}

static int longer_first(const void *a, const void *b)
{
    const atl_block *x = *(atl_block *const *)a, *y = *(atl_block *const *)b;
    int64_t p = x->last - x->first, q = y->last - y->first;
    return p != q ? (p < q ? 1 : -1) : larger_first(a, b);
}

static int earlier_first(const void *a, const void *b)
{
    const atl_block *x = *(atl_block *const *)a, *y = *(atl_block *const *)b;
    if (x->first != y->first)
        return x->first > y->first ? 1 : -1;
    return larger_first(a, b);
}

/* placed[] is kept in order of offset. */
static int64_t place_in_order(atl_block **order, int64_t count, atl_block **placed)
{
    int64_t size = 0;
    for (int64_t n = 0; n < count; n++) {
        atl_block *block = order[n];
        int64_t at = 0, i = 0;
        for (; i < n; i++) {
            const atl_block *other = placed[i];
            if (other->last < block->first || other->first > block->last)
                continue;
            if (other->offset - at >= rounded(block->bytes))
                break;
            if (other->offset + rounded(other->bytes) > at)
                at = other->offset + rounded(other->bytes);
        }
        block->offset = at;
        for (i = n; i > 0 && placed[i - 1]->offset > at; i--)
            placed[i] = placed[i - 1];
        placed[i] = block;
        if (at + rounded(block->bytes) > size)
            size = at + rounded(block->bytes);
    }
    return size;
}

typedef int block_order(const void *a, const void *b);

/* The block that reaches highest is taken first next time, as long as that helps. */
static void move_highest_first(atl_block **order, int64_t count)
{
    int64_t highest = 0;
    for (int64_t i = 1; i < count; i++)
        if (order[i]->offset + rounded(order[i]->bytes) > order[highest]->offset + rounded(order[highest]->bytes))
            highest = i;
    atl_block *block = order[highest];
    memmove(order + 1, order, (size_t)highest * sizeof *order);
    order[0] = block;
}

static void keep_if_best(const atl_block *blocks, int64_t count, int64_t size, int64_t *smallest, int64_t *best)
{
    if (size >= *smallest)
        return;
    *smallest = size;
    for (int64_t i = 0; i < count; i++)
        best[i] = blocks[i].offset;
}

/* Tries several orders; best[] has room for the offsets. */
static int64_t place_in_best_order(atl_block *blocks, int64_t count, atl_block **order, atl_block **placed,
                                   int64_t *best)
{
    static block_order *const orders[] = {larger_first, area_first, longer_first, earlier_first};
    enum { ORDERS = sizeof orders / sizeof *orders, TRIES = 24, FEW_ENOUGH = 600 };
    int64_t smallest = INT64_MAX, least = atl_largest_live_set(blocks, count);
    for (int i = 0; i < ORDERS && smallest > least; i++) {
        qsort(order, (size_t)count, sizeof *order, orders[i]);
        for (int k = 0; k < (count <= FEW_ENOUGH ? TRIES : 1) && smallest > least; k++) {
            keep_if_best(blocks, count, place_in_order(order, count, placed), &smallest, best);
            move_highest_first(order, count);
        }
    }
    for (int64_t i = 0; i < count; i++)
        blocks[i].offset = best[i];
    return count ? smallest : 0;
}

/* ---- many blocks: a sweep over time ------------------------------------------------------------------------------------- */

typedef struct hole {
    int64_t offset, bytes;
} hole;

/* Holes are few in practice: what was freed last is taken first, from the end of the list. */
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

/* Returns a hole, joined to a neighbour if one is among those freed lately. */
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
    if (!are_addressable(blocks, count))
        return -1;
    int few = count <= FEW;
    atl_block **order = atl_allocate((size_t)count, sizeof *order),
              **second = atl_allocate((size_t)count, sizeof *second);
    void *extra = atl_allocate((size_t)count + 1, few ? sizeof(int64_t) : sizeof(hole));
    int64_t size = -1;
    if (order && second && extra) {
        for (int64_t i = 0; i < count; i++)
            order[i] = second[i] = &blocks[i];
        if (!few)
            qsort(order, (size_t)count, sizeof *order, earlier_first);
        size = few ? place_in_best_order(blocks, count, order, second, extra) : sweep(order, count, second, extra);
    }
    atl_release(order);
    atl_release(second);
    atl_release(extra);
    return size;
}

int64_t atl_largest_live_set(const atl_block *blocks, int64_t count)
{
    if (!are_addressable(blocks, count))
        return -1;
    int64_t steps = 0, live = 0, largest = 0;
    for (int64_t i = 0; i < count; i++)
        if (blocks[i].last + 2 > steps)
            steps = blocks[i].last + 2;
    int64_t *change = atl_allocate((size_t)steps + 1, sizeof *change);
    if (!change)
        return -1;
    for (int64_t i = 0; i < count; i++) {
        change[blocks[i].first] += rounded(blocks[i].bytes);
        change[blocks[i].last + 1] -= rounded(blocks[i].bytes);
    }
    for (int64_t i = 0; i < steps; i++) {
        live += change[i];
        if (live > largest)
            largest = live;
    }
    atl_release(change);
    return largest;
}
