/* CIFAR-10's records.  To save bytes, each byte of the input becomes a record: its label and its pixels; the lowest
 * bits of the last byte cut the file short. */
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
