/* Packs blocks of memory with known lifetimes into one arena. */
#ifndef ATLED_COMPILER_MEMORY_ARENA_H
#define ATLED_COMPILER_MEMORY_ARENA_H

#include <stdint.h>

enum { ATL_ARENA_ALIGNMENT = 64 };

typedef struct atl_block {
    int64_t bytes;       /* > 0 */
    int64_t first, last; /* the first and the last step that uses it */
    int64_t offset;      /* out */
} atl_block;

/* Sets every offset so that blocks with overlapping lifetimes do not overlap in memory.  Returns the size of the arena,
 * or -1 if out of memory, */
int64_t atl_pack_arena(atl_block *blocks, int64_t count);

/* The largest sum of sizes in use in one step: no arena can be smaller.  Returns -1 if out of memory. */
int64_t atl_largest_live_set(const atl_block *blocks, int64_t count);

#endif
