/* Archives of arrays: a zip whose entries are .npy files, as numpy.savez writes it.  libzip does the zip. */
#include "io/npz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h> /* qsort, bsearch */
#include <string.h>
#include <zip.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "io/atomic_file.h"
#include "io/input_file.h"
#include "io/sorted_names.h"

typedef struct entry {
    char *name;         /* without .npy */
    zip_uint64_t index; /* in the zip */
    zip_stat_t about;
} entry;

struct atl_npz {
    char *path;
    zip_t *zip;
    entry *entries; /* in the order of the archive */
    entry **sorted; /* the same by name */
    int count;
    int64_t size; /* bytes of the archive's file */
};

/* ---- opening -------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(entry *const *)a)->name, (*(entry *const *)b)->name);
}

void atl_npz_close(atl_npz *npz)
{
    if (!npz)
        return;
    if (npz->zip)
        zip_discard(npz->zip);
    for (int i = 0; i < npz->count; i++)
        atl_release(npz->entries[i].name);
    atl_release(npz->entries);
    atl_release(npz->sorted);
    atl_release(npz->path);
    atl_release(npz);
}

static int is_memory(zip_error_t *error)
{
    return zip_error_code_zip(error) == ZIP_ER_MEMORY ||
           (zip_error_system_type(error) == ZIP_ET_SYS && zip_error_code_system(error) == ENOMEM);
}

static atl_status refuse_zip(const char *path, zip_error_t *error)
{
    if (is_memory(error))
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", path);
    switch (zip_error_code_zip(error)) {
    case ZIP_ER_NOZIP:
        return atl_set_error(
            ATL_BAD_FILE,
            "'%s' is no .npz archive, or is cut short: it has no zip directory at its end: fetch it again, "
            "or save it again with numpy.savez",
            path);
    default:
        return atl_set_error(ATL_BAD_FILE, "'%s' is a damaged .npz archive: %s: fetch or save it again", path,
                             zip_error_strerror(error));
    }
}

/* The zip over a stream, which it will close; on failure the stream is closed, too. */
static atl_status open_zip(FILE *stream, const char *path, zip_t **zip_out)
{
    atl_status status = ATL_OK;
    zip_error_t error;
    zip_error_init(&error);
    errno = 0; /* libzip says "no zip" where it finds no memory to look for the directory */
    zip_source_t *source = zip_source_filep_create(stream, 0, -1, &error);
    *zip_out = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (!*zip_out)
        status = errno == ENOMEM ? atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", path)
                                 : refuse_zip(path, &error);
    if (!source)
        fclose(stream);
    else if (!*zip_out)
        zip_source_free(source);
    zip_error_fini(&error);
    return status;
}

static int is_array_name(const char *name)
{
    size_t length = strlen(name);
    return length >= 4 && strcmp(name + length - 4, ".npy") == 0;
}

/* Adds entry i of the zip to the list, if it is an array. */
static atl_status list_entry(atl_npz *npz, zip_uint64_t i)
{
    entry *next = &npz->entries[npz->count];
    const char *name = zip_get_name(npz->zip, i, 0);
    if (!name || zip_stat_index(npz->zip, i, 0, &next->about) != 0)
        return refuse_zip(npz->path, zip_get_error(npz->zip));
    if (!is_array_name(name))
        return ATL_OK;
    next->index = i;
    next->name = atl_copy_text(name);
    if (!next->name)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", npz->path);
    next->name[strlen(name) - 4] = '\0';
    npz->sorted[npz->count++] = next;
    return ATL_OK;
}

/* Each entry is read into memory of its own: together they must not be larger than the file. */
static atl_status check_stored(const atl_npz *npz)
{
    zip_uint64_t left = (zip_uint64_t)npz->size;
    for (int i = 0; i < npz->count; i++) {
        zip_uint64_t stored = npz->entries[i].about.comp_size;
        if (stored > left)
            return atl_set_error(ATL_BAD_FILE,
                                 "'%s' is a damaged .npz archive: up to '%.300s' its entries are said to take more "
                                 "than its %" PRId64 " bytes: fetch or save it again",
                                 npz->path, npz->entries[i].name, npz->size);
        left -= stored;
    }
    return ATL_OK;
}

/* Lists the arrays of the zip. Other entries, such as a licence, are passed over. */
static atl_status list_entries(atl_npz *npz)
{
    atl_status status = ATL_OK;
    zip_int64_t all = zip_get_num_entries(npz->zip, 0);
    if (all < 0 || all > INT32_MAX)
        return atl_set_error(ATL_BAD_FILE, "'%s' has %" PRId64 " entries: more than atled reads", npz->path,
                             (int64_t)all);
    npz->entries = atl_allocate((size_t)all + 1, sizeof *npz->entries);
    npz->sorted = atl_allocate((size_t)all + 1, sizeof *npz->sorted);
    if (!npz->entries || !npz->sorted)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", npz->path);
    for (zip_int64_t i = 0; i < all && !status; i++)
        status = list_entry(npz, (zip_uint64_t)i);
    if (!status && all > 0 && npz->count == 0)
        return atl_set_error(
            ATL_BAD_FILE,
            "'%s' is a zip without a single .npy entry ('%s' is in it): save the weights with numpy.savez", npz->path,
            zip_get_name(npz->zip, 0, 0));
    return status ? status : check_stored(npz);
}

