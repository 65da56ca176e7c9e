/* A file of weights in either format. */
#include "io/weight_file.h"

#include <string.h>
#include <strings.h>

#include "io/npz.h"
#include "io/safetensors.h"

bool atl_is_safetensors_name(const char *path)
{
    static const char ending[] = ".safetensors";
    size_t length = path ? strlen(path) : 0, tail = sizeof ending - 1;
    return length > tail && strcasecmp(path + length - tail, ending) == 0;
}

atl_status atl_weight_file_open(const char *path, atl_weight_file *file)
{
    *file = (atl_weight_file){0};
    return atl_is_safetensors_name(path) ? atl_safetensors_open_file(path, &file->safetensors)
                                         : atl_npz_open_archive(path, &file->npz);
}

void atl_weight_file_close(atl_weight_file *file)
{
    atl_npz_close(file->npz);
    atl_safetensors_close(file->safetensors);
    *file = (atl_weight_file){0};
}

int64_t atl_weight_file_count(const atl_weight_file *file)
{
    return file->npz ? atl_npz_count(file->npz) : atl_safetensors_count(file->safetensors);
}

const char *atl_weight_file_name(const atl_weight_file *file, int64_t index)
{
    return file->npz ? atl_npz_name(file->npz, index) : atl_safetensors_name(file->safetensors, index);
}

int atl_weight_file_has(const atl_weight_file *file, const char *name)
{
    return file->npz ? atl_npz_has(file->npz, name) : atl_safetensors_has(file->safetensors, name);
}

atl_status atl_weight_file_header(const atl_weight_file *file, const char *name, atl_weight_header *header)
{
    if (file->npz) {
        atl_npy_header npy;
        atl_status status = atl_npz_header(file->npz, name, &npy);
        if (!status)
            *header = (atl_weight_header){atl_npy_kind_name(npy.kind), 1, npy.dtype, npy.shape};
        return status;
    }
    const atl_safe_entry *entry = atl_safetensors_entry(file->safetensors, name);
    *header = (atl_weight_header){entry->type, entry->kind != NULL, entry->kind ? entry->kind->becomes : ATL_FLOAT32,
                                  entry->shape};
    return ATL_OK;
}

atl_status atl_weight_file_read(const atl_weight_file *file, const char *name, atl_tensor **tensor_out)
{
    return file->npz ? atl_npz_read_entry(file->npz, name, tensor_out)
                     : atl_safetensors_read_entry(file->safetensors, atl_safetensors_entry(file->safetensors, name),
                                                  tensor_out);
}
