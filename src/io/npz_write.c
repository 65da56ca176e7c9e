/* Writes archives of arrays: the zip goes directly into the temporary file beside the old one. */
#include "io/npz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "atled/files.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "files/atomic_file.h"
#include "io/npy.h"
#include "io/sorted_names.h"
#include "io/zip_error.h"

/* libzip's view of the output file: it writes, seeks back to complete an entry's header, and never reads. */
typedef struct zip_output {
    FILE *stream;
    zip_error_t error;
} zip_output;

static zip_int64_t fail_output(zip_output *output, int code, int system)
{
    zip_error_set(&output->error, code, system);
    return -1;
}

static zip_int64_t write_output(zip_output *output, const void *bytes, zip_uint64_t size)
{
    errno = 0;
    if (fwrite(bytes, 1, size, output->stream) != size)
        return fail_output(output, ZIP_ER_WRITE, errno);
    return (zip_int64_t)size;
}

static zip_int64_t seek_output(zip_output *output, void *arguments, zip_uint64_t size)
{
    const zip_source_args_seek_t *to = ZIP_SOURCE_GET_ARGS(zip_source_args_seek_t, arguments, size, &output->error);
    if (!to)
        return -1;
    return fseeko(output->stream, (off_t)to->offset, to->whence) == 0 ? 0 : fail_output(output, ZIP_ER_SEEK, errno);
}

static zip_int64_t serve_output(void *state, void *data, zip_uint64_t size, zip_source_cmd_t command)
{
    zip_output *output = state;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_WRITABLE;
    case ZIP_SOURCE_STAT: /* there is no archive yet */
        return fail_output(output, ZIP_ER_READ, ENOENT);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&output->error, data, size);
    case ZIP_SOURCE_WRITE:
        return write_output(output, data, size);
    case ZIP_SOURCE_SEEK_WRITE:
        return seek_output(output, data, size);
    case ZIP_SOURCE_TELL_WRITE:
        return ftello(output->stream);
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_COMMIT_WRITE: /* the atomic file commits */
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        return fail_output(output, ZIP_ER_OPNOTSUPP, 0);
    }
}

/* Adds one array, stored and dated 1980-01-01, so that the same arrays give the same bytes.  The header and the tensor
 * must outlive the closing of the zip.  Returns 0 on failure, with the zip's error set. */
static int add_entry(zip_t *zip, const atl_npz_entry *added, char *header, const char *file_name)
{
    enum { DOS_1980_JANUARY_1 = 1 << 5 | 1 };
    const atl_tensor *value = added->value;
    zip_buffer_fragment_t parts[2] = {
        {(zip_uint8_t *)header, (zip_uint64_t)atl_npy_format_header(header, value)},
        {(zip_uint8_t *)atl_npy_elements(value),
         (zip_uint64_t)atl_tensor_count(value) * atl_dtype_size(atl_tensor_dtype(value))},
    };
    zip_source_t *source = zip_source_buffer_fragment(zip, parts, parts[1].length ? 2 : 1, 0);
    if (!source)
        return 0;
    zip_int64_t index = zip_file_add(zip, file_name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return 0;
    }
    return zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_dostime(zip, (zip_uint64_t)index, 0, DOS_1980_JANUARY_1, 0) == 0;
}

#define ZIP_NAMES "which is UTF-8 without control characters and has at most 65531 bytes"

