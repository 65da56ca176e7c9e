/* Reads .safetensors files: eight bytes with the size of the header, the header, and the arrays one after the other. */
#include "io/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h> /* qsort, bsearch */
#include <string.h>

#include "common/plural.h"
#include "files/input_file.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/unset_tensor.h"
#include "io/npy_kinds.h"

enum { LARGEST_HEADER = 32 << 20, CHUNK = 8192 };

struct atl_safetensors {
    char *path;
    FILE *stream;
    int64_t data; /* where the arrays begin */
    atl_safe_entry *entries;
    const atl_safe_entry **sorted; /* by name */
    int count;
};

/* ---- opening ----------------------------------------------------------------------------------------------------- */

void atl_safetensors_close(atl_safetensors *file)
{
    if (!file)
        return;
    if (file->stream)
        fclose(file->stream);
    atl_safe_free_entries(file->entries, file->count);
    atl_release((void *)file->sorted);
    atl_release(file->path);
    atl_release(file);
}

static atl_status read_failed(const atl_safetensors *file)
{
    return atl_set_error(ATL_BAD_FILE, "reading '%s' failed: %s", file->path,
                         ferror(file->stream) ? strerror(errno) : "it has become shorter");
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const atl_safe_entry *const *)a)->name, (*(const atl_safe_entry *const *)b)->name);
}

static atl_status read_header(atl_safetensors *file, int64_t size)
{
    unsigned char prefix[8];
    uint64_t length = 0;
    if (size < 10)
        return atl_set_error(ATL_BAD_FILE, "'%s' is no .safetensors file: it has only %" PRId64 " byte%s", file->path,
                             size, atl_plural(size));
    if (fread(prefix, 1, 8, file->stream) != 8)
        return read_failed(file);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | prefix[i];
    if (length > (uint64_t)size - 8 || length > LARGEST_HEADER)
        return atl_set_error(ATL_BAD_FILE,
                             "'%s' is no .safetensors file, or is cut short: its header would have %" PRIu64
                             " bytes of %" PRId64 " (at most %d are read)",
                             file->path, length, size - 8, LARGEST_HEADER);
    char *text = atl_allocate((size_t)length + 1, 1);
    if (!text)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", file->path);
    file->data = 8 + (int64_t)length;
    atl_status status =
        fread(text, 1, (size_t)length, file->stream) == length
            ? atl_safe_read_header(file->path, text, (size_t)length, size - file->data, &file->entries, &file->count)
            : read_failed(file);
    atl_release(text);
    return status;
}

atl_status atl_safetensors_open_file(const char *path, atl_safetensors **file_out)
{
    int64_t size;
    atl_safetensors *file = atl_allocate(1, sizeof *file);
    *file_out = NULL;
    if (!file)
        return atl_out_of_memory();
    atl_status status = atl_open_input(path, "a .safetensors file", &file->stream, &size);
    if (!status && !(file->path = atl_copy_text(path)))
        status = atl_out_of_memory();
    if (!status)
        status = read_header(file, size);
    if (!status && !(file->sorted = atl_allocate((size_t)file->count + 1, sizeof *file->sorted)))
        status = atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", path);
    if (status) {
        atl_safetensors_close(file);
        return status;
    }
    for (int i = 0; i < file->count; i++)
        file->sorted[i] = &file->entries[i];
    qsort(file->sorted, (size_t)file->count, sizeof *file->sorted, by_name);
    *file_out = file;
    return ATL_OK;
}

/* ---- what is there ----------------------------------------------------------------------------------------------- */

atl_safetensors *atl_safetensors_open(const char *path)
{
    atl_safetensors *file;
    return atl_safetensors_open_file(path, &file) ? NULL : file;
}

int64_t atl_safetensors_count(const atl_safetensors *file) { return file ? file->count : 0; }

const char *atl_safetensors_name(const atl_safetensors *file, int64_t index)
{
    return file && index >= 0 && index < file->count ? file->entries[index].name : NULL;
}

const atl_safe_entry *atl_safetensors_entry(const atl_safetensors *file, const char *name)
{
    const atl_safe_entry wanted = {.name = (char *)name}, *key = &wanted;
    const atl_safe_entry **found =
        file && name && file->count ? bsearch(&key, file->sorted, (size_t)file->count, sizeof key, by_name) : NULL;
    return found ? *found : NULL;
}

