/* Allocation, with a counter and fault injection for tests. */
#include "graph/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, LARGE = 4 << 20 }; /* bytes */

static _Thread_local int64_t allowed = -1; /* allocations before the next failure; -1: no limit */
static _Thread_local int64_t made;

void atl_fail_allocations_after(int64_t count) { allowed = count; }
int64_t atl_allocation_count(void) { return made; }

static int may_allocate(void)
{
    if (allowed == 0)
        return 0;
    if (allowed > 0)
        allowed--;
    made++;
    return 1;
}

/* Asks for huge pages for large memory.  Kernels read and write it from end to end: with small pages the processor
 * would wait for the page tables half of the time, and the kernel would have to provide every single page.  This is
 * only a hint; it may fail. */
static void *in_huge_pages(void *memory, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    uintptr_t first = ((uintptr_t)memory + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    uintptr_t last = ((uintptr_t)memory + bytes) / HUGE_PAGE * HUGE_PAGE;
    if (memory && bytes >= LARGE && first < last)
        madvise((void *)first, last - first, MADV_HUGEPAGE);
#endif
    return memory;
}

void *atl_allocate(size_t count, size_t size)
{
    if (!may_allocate())
        return NULL;
    void *memory = calloc(count ? count : 1, size ? size : 1);
    return in_huge_pages(memory, count * size);
}

void *atl_reallocate(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || !may_allocate())
        return NULL;
    return in_huge_pages(realloc(old, bytes ? bytes : 1), bytes);
}

void *atl_allocate_aligned(size_t bytes)
{
    void *memory;
    if (bytes > SIZE_MAX - 127 || !may_allocate())
        return NULL;
    /* Rounds up to whole cache lines, so that vector code may read a full vector at the end. */
    if (posix_memalign(&memory, bytes < LARGE ? 64 : HUGE_PAGE, (bytes + 127) / 64 * 64))
        return NULL;
    return in_huge_pages(memory, bytes);
}

void atl_release(void *memory) { free(memory); }

char *atl_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = atl_allocate(size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

char *atl_format_text(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = atl_allocate(size, 1);
    va_start(arguments, format);
    if (text)
        vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return text;
}

int atl_grow(void **array, int64_t count, int64_t *capacity, size_t size)
{
    if (count < *capacity)
        return 1;
    int64_t room = *capacity ? *capacity * 2 : 16;
    void *grown = atl_reallocate(*array, (size_t)room, size);
    if (!grown)
        return 0;
    *array = grown;
    *capacity = room;
    return 1;
}
