/* The arena: nothing overlaps in time and place, and it is hardly larger than it must be. */
#include "program/arena.h"
#include "support.h"

static int overlap(const atl_block *a, const atl_block *b)
{
    return a->first <= b->last && b->first <= a->last && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

/* Values of a random net: each lives for a few steps, some for long. */
static void random_blocks(atl_block *blocks, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t life = random_below(8) ? 1 + (int64_t)random_below(3) : (int64_t)random_below((uint64_t)count);
        blocks[i] = (atl_block){.bytes = 1 + (int64_t)random_below(1 << 16), .first = i, .last = i + life};
    }
}

static int64_t check(int64_t count, double slack)
{
    atl_block *blocks = calloc((size_t)count, sizeof *blocks);
    random_blocks(blocks, count);
    int64_t size = atl_pack_arena(blocks, count), least = atl_largest_live_set(blocks, count);
    cr_assert_geq(size, least);
    cr_assert((double)size <= slack * (double)least, "%lld bytes for a live set of %lld", (long long)size,
              (long long)least);
    for (int64_t i = 0; i < count; i++) {
        cr_assert_eq(blocks[i].offset % ATL_ARENA_ALIGNMENT, 0);
        cr_assert_leq(blocks[i].offset + blocks[i].bytes, size);
        for (int64_t k = 0; count <= 4000 && k < i; k++)
            cr_assert_not(overlap(&blocks[i], &blocks[k]), "%lld and %lld", (long long)i, (long long)k);
    }
    free(blocks);
    return size;
}

Test(arena, few_blocks_are_packed_within_a_tenth)
{
    for (int i = 0; i < 50; i++)
        check(10 + (int64_t)random_below(200), 1.10);
}
Test(arena, many_blocks_do_not_overlap) { check(3500, 2); }
Test(arena, none) { cr_assert_eq(atl_pack_arena(NULL, 0), 0); }
