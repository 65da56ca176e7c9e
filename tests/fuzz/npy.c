/* Any bytes as an .npy file. */
#include "fuzz.h"

#include "atled/files.h"

const int64_t fuzz_memory_multiple = 4; /* bytes become floats */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    atl_tensor *x = atl_read_npy(fuzz_file(data, size));
    fuzz_require_message(!x);
    atl_tensor_free(x);
    return 0;
}