bool atl_safetensors_has(const atl_safetensors *file, const char *name)
{
    return atl_safetensors_entry(file, name) != NULL;
}

/* The entry, or null with a message. */
static const atl_safe_entry *find(const atl_safetensors *file, const char *name)
{
    const atl_safe_entry *entry = atl_safetensors_entry(file, name);
    if (!entry)
        atl_set_error(ATL_INVALID, "'%s' has no array '%.300s' (it has %d, '%.300s' first)", file ? file->path : "",
                      name ? name : "", file ? file->count : 0, file && file->count ? file->entries[0].name : "");
    return entry;
}

atl_status atl_safetensors_shape(const atl_safetensors *file, const char *name, atl_shape *shape_out)
{
    if (!file || !name || !shape_out)
        return atl_null_argument("atl_safetensors_shape", !file  ? "the file is"
                                                          : name ? "shape_out is"
                                                                 : "the name is");
    const atl_safe_entry *entry = find(file, name);
    if (!entry)
        return ATL_INVALID;
    *shape_out = entry->shape;
    return ATL_OK;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* bfloat16 is the upper half of a float. */
static int64_t convert_bfloat16(const unsigned char *from, void *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        uint32_t bits = (uint32_t)half << 16;
        memcpy((float *)to + i, &bits, sizeof bits);
    }
    return count;
}

/* The file is little-endian. */
static void to_machine_order(unsigned char *bytes, int64_t count, int size)
{
    if (!atl_is_big_endian_machine())
        return;
    for (int64_t i = 0; i < count; i++, bytes += size)
        for (int low = 0, high = size - 1; low < high; low++, high--) {
            unsigned char byte = bytes[low];
            bytes[low] = bytes[high];
            bytes[high] = byte;
        }
}

static atl_status read_converted(const atl_safetensors *file, const atl_safe_entry *e, void *to)
{
    unsigned char raw[CHUNK * 8];
    int size = e->kind->size;
    atl_convert_elements *convert = e->kind->npy ? atl_npy_kind_of(e->kind->npy)->convert : convert_bfloat16;
    for (int64_t done = 0, count; done < e->count; done += count) {
        count = e->count - done < CHUNK ? e->count - done : CHUNK;
        if (fread(raw, (size_t)size, (size_t)count, file->stream) != (size_t)count)
            return read_failed(file);
        to_machine_order(raw, count, size);
        int64_t fit = convert(raw, (char *)to + 4 * done, count);
        if (fit < count)
            return atl_set_error(ATL_BAD_FILE,
                                 "'%s': element %" PRId64 " of '%.300s', which is %s, does not fit into %s: scale or "
                                 "clip it before saving",
                                 file->path, done + fit, e->name, e->type, atl_dtype_name(e->kind->becomes));
    }
    return ATL_OK;
}

atl_status atl_safetensors_read_entry(const atl_safetensors *file, const atl_safe_entry *e, atl_tensor **tensor_out)
{
    *tensor_out = NULL;
    if (!e->kind)
        return atl_set_error(ATL_UNSUPPORTED, "'%s': '%.300s' is of type %s, which is not read: convert it to F32",
                             file->path, e->name, e->type);
    if (fseeko(file->stream, (off_t)(file->data + e->begin), SEEK_SET))
        return read_failed(file);
    atl_tensor *tensor = atl_tensor_unset(e->kind->becomes, e->shape);
    if (!tensor)
        return atl_error_status();
    void *to = e->kind->becomes == ATL_INT32 ? (void *)atl_ints(tensor) : (void *)atl_floats(tensor);
    atl_status status = ATL_OK;
    if (e->kind->size == 4 && e->kind->npy[0] != 'u') { /* as it is */
        if (fread(to, 4, (size_t)e->count, file->stream) != (size_t)e->count)
            status = read_failed(file);
        else
            to_machine_order(to, e->count, 4);
    } else
        status = read_converted(file, e, to);
    if (status)
        atl_tensor_free(tensor);
    else
        *tensor_out = tensor;
    return status;
}

atl_tensor *atl_safetensors_read(const atl_safetensors *file, const char *name)
{
    atl_tensor *tensor = NULL;
    if (!file || !name)
        return atl_null_argument("atl_safetensors_read", file ? "the name is" : "the file is"), NULL;
    const atl_safe_entry *entry = find(file, name);
    return entry && !atl_safetensors_read_entry(file, entry, &tensor) ? tensor : NULL;
}
