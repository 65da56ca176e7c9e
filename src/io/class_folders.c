/* A folder of images with one sub-folder per class: the classes in alphabetical order, and the images in each. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "atled/files.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "io/dataset.h"
#include "io/sorted_names.h"

typedef struct name_list {
    const char **name; /* each to be released */
    int64_t count, capacity;
} name_list;

static void free_names(name_list *list)
{
    for (int64_t i = 0; i < list->count; i++)
        atl_release((void *)(uintptr_t)list->name[i]);
    atl_release(list->name);
}

static int is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static int is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

static atl_status add_name(name_list *list, const char *name)
{
    if (!ATL_GROW(list->name, list->count, list->capacity) || !(list->name[list->count] = atl_copy_text(name)))
        return atl_out_of_memory();
    list->count++;
    return ATL_OK;
}

/* The sub-folders, or the images, in alphabetical order.  Hidden ones are ignored. */
static atl_status list_folder(const char *folder, int folders, name_list *list)
{
    char path[ATL_PATH_SIZE];
    atl_status status = ATL_OK;
    DIR *directory = opendir(folder);
    if (!directory)
        return atl_set_error(ATL_BAD_FILE, "the folder '%s' cannot be read: %s", folder, strerror(errno));
    for (struct dirent *found; !status && (found = readdir(directory));)
        if (found->d_name[0] != '.' && is_folder(atl_path_in(path, folder, found->d_name)) == folders &&
            (folders || is_picture(found->d_name)))
            status = add_name(list, found->d_name);
    closedir(directory);
    if (!status)
        atl_sort_names(list->name, list->count);
    return status;
}

static atl_status add_picture(const char *path, int label, atl_dataset *data)
{
    atl_tensor *picture = atl_read_image(path);
    if (!picture)
        return atl_error_status();
    atl_shape shape = atl_tensor_shape(picture);
    atl_status status = ATL_OK;
    if (data->count == 0) {
        data->height = shape.size[0];
        data->width = shape.size[1];
    }
    if (shape.size[0] != data->height || shape.size[1] != data->width)
        status = atl_set_error(ATL_BAD_FILE,
                               "'%s' is %" PRId64 " x %" PRId64 " pixels, but the pictures before it are %" PRId64
                               " x %" PRId64 ": make all of one size",
                               path, shape.size[0], shape.size[1], data->height, data->width);
    else
        status = atl_extend_dataset(data, 1);
    if (!status) {
        int64_t count = data->height * data->width * data->channels;
        unsigned char *bytes = data->bytes + (data->count - 1) * count;
        for (int64_t i = 0; i < count; i++)
            bytes[i] = (unsigned char)atl_floats(picture)[i];
        data->labels[data->count - 1] = label;
    }
    atl_tensor_free(picture);
    return status;
}

static atl_status read_class(const char *folder, const char *name, int label, atl_dataset *data)
{
    char inside[ATL_PATH_SIZE], path[ATL_PATH_SIZE];
    name_list pictures = {0};
    atl_path_in(inside, folder, name);
    atl_status status = list_folder(inside, 0, &pictures);
    if (!status && pictures.count == 0)
        status = atl_set_error(ATL_BAD_FILE, "the folder '%s' has no pictures (.png, .jpg, .jpeg)", inside);
    for (int64_t i = 0; i < pictures.count && !status; i++)
        status = add_picture(atl_path_in(path, inside, pictures.name[i]), label, data);
    free_names(&pictures);
    return status ? status : atl_name_class(data, label, name);
}

atl_status atl_read_class_folders(const char *folder, atl_dataset **data_out)
{
    name_list classes = {0};
    atl_status status = list_folder(folder, 1, &classes);
    if (!status && classes.count == 0)
        status = atl_set_error(ATL_BAD_FILE,
                               "'%s' has no data: neither batches of CIFAR-10 (data_batch_1.bin), idx files of MNIST "
                               "(train-images-idx3-ubyte.gz), train.npz, nor one sub-folder a class",
                               folder);
    if (!status && !(*data_out = atl_new_dataset(0, 0, 3, (int)classes.count)))
        status = ATL_OUT_OF_MEMORY;
    for (int i = 0; i < classes.count && !status; i++)
        status = read_class(folder, classes.name[i], i, *data_out);
    free_names(&classes);
    return status;
}
