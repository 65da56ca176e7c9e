/* The hash FNV-1a, of 64 bits (Fowler, Noll and Vo). */
#ifndef ATLED_COMMON_HASH_H
#define ATLED_COMMON_HASH_H

#include <stdint.h>
#include <string.h>

#define ATL_HASH_START UINT64_C(0xcbf29ce484222325)

/* Continues a hash by some bytes. */
static inline uint64_t atl_hash_bytes(uint64_t hash, const void *memory, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)memory;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline uint64_t atl_hash_text(const char *text) { return atl_hash_bytes(ATL_HASH_START, text, strlen(text)); }

#endif
