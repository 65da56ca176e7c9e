/* Counts every allocation of a thread, in the library and in the libraries that it calls, and makes a chosen one
 * fail.  The program's own malloc and its relatives replace those of glibc; therefore one source file of a test
 * includes this, and no test does under the sanitizers, which have their own. */
#ifndef ATLED_TESTS_ALLOCATIONS_H
#define ATLED_TESTS_ALLOCATIONS_H

#include <errno.h>
#include <malloc.h>

#include "support.h"

static _Thread_local struct {
    int watching;
    int64_t made;       /* allocations since watch_allocations */
    int64_t fail_at;    /* the number of the allocation that fails; -1: none */
    int fail_all_after; /* and every one after it */
    int64_t live, peak; /* bytes that were allocated since, and not yet released */
} allocations_ = {.fail_at = -1};

#if defined(ATLED_SANITIZED) || !defined(__GLIBC__)
#define skip_without_own_malloc() cr_skip_test("the sanitizers, or another C library, have a malloc of their own")
#else
#define skip_without_own_malloc() ((void)0)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);
void *memalign(size_t alignment, size_t size);

static inline int may_allocate_(void)
{
    if (!allocations_.watching)
        return 1;
    int64_t number = allocations_.made++;
    int fails = allocations_.fail_at >= 0 &&
                (number == allocations_.fail_at || (allocations_.fail_all_after && number > allocations_.fail_at));
    if (fails)
        errno = ENOMEM;
    return !fails;
}

static inline void *noted_(void *memory)
{
    if (memory && allocations_.watching) {
        allocations_.live += (int64_t)malloc_usable_size(memory);
        if (allocations_.live > allocations_.peak)
            allocations_.peak = allocations_.live;
    }
    return memory;
}

static inline void forget_(void *memory)
{
    if (memory && allocations_.watching)
        allocations_.live -= (int64_t)malloc_usable_size(memory);
}

void *malloc(size_t size) { return may_allocate_() ? noted_(__libc_malloc(size)) : NULL; }
void *calloc(size_t count, size_t size) { return may_allocate_() ? noted_(__libc_calloc(count, size)) : NULL; }
void *memalign(size_t alignment, size_t size)
{
    return may_allocate_() ? noted_(__libc_memalign(alignment, size)) : NULL;
}
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **memory_out, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);
    if (memory)
        *memory_out = memory;
    return memory ? 0 : ENOMEM;
}

void *realloc(void *old, size_t size)
{
    if (!may_allocate_())
        return NULL;
    int64_t before = old ? (int64_t)malloc_usable_size(old) : 0;
    void *memory = __libc_realloc(old, size);
    if (allocations_.watching && (memory || !size))
        allocations_.live -= before;
    return noted_(memory);
}

void free(void *memory)
{
    forget_(memory);
    __libc_free(memory);
}
#endif

/* Starts counting allocations of this thread.  fail_at: the number of the one that fails, from 0; -1: none.
 * with_all_after: all later ones fail, too, as if memory had run out. */
static inline void watch_allocations(int64_t fail_at, int with_all_after)
{
    memset(&allocations_, 0, sizeof allocations_);
    allocations_.fail_at = fail_at;
    allocations_.fail_all_after = with_all_after;
    allocations_.watching = 1;
}

static inline void stop_watching(void) { allocations_.watching = 0; }

/* Since watch_allocations. */
static inline int64_t allocations_made(void) { return allocations_.made; }
static inline int64_t most_bytes_allocated(void) { return allocations_.peak; }

#endif
