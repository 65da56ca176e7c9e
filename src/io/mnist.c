/* MNIST's idx files, plain or gzip: a big-endian magic number 0x0000080R for bytes in R dimensions, the R sizes, the
 * bytes. https://yann.lecun.com/exdb/mnist */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/plural.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "io/dataset.h"
#include "io/packed_file.h"

enum { CLASSES = 10, MAX_SIDE = 4096, MAX_DEFLATE = 1032 /* bytes that one byte can become: zlib's manual */ };

/* An idx file, positioned at its data. */
typedef struct idx_file {
    char path[ATL_PATH_SIZE];
    atl_packed_file *stream;
    int64_t size[3]; /* count, height, width */
} idx_file;

static atl_status read_number(idx_file *file, const char *what, int64_t *number_out)
{
    unsigned char b[4];
    int64_t got;
    atl_status status = atl_read_packed(file->stream, b, 4, &got);
    if (!status && got != 4)
        status =
            atl_set_error(ATL_BAD_FILE, "'%s' is cut short in its head, before %s: fetch it again", file->path, what);
    if (!status)
        *number_out = (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    return status;
}

/* Reads the sizes, and checks them against what the file can contain. */
static atl_status read_head(idx_file *file, int rank, int64_t file_size)
{
    static const char *const dimension[] = {"the count", "the height", "the width"};
    int64_t magic = 0, bytes = 1;
    atl_status status = read_number(file, "the magic number", &magic);
    if (!status && magic != 0x800 + rank)
        return atl_set_error(ATL_BAD_FILE,
                             "'%s' begins with 0x%08" PRIx64
                             ", where an idx file of bytes in %d dimension%s has 0x%08x",
                             file->path, (uint64_t)magic, rank, rank == 1 ? "" : "s", 0x800 + rank);
    for (int i = 0; i < rank && !status; i++) {
        status = read_number(file, dimension[i], &file->size[i]);
        if (!status && (file->size[i] < 1 || (i > 0 && file->size[i] > MAX_SIDE)))
            return atl_set_error(ATL_BAD_FILE, "'%s': %s is %" PRId64 ", not in 1 to %" PRId64, file->path,
                                 dimension[i], file->size[i], i ? (int64_t)MAX_SIDE : (int64_t)UINT32_MAX);
        bytes *= file->size[i]; /* below 2^32 * 2^24 */
    }
    if (!status && bytes / MAX_DEFLATE > file_size)
        return atl_set_error(ATL_BAD_FILE,
                             "'%s' is said to hold %" PRId64 " record%s, %" PRId64 " byte%s, but is only %" PRId64
                             " bytes long: fetch it again",
                             file->path, file->size[0], atl_plural(file->size[0]), bytes, atl_plural(bytes), file_size);
    return status;
}

/* NAME or NAME.gz in the folder. */
static atl_status open_idx(const char *folder, const char *name, int rank, idx_file *file)
{
    char packed[64];
    int64_t file_size;
    *file = (idx_file){.size = {1, 1, 1}};
    snprintf(packed, sizeof packed, "%s.gz", name);
    atl_path_in(file->path, folder, atl_is_in_folder(folder, name) ? name : packed);
    atl_status status = atl_open_packed(file->path, "an idx file of MNIST, plain or .gz,", &file->stream, &file_size);
    return status ? status : read_head(file, rank, file_size);
}

/* Checks that the file ends here and is complete: gzip's checksum comes last. */
static atl_status check_end(idx_file *file)
{
    unsigned char more;
    int64_t got;
    atl_status status = atl_read_packed(file->stream, &more, 1, &got);
    if (status)
        return status;
    if (got > 0)
        return atl_set_error(ATL_BAD_FILE, "'%s' goes on after its %" PRId64 " record%s: fetch it again", file->path,
                             file->size[0], atl_plural(file->size[0]));
    return atl_is_cut_short(file->stream)
               ? atl_set_error(ATL_BAD_FILE, "'%s' is cut short: its checksum is missing: fetch it again", file->path)
               : ATL_OK;
}

/* Reads every record, and checks the end of the file. */
static atl_status read_records(idx_file *file, unsigned char *bytes)
{
    int64_t record = file->size[1] * file->size[2], got;
    for (int64_t i = 0; i < file->size[0]; i++) {
        atl_status status = atl_read_packed(file->stream, bytes + i * record, record, &got);
        if (status)
            return status;
        if (got != record)
            return atl_set_error(ATL_BAD_FILE,
                                 "'%s' is cut short: record %" PRId64 " of %" PRId64 " has %" PRId64 " of its %" PRId64
                                 " bytes: fetch it again",
                                 file->path, i, file->size[0], got, record);
    }
    return check_end(file);
}

static atl_status copy_labels(const idx_file *file, const unsigned char *bytes, atl_dataset *data)
{
    for (int64_t i = 0; i < data->count; i++) {
        if (bytes[i] >= CLASSES)
            return atl_set_error(ATL_BAD_FILE, "'%s': record %" PRId64 " has label %d, but labels are 0 to %d",
                                 file->path, i, bytes[i], CLASSES - 1);
        data->labels[i] = bytes[i];
    }
    return ATL_OK;
}

static atl_status read_pair(idx_file *images, idx_file *labels, atl_dataset **data_out)
{
    if (images->size[0] != labels->size[0])
        return atl_set_error(ATL_BAD_FILE, "'%s' has %" PRId64 " image%s, but '%s' has %" PRId64 " label%s",
                             images->path, images->size[0], atl_plural(images->size[0]), labels->path, labels->size[0],
                             atl_plural(labels->size[0]));
    atl_dataset *data = *data_out = atl_new_dataset(images->size[1], images->size[2], 1, CLASSES);
    unsigned char *label_bytes = atl_allocate((size_t)labels->size[0], 1);
    atl_status status = data && label_bytes ? atl_extend_dataset(data, images->size[0]) : atl_out_of_memory();
    if (!status)
        status = read_records(images, data->bytes);
    if (!status)
        status = read_records(labels, label_bytes);
    if (!status)
        status = copy_labels(labels, label_bytes, data);
    atl_release(label_bytes);
    return status;
}

static atl_status name_digits(atl_dataset *data)
{
    for (int i = 0; i < CLASSES; i++)
        if (atl_name_class(data, i, (const char[]){(char)('0' + i), 0}))
            return ATL_OUT_OF_MEMORY;
    return ATL_OK;
}

atl_status atl_read_mnist(const char *folder, atl_part part, atl_dataset **data_out)
{
    idx_file images, labels = {.stream = NULL};
    atl_status status =
        open_idx(folder, part == ATL_TRAINING ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte", 3, &images);
    if (!status)
        status =
            open_idx(folder, part == ATL_TRAINING ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte", 1, &labels);
    if (!status)
        status = read_pair(&images, &labels, data_out);
    atl_close_packed(images.stream);
    atl_close_packed(labels.stream);
    return status ? status : name_digits(*data_out);
}
