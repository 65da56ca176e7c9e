/* Guards: a result that is computed between two stretches of known bytes, to find an op that writes outside of it, or not all of
 * it. */
#ifndef ATLED_GRAPH_GUARD_H
#define ATLED_GRAPH_GUARD_H

#include "graph/graph.h"

enum { ATL_GUARD = 64 }; /* bytes before, and after */

/* Programs are checked, unless they are compiled with .check = -1, in a library that is built for debugging: with assertions. */
#ifdef NDEBUG
#define ATL_CHECKED_BUILD 0
#else
#define ATL_CHECKED_BUILD 1
#endif

/* Memory needed for a result of that many bytes (a multiple of 4). */
static inline int64_t atl_guarded_bytes(int64_t bytes) { return bytes + 2 * ATL_GUARD; }
/* Writes a result; may be called twice for the same inputs, and must then write the same. */
typedef void atl_guarded_call(void *context, void *result);

/* Calls `write` with room for a result of that many bytes between two guards in memory.  Returns in words (text) what it wrote
 * outside of the result, or left unwritten; null if all is well.  *result_out is where the result is.
 * Memory that still holds the mark after the call was either not written, or the mark is the result there: any four bytes are
 * a legal int32.  A second call, over another mark, tells the two apart. */
const char *atl_call_guarded(void *memory, int64_t bytes, atl_guarded_call *write, void *context, void **result_out,
                             char *text, size_t size);

/* Sets the thread's error: "op 'NAME' (node 'NODE', float32 [2, 3]) FAULT". Returns 1, for a step. */
int atl_report_fault(const atl_node *y, const atl_op *op, const char *fault);

/* A checksum of what an op reads, to see that it only reads. */
uint64_t atl_checksum(const void *memory, int64_t bytes, uint64_t sum);

#endif
