/* Guard bytes around results. */
#include "graph/guard.h"

#include "common/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint32_t MARK = 0xffe1a7edu, SECOND_MARK = 0xffa7e1deu; /* NaNs, as floats and, twice, as doubles */

/* Fills memory with a mark. */
static void fill(unsigned char *memory, int64_t bytes, uint32_t mark)
{
    for (int64_t i = 0; i + 4 <= bytes; i += 4)
        memcpy(memory + i, &mark, 4);
}

/* The number of 4-byte words that hold the mark. */
static int64_t count_marks(const unsigned char *memory, int64_t bytes, uint32_t mark)
{
    int64_t count = 0;
    for (int64_t i = 0; i + 4 <= bytes; i += 4)
        count += memcmp(memory + i, &mark, 4) == 0;
    return count;
}

/* Replaces the first mark by the second. */
static void exchange_marks(unsigned char *memory, int64_t bytes)
{
    for (int64_t i = 0; i + 4 <= bytes; i += 4)
        if (memcmp(memory + i, &MARK, 4) == 0)
            memcpy(memory + i, &SECOND_MARK, 4);
}

/* The number of 4-byte words of the result that no call writes. */
static int64_t count_unwritten(unsigned char *result, int64_t bytes, atl_guarded_call *write, void *context)
{
    if (count_marks(result, bytes, MARK) == 0)
        return 0;
    int64_t computed = count_marks(result, bytes, SECOND_MARK);
    exchange_marks(result, bytes);
    write(context, result);
    return count_marks(result, bytes, SECOND_MARK) - computed;
}

const char *atl_call_guarded(void *memory, int64_t bytes, atl_guarded_call *write, void *context, void **result_out,
                             char *text, size_t size)
{
    unsigned char *result = (unsigned char *)memory + ATL_GUARD;
    fill(memory, atl_guarded_bytes(bytes), MARK);
    *result_out = result;
    write(context, result);
    int64_t before = ATL_GUARD / 4 - count_marks(memory, ATL_GUARD, MARK);
    int64_t after = ATL_GUARD / 4 - count_marks(result + bytes, ATL_GUARD, MARK);
    int64_t unwritten = before || after ? 0 : count_unwritten(result, bytes, write, context);
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
    return atl_hash_bytes(sum, memory, (size_t)bytes);
}
