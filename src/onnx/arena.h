/* Memory of one model while it is read: many small pieces that are freed together.  Called by src/onnx only. */
#ifndef ATLED_ONNX_ARENA_H
#define ATLED_ONNX_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct onnx_arena {
    struct onnx_block *blocks;
    size_t used, total; /* bytes of the first block that are taken; of all blocks */
    size_t limit;       /* of total; 0: none.  Beyond it allocation fails like memory that has run out */
} onnx_arena;

/* Zeroed, aligned to 16 bytes; null if count * size overflows, beyond the limit, or out of memory. */
void *onnx_allocate(onnx_arena *arena, size_t count, size_t size);
/* A copy of `length` bytes with a final zero byte. */
char *onnx_copy_text(onnx_arena *arena, const char *text, size_t length);
void onnx_arena_free(onnx_arena *arena);

#endif
