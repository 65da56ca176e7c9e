/* CIFAR-10's binary records: a label byte, then the red plane, the green, the blue, each 32 x 32, row by row.
 * https://www.cs.toronto.edu/~kriz/cifar.html */
#include <inttypes.h>
#include <stdio.h>

#include "graph/error.h"
#include "io/dataset.h"
#include "files/input_file.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, CHANNELS = 3, RECORD = 1 + PLANE * CHANNELS, CLASSES = 10, BATCHES = 5 };

static const char *const class_names[CLASSES] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                 "dog",      "frog",       "horse", "ship", "truck"};

/* Converts planes to pixels. */
static void interleave(const unsigned char *planes, unsigned char *pixels)
{
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < CHANNELS; c++)
            pixels[i * CHANNELS + c] = planes[c * PLANE + i];
}

static atl_status read_records(FILE *stream, const char *path, int64_t records, atl_dataset *data)
{
    unsigned char record[RECORD];
    int64_t first = data->count;
    atl_status status = atl_extend_dataset(data, records);
    if (status)
        return status;
    for (int64_t i = 0; i < records; i++) {
        if (fread(record, 1, RECORD, stream) != RECORD)
            return atl_set_error(ATL_BAD_FILE, "'%s': record %" PRId64 " of %" PRId64 " cannot be read", path, i,
                                 records);
        if (record[0] >= CLASSES)
            return atl_set_error(ATL_BAD_FILE,
                                 "'%s': record %" PRId64 " has label %d, but labels are 0 to %d: is it CIFAR-10's "
                                 "binary version?",
                                 path, i, record[0], CLASSES - 1);
        data->labels[first + i] = record[0];
        interleave(record + 1, data->bytes + (first + i) * PLANE * CHANNELS);
    }
    return ATL_OK;
}

static atl_status read_batch(const char *path, atl_dataset *data)
{
    FILE *stream;
    int64_t size;
    atl_status status = atl_open_input(path, "a CIFAR-10 batch", &stream, &size);
    if (status)
        return status;
    if (size % RECORD)
        status = atl_set_error(ATL_BAD_FILE,
                               "'%s' is cut short: record %" PRId64 " has %" PRId64
                               " of its %d bytes (the file has %" PRId64 "): fetch it again",
                               path, size / RECORD, size % RECORD, RECORD, size);
    else
        status = read_records(stream, path, size / RECORD, data);
    fclose(stream);
    return status;
}

/* Reads the existing batches, which must be the first ones: a gap means that a file is missing. */
static atl_status read_training(const char *folder, atl_dataset *data)
{
    char path[ATL_PATH_SIZE], name[32];
    int last = 0;
    for (int i = 1; i <= BATCHES; i++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        if (atl_is_in_folder(folder, name))
            last = i;
    }
    for (int i = 1; i <= last; i++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        if (!atl_is_in_folder(folder, name))
            return atl_set_error(ATL_BAD_FILE, "'%s' lacks %s, though it has data_batch_%d.bin: fetch it again", folder,
                                 name, last);
        atl_status status = read_batch(atl_path_in(path, folder, name), data);
        if (status)
            return status;
    }
    return last ? ATL_OK
                : atl_set_error(ATL_BAD_FILE,
                                "'%s' has test_batch.bin, but data_batch_1.bin to data_batch_%d.bin are "
                                "missing",
                                folder, BATCHES);
}

atl_status atl_read_cifar10(const char *folder, atl_part part, atl_dataset **data_out)
{
    char path[ATL_PATH_SIZE];
    atl_dataset *data = *data_out = atl_new_dataset(SIDE, SIDE, CHANNELS, CLASSES);
    if (!data)
        return ATL_OUT_OF_MEMORY;
    for (int i = 0; i < CLASSES; i++)
        if (atl_name_class(data, i, class_names[i]))
            return ATL_OUT_OF_MEMORY;
    return part == ATL_TRAINING ? read_training(folder, data)
                                : read_batch(atl_path_in(path, folder, "test_batch.bin"), data);
}
