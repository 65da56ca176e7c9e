/* Buffer assignment: packs values by their lifetimes into the arena of a context, or into the memory for prepacked
 * values. */
#include "compiler/memory/buffers.h"

#include "graph/memory.h"
#include "compiler/memory/arena.h"
#include "compiler/memory/in_place.h"

static int has_own_buffer(const atl_plan_value *value, atl_space space)
{
    return value->space == space && value->shares < 0;
}

/* The values with a buffer of their own in that space, in order; the caller frees them.  Null: out of memory. */
static atl_block *blocks_of(const atl_lowering *l, const atl_lifetimes *lives, atl_space space, int64_t *count_out)
{
    const atl_plan *p = l->plan;
    atl_block *blocks = atl_allocate((size_t)p->value_count, sizeof *blocks);
    int64_t count = 0, end = space == ATL_PREPACKED ? p->prepack_count : p->step_count;
    for (int64_t v = 0; blocks && v < p->value_count; v++)
        if (has_own_buffer(&p->values[v], space) && lives->first[v] >= 0)
            blocks[count++] = (atl_block){.bytes = p->values[v].bytes,
                                          .first = l->packs ? lives->first[v] : 0,
                                          .last = l->packs ? lives->last[v] : end};
    *count_out = count;
    return blocks;
}

/* Returns the size of that memory, or -1 if out of memory. */
static int64_t pack(const atl_lowering *l, const atl_lifetimes *lives, atl_space space)
{
    atl_plan *p = l->plan;
    int64_t count, size = -1;
    atl_block *blocks = blocks_of(l, lives, space, &count);
    if (blocks)
        size = atl_pack_arena(blocks, count);
    count = 0;
    for (int64_t v = 0; v < p->value_count && size >= 0; v++)
        if (has_own_buffer(&p->values[v], space) && lives->first[v] >= 0)
            p->values[v].offset = blocks[count++].offset;
    atl_release(blocks);
    return size;
}

/* No arena can be smaller.  Returns -1 if out of memory. */
static int64_t live_set(const atl_lowering *l, const atl_lifetimes *lives)
{
    int64_t count, bytes = -1;
    atl_block *blocks = blocks_of(l, lives, ATL_IN_ARENA, &count);
    if (blocks)
        bytes = atl_largest_live_set(blocks, count);
    atl_release(blocks);
    return bytes;
}

/* `lives` are the lifetimes without sharing. */
static int64_t pack_sharing(atl_lowering *l, atl_lifetimes *lives)
{
    atl_share_buffers(l, lives);
    return pack(l, lives, ATL_IN_ARENA);
}

/* Packs with results in the buffers of operands, unless the arena is smaller without: a small result keeps a large
 * operand's whole buffer, and a long lifetime is harder to pack. */
static int64_t pack_arena(atl_lowering *l, atl_lifetimes *lives)
{
    atl_find_lifetimes(l->plan, lives, ATL_IN_ARENA);
    int64_t smallest = l->in_place_count ? live_set(l, lives) : 0, sharing = pack_sharing(l, lives);
    if (smallest < 0 || sharing < 0)
        return -1;
    if (sharing <= smallest || !l->in_place_count)
        return sharing;
    atl_unshare_buffers(l);
    atl_find_lifetimes(l->plan, lives, ATL_IN_ARENA);
    int64_t separate = pack(l, lives, ATL_IN_ARENA);
    return separate < sharing ? separate : pack_sharing(l, lives); /* also if -1 */
}

/* Keep a prepacked value if a run reads it.  Also keep it if a prepacking step reads it that depends on more variables,
 * because that step may run again without the one that computes the value. */
static void pin_prepacked_values(atl_plan *p)
{
    for (int64_t s = 0; s < p->step_count + p->prepack_count; s++) {
        const atl_plan_step *step = s < p->step_count ? &p->steps[s] : &p->prepack[s - p->step_count];
        for (int i = 0; i < step->reads; i++) {
            atl_plan_value *value = &p->values[atl_step_reads(step)[i]];
            if (value->space == ATL_PREPACKED)
                value->pinned |= !step->prepack || value->depends != p->values[step->write[0]].depends;
        }
    }
}

int atl_assign_buffers(atl_lowering *l)
{
    atl_plan *p = l->plan;
    atl_lifetimes lives = {0};
    p->arena_bytes = p->prepacked_bytes = -1;
    if (atl_allocate_lifetimes(p, &lives)) {
        pin_prepacked_values(p);
        atl_find_lifetimes(p, &lives, ATL_PREPACKED);
        p->prepacked_bytes = pack(l, &lives, ATL_PREPACKED);
        p->arena_bytes = pack_arena(l, &lives);
    }
    atl_release_lifetimes(&lives);
    if (p->arena_bytes < 0 || p->prepacked_bytes < 0)
        return atl_out_of_memory(), 0;
    return 1;
}

void *atl_address_of(const atl_plan *p, atl_value_id v, char *arena)
{
    const atl_plan_value *root = &p->values[atl_root_of(p, v)];
    int64_t within = 0;
    for (; p->values[v].shares >= 0; v = p->values[v].shares)
        within += p->values[v].within;
    char *memory = root->space == ATL_IN_ARENA    ? arena
                   : root->space == ATL_PREPACKED ? p->prepacked_memory
                   : root->space == ATL_STORED    ? root->stored
                                                  : NULL;
    return memory ? memory + (root->space == ATL_STORED ? 0 : root->offset) + within : NULL;
}
