/* Every allocation of the library goes through these functions, so that a test can make each of them fail in turn. */
#ifndef ATLED_GRAPH_MEMORY_H
#define ATLED_GRAPH_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define ATL_MOST_BYTES ((int64_t)1 << 56) /* of one array; no machine has so much */

void *atl_allocate(size_t count, size_t size); /* zeroed; null if count * size overflows or out of memory */
void *atl_reallocate(void *old, size_t count, size_t size); /* the new part is not zeroed; old stays valid on failure */
void *atl_allocate_aligned(size_t bytes);                   /* 64-byte aligned, not zeroed; atl_release frees it */
void atl_release(void *memory);
char *atl_copy_text(const char *text);
char *atl_format_text(const char *format, ...)
    __attribute__((format(printf, 1, 2))); /* of any length; null out of memory */

/* Makes room for one more element in a growing array; returns 0 on failure, with the array unchanged. */
int atl_grow(void **array, int64_t count, int64_t *capacity, size_t size);
#define ATL_GROW(array, count, capacity) atl_grow((void **)&(array), (count), &(capacity), sizeof *(array))

/* Tests only: after `allowed` more allocations, every allocation fails; negative: none fails. */
void atl_fail_allocations_after(int64_t allowed);
int64_t atl_allocation_count(void); /* successful ones on this thread */

#endif
