/* Writes .safetensors files. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "files/atomic_file.h"
#include "io/npy_kinds.h"
#include "io/safetensors.h"

static const char *type_of(const atl_tensor *tensor)
{
    atl_dtype dtype = atl_tensor_dtype(tensor);
    return dtype == ATL_INT32 ? "I32" : dtype == ATL_FLOAT64 ? "F64" : "F32";
}

static int64_t bytes_of(const atl_tensor *tensor)
{
    return atl_tensor_count(tensor) * (int64_t)atl_dtype_size(atl_tensor_dtype(tensor));
}

/* {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}; null: out of memory. */
static json_t *describe(const atl_tensor *value, int64_t begin)
{
    atl_shape shape = atl_tensor_shape(value);
    json_t *sizes = json_array();
    for (int i = 0; i < shape.rank; i++)
        if (json_array_append_new(sizes, json_integer(shape.size[i]))) {
            json_decref(sizes);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_of(value), "shape", sizes, "data_offsets", (json_int_t)begin,
                     (json_int_t)(begin + bytes_of(value)));
}

static atl_status add_entry(const char *path, json_t *root, const atl_npz_entry *entry, int64_t index, int64_t begin)
{
    if (!entry->name || !*entry->name || !entry->value)
        return atl_set_error(ATL_INVALID, "'%s' was not written: entry %" PRId64 " ('%s') has no %s", path, index,
                             entry->name ? entry->name : "", entry->value ? "name" : "value");
    if (strcmp(entry->name, "__metadata__") == 0 || json_object_get(root, entry->name))
        return atl_set_error(ATL_INVALID,
                             "'%s' was not written: two entries are named '%s': give them names of their own", path,
                             entry->name);
    json_t *name = json_string(entry->name), *about = describe(entry->value, begin);
    int is_utf8 = name != NULL;
    json_decref(name);
    if (about && is_utf8 && !json_object_set_new(root, entry->name, about))
        return ATL_OK;
    if (about && !is_utf8) {
        json_decref(about);
        return atl_set_error(ATL_INVALID, "'%s' was not written: the name '%.200s' is not UTF-8", path, entry->name);
    }
    return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory writing '%s'", path);
}

/* The header's text, which the caller frees with free(). */
static atl_status make_header(const char *path, const atl_npz_entry *entries, int64_t count, char **text_out)
{
    json_t *root = json_object();
    int64_t begin = 0;
    atl_status status = root ? ATL_OK : atl_set_error(ATL_OUT_OF_MEMORY, "out of memory writing '%s'", path);
    for (int64_t i = 0; i < count && !status; i++) {
        status = add_entry(path, root, &entries[i], i, begin);
        begin += status ? 0 : bytes_of(entries[i].value);
    }
    *text_out = status ? NULL : json_dumps(root, JSON_COMPACT);
    if (!status && !*text_out)
        status = atl_set_error(ATL_OUT_OF_MEMORY, "out of memory writing '%s'", path);
    json_decref(root);
    return status;
}

/* In the byte order of the file, which is little-endian. */
static int write_elements(FILE *stream, const atl_tensor *value)
{
    size_t size = atl_dtype_size(atl_tensor_dtype(value)), bytes = (size_t)bytes_of(value);
    const unsigned char *at = atl_npy_elements(value);
    if (!atl_is_big_endian_machine())
        return fwrite(at, 1, bytes, stream) == bytes;
    for (size_t i = 0; i < bytes; i++)
        if (fputc(at[i / size * size + size - 1 - i % size], stream) == EOF)
            return 0;
    return 1;
}

/* The header is padded with spaces, so that the arrays begin at a multiple of 8. */
static int write_all(FILE *stream, const char *text, const atl_npz_entry *entries, int64_t count)
{
    size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    errno = 0;
    if (fwrite(prefix, 1, 8, stream) != 8 || fwrite(text, 1, length, stream) != length ||
        fwrite("       ", 1, padded - length, stream) != padded - length)
        return 0;
    for (int64_t i = 0; i < count; i++)
        if (!write_elements(stream, entries[i].value))
            return 0;
    return 1;
}

atl_status atl_write_safetensors(const char *path, int64_t count, const atl_npz_entry *entries)
{
    char *text;
    atl_atomic_file *file;
    if (!entries || count < 1)
        return atl_set_error(ATL_INVALID, "'%s' was not written: there are no arrays to put in it", path ? path : "");
    atl_status status = make_header(path ? path : "", entries, count, &text);
    if (!status)
        status = atl_atomic_open(&file, path);
    if (!status)
        status = write_all(atl_atomic_stream(file), text, entries, count)
                     ? atl_atomic_commit(file)
                     : atl_atomic_fail(file, ATL_BAD_FILE, strerror(errno));
    free(text);
    return status;
}
