/* Any bytes as a file of times.  Entries that were read and written must be read again without an error. */
#include "fuzz.h"

#include "atled/program.h"
#include "compiler/layout/known_times.h"

const int64_t fuzz_memory_multiple = 50; /* a line of 4 bytes becomes an entry of a hash table */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    atl_status status = atl_read_timing(path);
    fuzz_require_message(status != ATL_OK);
    atl_forget_times();
    return 0;
}