/* Checks that each entry has a unique name and a value. */
static atl_status check_entries(const char *path, const atl_npz_entry *entries, int64_t count)
{
    enum { LONGEST_NAME = 65535 - 4 }; /* .npy comes after it */
    if (!entries || count < 1)
        return atl_set_error(ATL_INVALID, "'%s' was not written: there are no arrays to put in it", path);
    for (int i = 0; i < count; i++) {
        if (!entries[i].name || !*entries[i].name || !entries[i].value)
            return atl_set_error(ATL_INVALID, "'%s' was not written: entry %d of %lld ('%s') has no %s", path, i,
                                 (long long)count, entries[i].name ? entries[i].name : "",
                                 entries[i].value ? "name" : "value");
        if (strlen(entries[i].name) > LONGEST_NAME)
            return atl_set_error(ATL_INVALID,
                                 "'%s' was not written: '%.100s...' is no name for an entry of a zip, " ZIP_NAMES, path,
                                 entries[i].name);
    }
    const char **names = atl_allocate((size_t)count, sizeof *names);
    if (!names)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory writing '%s'", path);
    for (int i = 0; i < count; i++)
        names[i] = entries[i].name;
    atl_sort_names(names, count);
    const char *twice = atl_find_twin(names, count);
    atl_release(names);
    return twice ? atl_set_error(ATL_INVALID,
                                 "'%s' was not written: two entries are named '%s': give them names of their own", path,
                                 twice)
                 : ATL_OK;
}

/* Describes why the zip failed, and returns the status. */
static atl_status describe_failure(zip_error_t *error, const char *entry_name, char *why_out, size_t size)
{
    if (atl_zip_lacks_memory(error))
        return ATL_OUT_OF_MEMORY; /* why_out already describes it */
    if (entry_name && zip_error_code_zip(error) == ZIP_ER_INVAL)
        snprintf(why_out, size, "'%.200s' is no name for an entry of a zip, " ZIP_NAMES, entry_name);
    else
        snprintf(why_out, size, "%s", zip_error_strerror(error));
    return ATL_BAD_FILE;
}

/* Adds all arrays; the file name of an entry is its name with .npy. */
static atl_status add_entries(zip_t *zip, const atl_npz_entry *entries, int64_t count, char *headers, char *why_out,
                              size_t size)
{
    for (int i = 0; i < count; i++) {
        size_t length = strlen(entries[i].name);
        char *file_name = atl_allocate(length + 5, 1);
        if (!file_name)
            return ATL_OUT_OF_MEMORY;
        memcpy(file_name, entries[i].name, length);
        memcpy(file_name + length, ".npy", 5);
        int added = add_entry(zip, &entries[i], headers + (size_t)i * ATL_NPY_HEADER_SIZE, file_name);
        atl_release(file_name);
        if (!added)
            return describe_failure(zip_get_error(zip), entries[i].name, why_out, size);
    }
    return ATL_OK;
}

/* Writes the archive to an open file.  On failure the reason is in why_out. */
static atl_status write_archive(FILE *stream, const atl_npz_entry *entries, int64_t count, char *why_out, size_t size)
{
    zip_output output = {.stream = stream};
    zip_error_t error;
    zip_error_init(&output.error);
    zip_error_init(&error);
    atl_status status = ATL_OUT_OF_MEMORY;
    snprintf(why_out, size, "out of memory");
    char *headers = atl_allocate((size_t)count, ATL_NPY_HEADER_SIZE);
    zip_source_t *source = headers ? zip_source_function_create(serve_output, &output, &error) : NULL;
    zip_t *zip = source ? zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error) : NULL;
    if (zip) {
        status = add_entries(zip, entries, count, headers, why_out, size);
        if (!status && zip_close(zip) != 0) /* this writes the archive */
            status = describe_failure(zip_get_error(zip), NULL, why_out, size);
        if (status)
            zip_discard(zip);
    } else {
        if (source)
            status = describe_failure(&error, NULL, why_out, size);
        zip_source_free(source); /* null is allowed */
    }
    atl_release(headers);
    zip_error_fini(&error);
    zip_error_fini(&output.error);
    return status;
}

atl_status atl_write_npz(const char *path, int64_t count, const atl_npz_entry *entries)
{
    atl_atomic_file *file;
    atl_status status = check_entries(path ? path : "", entries, count);
    if (!status)
        status = atl_atomic_open(&file, path);
    if (status)
        return status;
    char why[512];
    status = write_archive(atl_atomic_stream(file), entries, count, why, sizeof why);
    return status ? atl_atomic_fail(file, status, why) : atl_atomic_commit(file);
}
