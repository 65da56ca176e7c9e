/* Any bytes as a .safetensors file: every array is read, by its name. */
#include "fuzz.h"

#include "atled/files.h"

/* A number of two bytes in the header takes 40 in a list that doubles; bytes become floats. */
const int64_t fuzz_memory_multiple = 128;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    atl_safetensors *file = atl_safetensors_open(fuzz_file(data, size));
    fuzz_require_message(!file);
    for (int i = 0; i < atl_safetensors_count(file); i++) {
        const char *name = atl_safetensors_name(file, i);
        atl_shape shape;
        fuzz_require(atl_safetensors_has(file, name), "an array is found by its name");
        fuzz_require(atl_safetensors_shape(file, name, &shape) == ATL_OK, "an array has a shape");
        atl_tensor *x = atl_safetensors_read(file, name);
        fuzz_require_message(!x);
        fuzz_require(!x || atl_shape_equal(shape, atl_tensor_shape(x)), "an array has the shape it says");
        atl_tensor_free(x);
    }
    atl_safetensors_close(file);
    return 0;
}
