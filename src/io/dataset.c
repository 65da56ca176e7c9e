/* Data sets in memory: chooses the reader for a folder, and the functions for all formats. */
#include "io/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "graph/error.h"
#include "graph/memory.h"

/* ---- for the readers --------------------------------------------------------------------------------------------- */

atl_dataset *atl_new_dataset(int64_t height, int64_t width, int64_t channels, int classes)
{
    atl_dataset *data = atl_allocate(1, sizeof *data);
    if (!data) {
        atl_out_of_memory();
        return NULL;
    }
    data->height = height;
    data->width = width;
    data->channels = channels;
    data->classes = classes;
    return data;
}

atl_status atl_extend_dataset(atl_dataset *data, int64_t more)
{
    size_t count = (size_t)(data->count + more), image = (size_t)(data->height * data->width * data->channels);
    unsigned char *bytes = atl_reallocate(data->bytes, count, image);
    if (bytes)
        data->bytes = bytes;
    int32_t *labels = atl_reallocate(data->labels, count, sizeof *labels);
    if (labels)
        data->labels = labels;
    if (!bytes || !labels)
        return atl_out_of_memory();
    data->count += more;
    return ATL_OK;
}

atl_status atl_name_class(atl_dataset *data, int label, const char *name)
{
    if (!data->names)
        data->names = atl_allocate((size_t)data->classes, sizeof *data->names);
    if (!data->names || !(data->names[label] = atl_copy_text(name)))
        return atl_out_of_memory();
    return ATL_OK;
}

const char *atl_path_in(char path[ATL_PATH_SIZE], const char *folder, const char *name)
{
    size_t length = strlen(folder);
    snprintf(path, ATL_PATH_SIZE, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
    return path;
}

int atl_is_in_folder(const char *folder, const char *name)
{
    char path[ATL_PATH_SIZE];
    struct stat about;
    return stat(atl_path_in(path, folder, name), &about) == 0;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int has_any(const char *folder, const char *const *names)
{
    for (; *names; names++)
        if (atl_is_in_folder(folder, *names))
            return 1;
    return 0;
}

static atl_status read_folder(const char *folder, atl_part part, atl_dataset **data_out)
{
    static const char *const cifar10[] = {"data_batch_1.bin",
                                          "data_batch_2.bin",
                                          "data_batch_3.bin",
                                          "data_batch_4.bin",
                                          "data_batch_5.bin",
                                          "test_batch.bin",
                                          NULL};
    static const char *const mnist[] = {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz",
                                        "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz", NULL};
    static const char *const archives[] = {"train.npz", "test.npz", NULL}, *const parts[] = {"train", "test", NULL};
    char path[ATL_PATH_SIZE];
    if (has_any(folder, cifar10))
        return atl_read_cifar10(folder, part, data_out);
    if (has_any(folder, mnist))
        return atl_read_mnist(folder, part, data_out);
    if (has_any(folder, archives))
        return atl_read_npz_dataset(atl_path_in(path, folder, archives[part]), data_out);
    if (has_any(folder, parts))
        return atl_read_class_folders(atl_path_in(path, folder, parts[part]), data_out);
    return atl_read_class_folders(folder, data_out);
}

static atl_status read_any(const char *path, atl_part part, atl_dataset **data_out)
{
    struct stat about;
    if (!path || !*path)
        return atl_set_error(ATL_INVALID, "no path was given for reading a data set");
    if (strlen(path) > ATL_PATH_SIZE - 512)
        return atl_set_error(ATL_INVALID, "the path of the data set is too long: %zu characters", strlen(path));
    if (stat(path, &about))
        return atl_set_error(ATL_BAD_FILE, "there is no data at '%s': check the path", path);
    return S_ISDIR(about.st_mode) ? read_folder(path, part, data_out) : atl_read_npz_dataset(path, data_out);
}

atl_dataset *atl_dataset_open(const char *path, atl_part part)
{
    atl_dataset *data = NULL;
    if (read_any(path, part, &data)) {
        atl_dataset_free(data);
        return NULL;
    }
    return data;
}

static atl_status check_tensors(const atl_tensor *images, const atl_tensor *labels)
{
    char one[128], other[128];
    atl_shape i = atl_tensor_shape(images), l = atl_tensor_shape(labels);
    if (!images || !labels || !atl_floats(images) || !atl_ints(labels) || i.rank != 4 || l.rank != 1 ||
        i.size[0] != l.size[0] || atl_shape_count(i) < 1)
        return atl_set_error(
            ATL_INVALID,
            "a data set needs float32 images [n, height, width, channels] and int32 labels [n], not %s and %s",
            images ? atl_shape_text(i, one, sizeof one) : "null",
            labels ? atl_shape_text(l, other, sizeof other) : "null");
    for (int64_t k = 0; k < l.size[0]; k++)
        if (atl_ints(labels)[k] < 0 || atl_ints(labels)[k] >= 1 << 24)
            return atl_set_error(ATL_INVALID, "record %" PRId64 " has label %d, but labels are 0 to %d", k,
                                 atl_ints(labels)[k], (1 << 24) - 1);
    return ATL_OK;
}

static int count_classes(const atl_tensor *labels)
{
    int32_t most = 0;
    for (int64_t k = 0; k < atl_tensor_count(labels); k++)
        most = atl_ints(labels)[k] > most ? atl_ints(labels)[k] : most;
    return most + 1;
}

atl_dataset *atl_dataset_of(const atl_tensor *images, const atl_tensor *labels)
{
    if (check_tensors(images, labels))
        return NULL;
    atl_shape shape = atl_tensor_shape(images);
    size_t elements = (size_t)atl_tensor_count(images), count = (size_t)shape.size[0];
    atl_dataset *data = atl_new_dataset(shape.size[1], shape.size[2], shape.size[3], count_classes(labels));
    if (!data)
        return NULL;
    data->floats = atl_allocate(elements, sizeof *data->floats);
    data->labels = atl_allocate(count, sizeof *data->labels);
    if (!data->floats || !data->labels) {
        atl_out_of_memory();
        atl_dataset_free(data);
        return NULL;
    }
    memcpy(data->floats, atl_floats(images), elements * sizeof *data->floats);
    memcpy(data->labels, atl_ints(labels), count * sizeof *data->labels);
    data->count = shape.size[0];
    return data;
}

void atl_dataset_free(atl_dataset *data)
{
    if (!data)
        return;
    for (int i = 0; data->names && i < data->classes; i++)
        atl_release(data->names[i]);
    atl_release(data->names);
    atl_release(data->bytes);
    atl_release(data->floats);
    atl_release(data->labels);
    atl_release(data);
}

/* ---- what is known about it -------------------------------------------------------------------------------------- */

int64_t atl_dataset_count(const atl_dataset *data) { return data ? data->count : 0; }
int atl_dataset_classes(const atl_dataset *data) { return data ? data->classes : 0; }

atl_shape atl_dataset_image_shape(const atl_dataset *data)
{
    return data ? ATL_SHAPE(data->height, data->width, data->channels) : ATL_SCALAR;
}

const char *atl_dataset_class_name(const atl_dataset *data, int label)
{
    return data && data->names && label >= 0 && label < data->classes ? data->names[label] : NULL;
}
