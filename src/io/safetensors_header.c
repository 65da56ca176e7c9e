/* The header of a .safetensors file: JSON text that names each array, with its type, its shape and its bytes.
 * https://github.com/huggingface/safetensors#format  Everything it says is checked against the size of the file. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/plural.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { DEEPEST = 4 }; /* file, array, list; of metadata the format allows text only */

static const atl_safe_kind kinds[] = {
    {"F32", 4, "f4", ATL_FLOAT32}, {"F16", 2, "f2", ATL_FLOAT32}, {"BF16", 2, NULL, ATL_FLOAT32},
    {"F64", 8, "f8", ATL_FLOAT32}, {"I32", 4, "i4", ATL_INT32},   {"I64", 8, "i8", ATL_INT32},
    {"I16", 2, "i2", ATL_INT32},   {"I8", 1, "i1", ATL_INT32},    {"U8", 1, "u1", ATL_INT32},
    {"U16", 2, "u2", ATL_INT32},   {"U32", 4, "u4", ATL_INT32},   {"U64", 8, "u8", ATL_INT32},
    {"BOOL", 1, "b1", ATL_INT32},
};

static const atl_safe_kind *kind_of(const char *type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, type) == 0)
            return &kinds[i];
    return NULL;
}

/* ---- one array --------------------------------------------------------------------------------------------------- */

#define BAD(path, name, format, ...)                                                                                   \
    atl_set_error(ATL_BAD_FILE,                                                                                        \
                  "'%.500s' is a damaged .safetensors file: '%.200s' " format ": fetch or save it again", (path),      \
                  (name), __VA_ARGS__)

/* A whole number that is not negative; -1 for anything else. */
static int64_t size_in(const json_t *number)
{
    return json_is_integer(number) && json_integer_value(number) >= 0 ? (int64_t)json_integer_value(number) : -1;
}

static atl_status read_shape(const char *path, const json_t *shape, atl_safe_entry *e)
{
    if (!json_is_array(shape))
        return BAD(path, e->name, "has no list '%s'", "shape");
    size_t rank = json_array_size(shape);
    if (rank > ATL_MAX_RANK)
        return atl_set_error(ATL_UNSUPPORTED, "'%.500s': '%.200s' has %zu dimensions; the limit is %d", path, e->name,
                             rank, ATL_MAX_RANK);
    e->shape.rank = (int)rank;
    e->count = 1;
    int has_zero = 0;
    for (size_t i = 0; i < rank; i++) {
        int64_t size = e->shape.size[i] = size_in(json_array_get(shape, i));
        if (size < 0)
            return BAD(path, e->name, "has a size, number %zu, that is no whole number from 0 on", i);
        has_zero |= size == 0;
        if (!has_zero && __builtin_mul_overflow(e->count, size, &e->count))
            return BAD(path, e->name, "has sizes whose product is beyond %d bits", 63);
    }
    e->count = has_zero ? 0 : e->count;
    return ATL_OK;
}

static atl_status read_offsets(const char *path, const json_t *offsets, int64_t data_size, atl_safe_entry *e)
{
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return BAD(path, e->name, "has no '%s', a list of two numbers", "data_offsets");
    e->begin = size_in(json_array_get(offsets, 0));
    e->end = size_in(json_array_get(offsets, 1));
    if (e->begin < 0 || e->end < e->begin || e->end > data_size)
        return BAD(path, e->name, "lies from byte %" PRId64 " to %" PRId64 " of data of %" PRId64 " byte%s", e->begin,
                   e->end, data_size, atl_plural(data_size));
    int64_t bytes;
    if (e->kind && (__builtin_mul_overflow(e->count, (int64_t)e->kind->size, &bytes) || bytes != e->end - e->begin))
        return BAD(path, e->name, "has %" PRId64 " element%s of type %s, which cannot fill its %" PRId64 " byte%s",
                   e->count, atl_plural(e->count), e->type, e->end - e->begin, atl_plural(e->end - e->begin));
    return ATL_OK;
}

