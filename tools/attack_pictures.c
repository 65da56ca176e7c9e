/* The pictures of atled attack: files, folders, or a data set. */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "attack_session.h"
#include "photograph.h"
#include "text.h"

/* ---- a growing list ---------------------------------------------------------------------------------------------- */

static int64_t elements(const attack_pictures *p) { return p->height * p->width * p->channels; }

/* Room for one more picture; 0 without memory. */
static int grow(attack_pictures *p)
{
    size_t count = (size_t)p->count + 1;
    if (p->count & (p->count - 1) && p->count)
        return 1; /* the room doubles at powers of two */
    size_t room = p->count ? 2 * (size_t)p->count : count;
    void *pixels = realloc(p->pixels, room * (size_t)elements(p) * sizeof *p->pixels);
    p->pixels = pixels ? pixels : p->pixels;
    void *label = realloc(p->label, room * sizeof *p->label);
    p->label = label ? label : p->label;
    void *index = realloc(p->index, room * sizeof *p->index);
    p->index = index ? index : p->index;
    void *path = realloc(p->path, room * sizeof *p->path);
    p->path = path ? path : p->path;
    void *is_fitted = realloc(p->is_fitted, room * sizeof *p->is_fitted);
    p->is_fitted = is_fitted ? is_fitted : p->is_fitted;
    return pixels && label && index && path && is_fitted;
}

/* Copies the picture, rounded to whole levels. */
static int add(attack_pictures *p, const float *pixels, int label, int64_t index, const char *path, int is_fitted)
{
    if (!grow(p))
        return report_no_memory("attack");
    char *copy = path ? strdup(path) : NULL;
    if (path && !copy)
        return report_no_memory("attack");
    for (int64_t i = 0; i < elements(p); i++)
        p->pixels[p->count * elements(p) + i] = fminf(fmaxf(roundf(pixels[i]), 0), 255);
    p->label[p->count] = label;
    p->index[p->count] = index;
    p->is_fitted[p->count] = is_fitted;
    p->path[p->count++] = copy;
    return 0;
}

void free_attack_pictures(attack_pictures *p)
{
    for (int64_t i = 0; i < p->count; i++)
        free(p->path[i]);
    for (int64_t i = 0; i < p->count && p->jpeg; i++)
        atl_bytes_free(p->jpeg[i].bytes);
    free(p->jpeg);
    free(p->path);
    free(p->pixels);
    free(p->label);
    free(p->index);
    free(p->is_fitted);
    *p = (attack_pictures){0};
}

/* ---- JPEG -------------------------------------------------------------------------------------------------------- */

