/* What the rest of the library sees of oneDNN: layouts in which its primitives like to work, and the reorders between them.
 * dnnl.h is included in this folder only; functions that lower an op are declared in a header of their own beside this one.
 *
 * A layout describes one value: its shape, and where each element lies.  Null is the plain order, dense and row-major. */
#ifndef ATLED_ONEDNN_ONEDNN_H
#define ATLED_ONEDNN_ONEDNN_H

#include <stddef.h>
#include <stdint.h>

#include "program/lowering.h"

/* True if a value in layout a can be read as one in layout b.  Either may be null. */
int atl_layout_equal(const atl_memory_layout *a, const atl_memory_layout *b);

/* Bytes of memory, padding included; not for null. */
int64_t atl_layout_bytes(const atl_memory_layout *layout);

/* Null, with the error set, when out of memory; null for null. */
atl_memory_layout *atl_layout_copy(const atl_memory_layout *layout);
void atl_layout_free(atl_memory_layout *layout);

/* Writes "nChw16c", "OIhw16i16o", "winograd", ..., or "plain" for null, into text and returns text. */
const char *atl_layout_name(const atl_memory_layout *layout, char *text, size_t size);

/* Emits the step (or two) that takes a float32 value of that shape from one layout to the other.  1, or 0 with the error set. */
int atl_lower_reorder(atl_lowering *lowering, atl_shape shape, atl_value_id from, const atl_memory_layout *from_layout,
                      atl_value_id to, const atl_memory_layout *to_layout);

/* Names oneDNN's threads, version and instruction set for messages: "oneDNN 2.6.3, avx512". Returns text. */
const char *atl_onednn_version(char *text, size_t size);

#endif