/* Two entries of one name: which would be meant? */
static atl_status sort_entries(atl_npz *npz)
{
    qsort(npz->sorted, (size_t)npz->count, sizeof *npz->sorted, by_name);
    for (int i = 1; i < npz->count; i++)
        if (strcmp(npz->sorted[i - 1]->name, npz->sorted[i]->name) == 0)
            return atl_set_error(ATL_BAD_FILE, "'%s' has two entries named '%s': save it again with one", npz->path,
                                 npz->sorted[i]->name);
    return ATL_OK;
}

atl_status atl_npz_open_archive(const char *path, atl_npz **npz_out)
{
    int64_t size;
    FILE *stream;
    *npz_out = NULL;
    atl_status status = atl_open_input(path, "an .npz archive", &stream, &size);
    if (status)
        return status;
    atl_npz *npz = atl_allocate(1, sizeof *npz);
    if (npz)
        npz->path = atl_copy_text(path);
    if (!npz || !npz->path) {
        fclose(stream);
        status = atl_set_error(ATL_OUT_OF_MEMORY, "out of memory opening '%s'", path);
    } else {
        npz->size = size;
        status = open_zip(stream, path, &npz->zip);
    }
    if (!status)
        status = list_entries(npz);
    if (!status)
        status = sort_entries(npz);
    if (status)
        atl_npz_close(npz);
    else
        *npz_out = npz;
    return status;
}