int store_as_jpeg(attack_pictures *p, int quality)
{
    p->jpeg = calloc((size_t)(p->count ? p->count : 1), sizeof *p->jpeg);
    if (!p->jpeg)
        return report_no_memory("attack");
    for (int64_t i = 0; i < p->count; i++) {
        float *pixels = p->pixels + i * elements(p);
        jpeg_file *file = &p->jpeg[i];
        atl_tensor *picture = atl_tensor_of_floats(ATL_SHAPE(p->height, p->width, p->channels), pixels);
        atl_status status = picture ? atl_encode_jpeg(picture, quality, &file->bytes, &file->size) : atl_error_status();
        atl_tensor_free(picture);
        atl_tensor *back = status ? NULL : atl_decode_image(file->bytes, file->size);
        if (!back)
            return report_failure("attack");
        for (int64_t k = 0; k < elements(p); k++)
            pixels[k] = atl_floats(back)[p->channels == 1 ? 3 * k : k];
        atl_tensor_free(back);
    }
    return 0;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* The mean of the channels, a whole level, in place; returns whether the picture had colours. */
static int make_grey(int64_t count, float *pixels)
{
    int had_colours = 0;
    for (int64_t i = 0; i < count; i++) {
        const float *rgb = pixels + 3 * i;
        had_colours |= rgb[0] != rgb[1] || rgb[0] != rgb[2];
        pixels[i] = nearbyintf((rgb[0] + rgb[1] + rgb[2]) / 3);
    }
    return had_colours;
}

static int add_file(const attack_options *set, const loaded_network *network, const char *path, int label,
                    attack_pictures *p)
{
    atl_tensor *picture = atl_read_image(path);
    if (!picture)
        return leave_picture_out("attack", &p->unread);
    atl_shape own = atl_tensor_shape(picture);
    int is_fitted = own.size[0] != p->height || own.size[1] != p->width;
    if (is_fitted && set->exact) {
        atl_set_error(ATL_BAD_FILE, "%s has %lld x %lld pixels, but the network takes %lld x %lld", path,
                      (long long)own.size[0], (long long)own.size[1], (long long)p->height, (long long)p->width);
        atl_tensor_free(picture);
        return leave_picture_out("attack", &p->unread);
    }
    int64_t short_side = p->height < p->width ? p->height : p->width;
    int64_t published = network->model->height < network->model->width ? network->model->height : network->model->width;
    atl_tensor *fitted =
        is_fitted ? fit_photograph(picture, network->model->resize * short_side / published, p->height, p->width)
                  : NULL;
    int code = is_fitted && !fitted ? report_failure("attack") : 0;
    float *pixels = atl_floats(fitted ? fitted : picture);
    if (!code && p->channels == 1 && make_grey(elements(p), pixels))
        is_fitted = 1;
    if (!code)
        code = add(p, pixels, label, set->first + p->count, path, is_fitted);
    atl_tensor_free(fitted);
    atl_tensor_free(picture);
    return code;
}

static int is_picture(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && dot != entry->d_name &&
           (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int add_folder(const attack_options *set, const loaded_network *network, const char *folder, int label,
                      attack_pictures *p)
{
    struct dirent **entries;
    char path[4096];
    int code = 0, count = scandir(folder, &entries, is_picture, by_name);
    if (count < 0)
        return report_error("attack", EXIT_BAD_FILE, "the folder %s cannot be read", folder);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (!code && (!set->count || p->count < set->count))
            code = add_file(set, network, path, label, p);
        free(entries[i]);
    }
    free(entries);
    return !code && count == 0 ? report_error("attack", EXIT_BAD_FILE, "the folder %s has no .png or .jpg", folder)
                               : code;
}

static int read_files(const attack_options *set, const loaded_network *network, const class_names *labels,
                      attack_pictures *p)
{
    int label = set->label ? class_of("attack", labels, network->size.classes, set->label) : -1, code = 0;
    if (set->label && label < 0)
        return EXIT_USAGE;
    for (int i = 0; set->operands[i] && !code; i++) {
        struct stat about;
        int is_folder = stat(set->operands[i], &about) == 0 && S_ISDIR(about.st_mode);
        code = (is_folder ? add_folder : add_file)(set, network, set->operands[i], label, p);
    }
    if (!code && !p->count)
        code = end_without_pictures("attack", 0, p->unread);
    return code;
}

/* ---- data sets --------------------------------------------------------------------------------------------------- */

int read_picture_shape(const attack_options *set, atl_shape *shape_out)
{
    *shape_out = ATL_SHAPE(ATL_ANY, ATL_ANY, ATL_ANY);
    if (!set->data)
        return 0;
    atl_dataset *data = atl_dataset_open(set->data, (atl_part)set->part);
    if (!data)
        return report_failure("attack");
    *shape_out = atl_dataset_image_shape(data);
    atl_dataset_free(data);
    return 0;
}

static int check_images(const attack_options *set, const atl_dataset *data, const loaded_network *network,
                        const attack_pictures *p)
{
    atl_shape image = atl_dataset_image_shape(data);
    if (image.size[0] < p->height || image.size[1] < p->width || image.size[2] != p->channels)
        return report_error("attack", EXIT_BAD_FILE,
                            "%s has images of %lld x %lld x %lld, but the network takes %lld x %lld x %lld", set->data,
                            (long long)image.size[0], (long long)image.size[1], (long long)image.size[2],
                            (long long)p->height, (long long)p->width, (long long)p->channels);
    if (set->exact && (image.size[0] != p->height || image.size[1] != p->width))
        return report_error("attack", EXIT_BAD_FILE,
                            "--exact: the images of %s are %lld x %lld, but the network takes %lld x %lld", set->data,
                            (long long)image.size[0], (long long)image.size[1], (long long)p->height,
                            (long long)p->width);
    if (atl_dataset_classes(data) > network->size.classes)
        return report_error("attack", EXIT_BAD_FILE, "the data have %d classes, but the network tells only %d apart",
                            atl_dataset_classes(data), network->size.classes);
    if (set->first >= atl_dataset_count(data))
        return report_error("attack", EXIT_USAGE, "--first %lld: %s has %lld image%s", (long long)set->first, set->data,
                            (long long)atl_dataset_count(data), plural(atl_dataset_count(data)));
    return 0;
}

static int read_data(const attack_options *set, const loaded_network *network, attack_pictures *p)
{
    atl_dataset *data = atl_dataset_open(set->data, (atl_part)set->part);
    if (!data)
        return report_failure("attack");
    int code = check_images(set, data, network, p);
    int64_t end = atl_dataset_count(data);
    if (set->count && set->count < end - set->first)
        end = set->first + set->count;
    atl_batches *batches =
        code ? NULL : atl_batches_new(data, .size = 100, .height = p->height, .width = p->width, .threads = 1);
    if (!code && !batches)
        code = report_failure("attack");
    for (int64_t index = 0; index < end && !code;) {
        const atl_batch *batch = atl_batches_next(batches);
        if (!batch)
            code = report_failure("attack");
        for (int64_t i = 0; !code && i < batch->count && index < end; i++, index++)
            if (index >= set->first)
                code = add(p, atl_floats(batch->images) + i * elements(p), atl_ints(batch->labels)[i], index, NULL, 0);
    }
    atl_batches_free(batches);
    atl_dataset_free(data);
    return code;
}

int read_attack_pictures(const attack_options *set, const loaded_network *network, const class_names *labels,
                         attack_pictures *p)
{
    *p = (attack_pictures){.height = network->size.height, .width = network->size.width};
    p->channels = atl_shape_of(network->image).size[3];
    int code = set->data ? read_data(set, network, p) : read_files(set, network, labels, p);
    return !code && set->jpeg ? store_as_jpeg(p, (int)set->jpeg) : code;
}
