/* The table of networks, which the linker collects from their files; and what a file of weights tells of a network. */
#include "atled/models.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/error.h"
#include "models/model.h"

/* The ends of the table, which the linker makes. Hidden, for gold would show them to programs. */
__attribute__((visibility("hidden"))) extern const atl_model *const __start_atl_models[], *const __stop_atl_models[];

enum { MOST_MODELS = 64 };

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const atl_model *const *)a)->name, (*(const atl_model *const *)b)->name);
}

static const atl_model *models[MOST_MODELS];
static int model_count;

static void sort_models(void)
{
    model_count = (int)(__stop_atl_models - __start_atl_models);
    memcpy(models, __start_atl_models, (size_t)model_count * sizeof *models);
    qsort(models, (size_t)model_count, sizeof *models, by_name);
}

const atl_model *const *atl_models(int64_t *count_out)
{
    static pthread_once_t sorted = PTHREAD_ONCE_INIT;
    pthread_once(&sorted, sort_models);
    if (count_out)
        *count_out = model_count;
    return models;
}

const atl_model *atl_model_find(const char *name)
{
    int64_t count;
    const atl_model *const *all = atl_models(&count);
    for (int64_t i = 0; i < count; i++)
        if (name && strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

/* An open file of weights, in one of the two formats. */
typedef struct weight_file {
    atl_npz *npz;
    atl_safetensors *safetensors;
} weight_file;

static atl_status open_weights(const char *path, weight_file *file)
{
    *file = (weight_file){0};
    if (atl_is_safetensors_name(path))
        file->safetensors = atl_safetensors_open(path);
    else
        file->npz = atl_npz_open(path);
    return file->npz || file->safetensors ? ATL_OK : atl_error_status();
}

static void close_weights(weight_file *file)
{
    atl_npz_close(file->npz);
    atl_safetensors_close(file->safetensors);
}

static int has(const weight_file *file, const char *name)
{
    return file->npz ? atl_npz_has(file->npz, name) : atl_safetensors_has(file->safetensors, name);
}

/* The shape of the layer's weights, under the network's own key or the library's, whichever the archive has; a scalar
 * if it has neither. */
static atl_status weights_shape(const atl_model *model, const weight_file *file, int layer, atl_shape *shape)
{
    const char *own = ATL_NAME("%s/weights", model->layers[layer]);
    const char *usual = ATL_NAME("%s%s", model->layers[layer], model->suffixes[0] ? model->suffixes[0] : "/weights");
    const char *key = has(file, own) ? own : usual;
    *shape = ATL_SCALAR;
    if (!has(file, key))
        return ATL_OK;
    return file->npz ? atl_npz_shape(file->npz, key, shape) : atl_safetensors_shape(file->safetensors, key, shape);
}

/* Filters are [.., out] or [out, ..]; dense weights likewise. */
static int64_t outputs_of(const atl_model *model, atl_shape shape)
{
    return shape.size[model->weight_order == ATL_OUT_IN ? 0 : shape.rank - 1];
}

/* The side of the square image whose flattened map has that many elements; 0 if there is none. */
static int64_t side_of(const atl_model *model, int64_t features, int64_t channels)
{
    for (int64_t side = 1; channels > 0 && side <= 4096; side++)
        if (side * side % model->flat_area == 0 && side * side / model->flat_area * channels == features)
            return side;
    return 0;
}

static atl_status measure(const atl_model *model, const weight_file *file, atl_model_size *size)
{
    atl_shape shape;
    for (int i = 0; model->layers[i]; i++) {
        atl_status status = weights_shape(model, file, i, &shape);
        if (status)
            return status;
        if (shape.rank != 2 && shape.rank != 4)
            continue;
        int64_t out = outputs_of(model, shape);
        if (out > 0 && out < 1 << 24)
            size->widths[i] = (int)out;
        if ((!model->layers[i + 1] || model->any_depth) && size->widths[i])
            size->classes = size->widths[i];
        if (i && i == model->flat_layer && shape.rank == 2) {
            int64_t side = side_of(model, shape.size[0], size->widths[i - 1]);
            if (side)
                size->height = size->width = side;
        }
    }
    return ATL_OK;
}

atl_status atl_model_size_of(const atl_model *model, const char *path, atl_model_size *size_out)
{
    if (!model || !size_out)
        return atl_null_argument("atl_model_size_of", model ? "size_out is" : "the model is");
    *size_out = (atl_model_size){.height = model->height, .width = model->width, .classes = model->classes};
    if (!path)
        return ATL_OK;
    weight_file file;
    atl_status status = open_weights(path, &file);
    if (!status)
        status = measure(model, &file, size_out);
    close_weights(&file);
    return status;
}

atl_status atl_model_load_with(const atl_model *model, const atl_npz_args *args)
{
    if (!model || !args)
        return atl_null_argument("atl_model_load", args ? "the model is" : "the options are");
    atl_npz_args usual = *args;
    weight_file file;
    atl_status status = open_weights(args->path, &file);
    if (!status && !has(&file, ATL_NAME("%s/weights", model->layers[0])))
        memcpy(usual.suffixes, model->suffixes, sizeof usual.suffixes);
    close_weights(&file);
    return status ? status : atl_load_weights_with(&usual);
}
