/* Any bytes as a picture, PNG or JPEG. */
#include "fuzz.h"

#include "atled/files.h"

/* An interlaced PNG of one bit a pixel: 16 bytes for each of 8 pixels, of 1032 in a byte.  A JPEG takes 9216. */
const int64_t fuzz_memory_multiple = 16 * 8 * 1032;

/* A large image that is really present takes long to decode, and tests no more than a small one. */
enum { MOST_PIXELS = 1 << 18 };

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 24 && data[0] == 0x89) {
        uint64_t pixels = (uint64_t)big_endian(data + 16) * big_endian(data + 20);
        if (pixels > MOST_PIXELS && pixels / (8 * 1032) <= size)
            return 0;
    }
    atl_tensor *image = atl_read_image(fuzz_file(data, size));
    fuzz_require_message(!image);
    for (int64_t i = 0; i < atl_tensor_count(image); i++)
        fuzz_require(atl_floats(image)[i] >= 0 && atl_floats(image)[i] <= 255, "pixels are in 0..255");
    atl_tensor_free(image);
    return 0;
}