atl_npz *atl_npz_open(const char *path)
{
    atl_npz *npz;
    atl_npz_open_archive(path, &npz);
    return npz;
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

int atl_npz_count(const atl_npz *npz) { return npz ? npz->count : 0; }

const char *atl_npz_name(const atl_npz *npz, int index)
{
    return npz && index >= 0 && index < npz->count ? npz->entries[index].name : NULL;
}

static entry *find_entry(const atl_npz *npz, const char *name)
{
    entry wanted = {.name = (char *)name}, *key = &wanted;
    if (!npz || !name || npz->count == 0)
        return NULL;
    entry **found = bsearch(&key, npz->sorted, (size_t)npz->count, sizeof *npz->sorted, by_name);
    return found ? *found : NULL;
}

int atl_npz_has(const atl_npz *npz, const char *name) { return find_entry(npz, name) != NULL; }

/* "a, b, c and 17 more" */
static void list_names(const atl_npz *npz, char *text, size_t size)
{
    enum { SHOWN = 5 };
    size_t length = 0;
    for (int i = 0; i < npz->count && i < SHOWN && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s'%.60s'", i ? ", " : "", npz->entries[i].name);
    if (npz->count > SHOWN && length < size)
        snprintf(text + length, size - length, " and %d more", npz->count - SHOWN);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* An entry while it is read. */
typedef struct entry_reader {
    zip_file_t *stream;
    char label[1024];
} entry_reader;

static atl_status refuse_entry(const char *label, zip_error_t *error)
{
    if (is_memory(error))
        return atl_set_error(ATL_OUT_OF_MEMORY, "%s: out of memory reading it", label);
    return atl_set_error(ATL_BAD_FILE, "%s: is damaged: %s: fetch or save the archive again", label,
                         zip_error_code_zip(error) == ZIP_ER_CRC ? "the checksum does not agree with the data"
                                                                 : zip_error_strerror(error));
}

static int64_t read_entry(void *from, void *bytes, int64_t size)
{
    entry_reader *reader = from;
    int64_t done = 0;
    while (done < size) {
        zip_int64_t got = zip_fread(reader->stream, (char *)bytes + done, (zip_uint64_t)(size - done));
        if (got == 0)
            break;
        if (got < 0) {
            refuse_entry(reader->label, zip_file_get_error(reader->stream));
            return -1;
        }
        done += got;
    }
    return done;
}

/* Whether the archive's directory can be true about the entry: what it claims is allocated before it is read.  That the
 * stored bytes are in the file is known (check_stored); deflate can make only so much of them. */
static atl_status check_entry(const entry *found, const char *label)
{
    enum { DEFLATE_RATIO = 1032 }; /* the most that deflate can do: 258 bytes for 2 bits */
    const zip_stat_t *about = &found->about;
    if (about->encryption_method != ZIP_EM_NONE)
        return atl_set_error(ATL_BAD_FILE, "%s: is encrypted, which atled does not read: save it without a password",
                             label);
    if (about->comp_method != ZIP_CM_STORE && about->comp_method != ZIP_CM_DEFLATE)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: is compressed by zip method %d; atled reads stored and deflated: save it "
                             "again with numpy.savez",
                             label, about->comp_method);
    int plausible = about->size <= INT64_MAX &&
                    (about->comp_method == ZIP_CM_STORE ? about->size == about->comp_size
                                                        : about->size / DEFLATE_RATIO <= about->comp_size);
    if (!plausible)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: is damaged: %" PRIu64 " bytes cannot come from %" PRIu64
                             ": fetch or save the archive again",
                             label, about->size, about->comp_size);
    return ATL_OK;
}

/* Begins to read an entry; ends with zip_fclose(reader->stream). */
static atl_status open_entry(const atl_npz *npz, const char *name, entry_reader *reader, atl_npy_source *source_out)
{
    if (!npz || !name)
        return atl_set_error(ATL_INVALID, "npz: the %s is null", npz ? "name of an entry" : "archive");
    entry *found = find_entry(npz, name);
    if (!found) {
        char names[512] = "nothing";
        list_names(npz, names, sizeof names);
        return atl_set_error(ATL_BAD_FILE, "'%s' has no entry '%s'; it holds %s", npz->path, name, names);
    }
    snprintf(reader->label, sizeof reader->label, "'%.600s', entry '%.300s'", npz->path, name);
    atl_status status = check_entry(found, reader->label);
    if (status)
        return status;
    reader->stream = zip_fopen_index(npz->zip, found->index, 0);
    if (!reader->stream)
        return refuse_entry(reader->label, zip_get_error(npz->zip));
    *source_out = (atl_npy_source){read_entry, reader, (int64_t)found->about.size, reader->label};
    return ATL_OK;
}

atl_status atl_npz_header(const atl_npz *npz, const char *name, atl_npy_header *header_out)
{
    entry_reader reader;
    atl_npy_source source;
    atl_status status = open_entry(npz, name, &reader, &source);
    if (status)
        return status;
    status = atl_npy_read_header(&source, header_out);
    zip_fclose(reader.stream);
    return status;
}

atl_status atl_npz_shape(const atl_npz *npz, const char *name, atl_shape *shape_out)
{
    atl_npy_header header;
    if (!shape_out)
        return atl_set_error(ATL_INVALID, "npz: there is nowhere to put the shape");
    atl_status status = atl_npz_header(npz, name, &header);
    if (!status)
        *shape_out = header.shape;
    return status;
}

atl_status atl_npz_read_entry(const atl_npz *npz, const char *name, atl_tensor **tensor_out)
{
    entry_reader reader;
    atl_npy_source source;
    *tensor_out = NULL;
    atl_status status = open_entry(npz, name, &reader, &source);
    if (status)
        return status;
    status = atl_npy_read(&source, tensor_out);
    zip_fclose(reader.stream);
    return status;
}

atl_tensor *atl_npz_read(const atl_npz *npz, const char *name)
{
    atl_tensor *tensor;
    atl_npz_read_entry(npz, name, &tensor);
    return tensor;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

/* libzip's view of the file being written: it writes, goes back to complete an entry's header, and never reads. */
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

/* Adds one array, stored and dated 1980-01-01, so that the same arrays make the same bytes. The header and the tensor
 * must outlive the closing of the zip. 0 on failure, with the zip's error set. */
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

/* That each has a name of its own, and a value. */
static atl_status check_entries(const char *path, const atl_npz_entry *entries, int count)
{
    enum { LONGEST_NAME = 65535 - 4 }; /* .npy comes after it */
    if (!entries || count < 1)
        return atl_set_error(ATL_INVALID, "'%s' was not written: there are no arrays to put in it", path);
    for (int i = 0; i < count; i++) {
        if (!entries[i].name || !*entries[i].name || !entries[i].value)
            return atl_set_error(ATL_INVALID, "'%s' was not written: entry %d of %d ('%s') has no %s", path, i, count,
                                 entries[i].name ? entries[i].name : "", entries[i].value ? "name" : "value");
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

/* Why the zip fails, in words, and its status. */
static atl_status describe_failure(zip_error_t *error, const char *entry_name, char *why_out, size_t size)
{
    if (is_memory(error))
        return ATL_OUT_OF_MEMORY; /* what why_out says already */
    if (entry_name && zip_error_code_zip(error) == ZIP_ER_INVAL)
        snprintf(why_out, size, "'%.200s' is no name for an entry of a zip, " ZIP_NAMES, entry_name);
    else
        snprintf(why_out, size, "%s", zip_error_strerror(error));
    return ATL_BAD_FILE;
}

/* Adds all arrays; the file name of an entry is its name with .npy. */
static atl_status add_entries(zip_t *zip, const atl_npz_entry *entries, int count, char *headers, char *why_out,
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

/* The archive into an open file. On failure the reason is in why_out. */
static atl_status write_archive(FILE *stream, const atl_npz_entry *entries, int count, char *why_out, size_t size)
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
        if (!status && zip_close(zip) != 0) /* this is where it is written */
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

atl_status atl_write_npz(const char *path, const atl_npz_entry *entries, int count)
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
