/* MNIST's idx files.  The first byte says for each of the two whether its name is that of a packed file (bits 0 and
 * 1); the next two are the length of the images' file; the labels' file follows it. */
#include "dataset.h"

const int64_t fuzz_memory_multiple = 8 * 1032; /* images of one pixel: a byte, a label of 4, and the label's byte */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5)
        return 0;
    size_t images = (size_t)data[1] << 8 | data[2];
    if (images > size - 3)
        images = size - 3;
    for (int packed = 0; packed < 2; packed++) {
        int these = (data[0] & 1) == packed, those = (data[0] >> 1 & 1) == packed;
        fuzz_folder_file(packed ? "train-images-idx3-ubyte.gz" : "train-images-idx3-ubyte", these ? data + 3 : NULL,
                         images);
        fuzz_folder_file(packed ? "train-labels-idx1-ubyte.gz" : "train-labels-idx1-ubyte",
                         those ? data + 3 + images : NULL, size - 3 - images);
    }
    open_and_look();
    return 0;
}
