/* Guards: a result is computed between two regions of known bytes, to detect an op that writes outside its result or
 * leaves a part of it unwritten. */
#ifndef ATLED_GRAPH_GUARD_H
#define ATLED_GRAPH_GUARD_H

#include "graph/graph.h"

enum { ATL_GUARD = 64 }; /* bytes before and after the result */

/* In a library built for debugging (with assertions), programs are checked unless they are compiled with .check =
 * -1. */
#ifdef NDEBUG
#define ATL_CHECKED_BUILD 0
#else
#define ATL_CHECKED_BUILD 1
#endif

/* The memory needed for a result of that many bytes (a multiple of 4). */
static inline int64_t atl_guarded_bytes(int64_t bytes) { return bytes + 2 * ATL_GUARD; }
/* Writes a result; may be called twice for the same inputs, and must then write the same values. */
typedef void atl_guarded_call(void *context, void *result);

/* Calls `write` with room for a result of that many bytes between two guards in memory.  Returns a description (text)
 * of what it wrote outside the result or left unwritten; null if there is no fault.  *result_out is the address of the
 * result. Memory that still holds the mark after the call was either not written, or the mark is its value: any four
 * bytes are a valid int32.  A second call over another mark distinguishes the two. */
const char *atl_call_guarded(void *memory, int64_t bytes, atl_guarded_call *write, void *context, void **result_out,
                             char *text, size_t size);

/* Sets the thread's error: "op 'NAME' (node 'NODE', float32 [2, 3]) FAULT".  Returns 1, as a failing step does. */
int atl_report_fault(const atl_node *y, const atl_op *op, const char *fault);

/* A checksum of an op's inputs, to check that the op does not change them. */
uint64_t atl_checksum(const void *memory, int64_t bytes, uint64_t sum);

#endif
