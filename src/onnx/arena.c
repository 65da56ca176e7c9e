/* Blocks that grow, and are freed together. */
#include "onnx/arena.h"

#include <string.h>

#include "graph/memory.h"

enum { BLOCK = 32 << 10, ALIGNMENT = 16 };

typedef struct onnx_block {
    struct onnx_block *next;
    size_t size;
    _Alignas(ALIGNMENT) unsigned char bytes[];
} onnx_block;

static onnx_block *add_block(onnx_arena *arena, size_t bytes)
{
    size_t size = bytes > BLOCK ? bytes : BLOCK;
    if (arena->limit && (size > arena->limit || arena->total > arena->limit - size))
        return NULL;
    onnx_block *block = atl_allocate(sizeof *block + size, 1);
    if (!block)
        return NULL;
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = 0;
    arena->total += size;
    return block;
}

void *onnx_allocate(onnx_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    onnx_block *block = arena->blocks;
    if ((!block || block->size - arena->used < bytes) && !(block = add_block(arena, bytes)))
        return NULL;
    void *piece = block->bytes + arena->used;
    arena->used += bytes;
    return piece;
}

char *onnx_copy_text(onnx_arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? onnx_allocate(arena, length + 1, 1) : NULL;
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

void onnx_arena_free(onnx_arena *arena)
{
    while (arena->blocks) {
        onnx_block *next = arena->blocks->next;
        atl_release(arena->blocks);
        arena->blocks = next;
    }
    arena->used = arena->total = 0;
}
