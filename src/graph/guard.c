/* Guard bytes around results. */
#include "graph/guard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint32_t MARK = 0xffe1a7edu; /* a NaN, as a float and, twice, as a double */

static void mark(unsigned char *memory, int64_t bytes)
{
    for (int64_t i = 0; i + 4 <= bytes; i += 4)
        memcpy(memory + i, &MARK, 4);
}

void *atl_guard(void *memory, int64_t bytes)
{
    mark(memory, atl_guarded_bytes(bytes));
    return (char *)memory + ATL_GUARD;
}

/* Words of four bytes that are not, or (as_marked) still are, the mark. */
static int64_t count_words(const unsigned char *memory, int64_t bytes, int as_marked)
{
    int64_t count = 0;
    for (int64_t i = 0; i + 4 <= bytes; i += 4)
        count += (memcmp(memory + i, &MARK, 4) == 0) == as_marked;
    return count;
}

const char *atl_guard_fault(const void *memory, int64_t bytes, char *text, size_t size)
{
    const unsigned char *result = (const unsigned char *)memory + ATL_GUARD;
    int64_t before = count_words(memory, ATL_GUARD, 0), after = count_words(result + bytes, ATL_GUARD, 0);
    int64_t unwritten = count_words(result, bytes, 1);
    if (before || after)
        snprintf(text, size,
                 "writes %" PRId64 " bytes %s its result. Does it compute more than its infer function says, or in "
                 "another order?",
                 4 * (after ? after : before), after ? "behind" : "before");
    else if (unwritten)
        snprintf(text, size,
                 "leaves %" PRId64 " of the %" PRId64
                 " bytes of its result unwritten. Does its infer function promise more than is computed?",
                 4 * unwritten, bytes);
    else
        return NULL;
    return text;
}

int atl_report_fault(const atl_node *y, const atl_op *op, const char *fault)
{
    char shape[160];
    const atl_node *named = y->origin ? y->origin : y;
    atl_set_error(ATL_INVALID, "op %s (node '%s', %s %s) %s", op->name, atl_name_of(named), atl_dtype_name(y->dtype),
                  atl_shape_text(*y->shape, shape, sizeof shape), fault);
    return 1;
}

uint64_t atl_checksum(const void *memory, int64_t bytes, uint64_t sum)
{
    const unsigned char *at = memory;
    for (int64_t i = 0; i < bytes; i++) /* FNV-1a */
        sum = (sum ^ at[i]) * 0x100000001b3u;
    return sum;
}
