/* CIFAR-10's records.  Bytes are scarce: a record is made of each byte of the input, as its label and its pixels; the
 * last byte's lowest bits cut the file short. */
#include "dataset.h"

#include <string.h>

const int64_t fuzz_memory_multiple = 0; /* the file is not the input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { RECORD = 3073, MOST = 8 };
    static uint8_t file[RECORD * MOST];
    if (size < 2)
        return 0;
    size_t records = size - 1 < MOST ? size - 1 : MOST, cut = data[size - 1] & 7;
    for (size_t i = 0; i < records; i++)
        memset(file + i * RECORD, data[i], RECORD);
    fuzz_folder_file("data_batch_1.bin", file, records * RECORD - cut);
    open_and_look();
    return 0;
}