static atl_status read_entry(const char *path, const char *name, const json_t *about, int64_t data_size,
                             atl_safe_entry *e)
{
    e->name = atl_copy_text(name);
    if (!e->name)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", path);
    const char *type = json_string_value(json_object_get(about, "dtype"));
    if (!json_is_object(about) || !type)
        return BAD(path, name, "has no text '%s'", "dtype");
    snprintf(e->type, sizeof e->type, "%s", type);
    e->kind = kind_of(type);
    atl_status status = read_shape(path, json_object_get(about, "shape"), e);
    return status ? status : read_offsets(path, json_object_get(about, "data_offsets"), data_size, e);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static int by_begin(const void *left, const void *right)
{
    const atl_safe_entry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end)
        return a->end < b->end ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The arrays fill the data: none overlaps, and nothing is between them. */
static atl_status check_gaps(const char *path, const atl_safe_entry *entry, int count, int64_t data_size)
{
    int64_t at = 0;
    for (int i = 0; i < count; at = entry[i++].end)
        if (entry[i].begin != at)
            return BAD(path, entry[i].name, "begins at byte %" PRId64 ", where what is before it ends at %" PRId64,
                       entry[i].begin, at);
    if (at != data_size)
        return atl_set_error(ATL_BAD_FILE,
                             "'%.500s' is a damaged .safetensors file: its arrays have %" PRId64 " byte%s, but %" PRId64
                             " follow the header: fetch or save it again",
                             path, at, atl_plural(at), data_size);
    return ATL_OK;
}

void atl_safe_free_entries(atl_safe_entry *entries, int count)
{
    for (int i = 0; entries && i < count; i++)
        atl_release(entries[i].name);
    atl_release(entries);
}

static atl_status read_all(const char *path, json_t *root, int64_t data_size, atl_safe_entry **entries_out,
                           int *count_out)
{
    const char *name;
    json_t *about;
    atl_status status = ATL_OK;
    int count = 0;
    atl_safe_entry *entries = atl_allocate(json_object_size(root) + 1, sizeof *entries);
    if (!entries)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", path);
    json_object_foreach(root, name, about)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        status = read_entry(path, name, about, data_size, &entries[count++]);
        if (status)
            break;
    }
    if (!status) {
        qsort(entries, (size_t)count, sizeof *entries, by_begin);
        status = check_gaps(path, entries, count, data_size);
    }
    if (status) {
        atl_safe_free_entries(entries, count);
        return status;
    }
    *entries_out = entries;
    *count_out = count;
    return ATL_OK;
}

/* How deep lists and objects stand within each other; text is passed over. */
static int depth_of(const char *text, size_t size)
{
    int depth = 0, deepest = 0, in_text = 0;
    for (size_t i = 0; i < size && deepest <= DEEPEST; i++) {
        if (in_text && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_text = !in_text;
        else if (!in_text && (text[i] == '[' || text[i] == '{'))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!in_text && (text[i] == ']' || text[i] == '}'))
            depth--;
    }
    return deepest;
}

atl_status atl_safe_read_header(const char *path, const char *text, size_t size, int64_t data_size,
                                atl_safe_entry **entries_out, int *count_out)
{
    json_error_t error;
    *entries_out = NULL;
    *count_out = 0;
    if (depth_of(text, size) > DEEPEST)
        return atl_set_error(ATL_BAD_FILE,
                             "'%.500s' is no .safetensors file: its header has lists within lists, more than %d deep",
                             path, DEEPEST);
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", path);
    if (!json_is_object(root)) {
        json_decref(root);
        return atl_set_error(ATL_BAD_FILE,
                             "'%.500s' is no .safetensors file, or damaged: its header is no JSON object: %s (byte %d)",
                             path, root ? "it is another value" : error.text, root ? 0 : error.position);
    }
    atl_status status = read_all(path, root, data_size, entries_out, count_out);
    json_decref(root);
    return status;
}
