/* Opens the data set in fuzz_folder() and reads all of it. */
#ifndef ATLED_TESTS_FUZZ_DATASET_H
#define ATLED_TESTS_FUZZ_DATASET_H

#include "fuzz.h"

#include "io/dataset.h"

static inline void open_and_look(void)
{
    atl_dataset *data = atl_dataset_open(fuzz_folder(), ATL_TRAINING);
    fuzz_require_message(!data);
    for (int64_t i = 0; i < atl_dataset_count(data); i++)
        fuzz_require(data->labels[i] >= 0 && data->labels[i] < atl_dataset_classes(data), "labels are of a class");
    fuzz_require(!data || data->bytes || data->floats, "there are pixels");
    atl_dataset_free(data);
}

#endif
