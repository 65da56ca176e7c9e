/* Any bytes as an .npz archive: every entry is read, by its name. */
#include "fuzz.h"

#include "atled/files.h"

const int64_t fuzz_memory_multiple = 4 * 1032 + 16; /* bytes become floats; deflate; the directory */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    atl_npz *npz = atl_npz_open(fuzz_file(data, size));
    fuzz_require_message(!npz);
    for (int i = 0; i < atl_npz_count(npz); i++) {
        atl_shape shape;
        atl_status status = atl_npz_shape(npz, atl_npz_name(npz, i), &shape);
        fuzz_require_message(status != ATL_OK);
        atl_tensor *x = atl_npz_read(npz, atl_npz_name(npz, i));
        fuzz_require_message(!x);
        fuzz_require(!x || (!status && atl_shape_equal(shape, atl_tensor_shape(x))), "an entry has the shape it says");
        atl_tensor_free(x);
    }
    atl_npz_close(npz);
    return 0;
}
