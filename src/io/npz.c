/* Archives of arrays: a zip whose entries are .npy files, as numpy.savez writes it.  libzip handles the zip. */
#include "io/npz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h> /* qsort, bsearch */
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "files/input_file.h"
#include "io/sorted_names.h"
#include "io/zip_error.h"

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

/* ---- opening ----------------------------------------------------------------------------------------------------- */

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

static atl_status refuse_zip(const char *path, zip_error_t *error)
{
    if (atl_zip_lacks_memory(error))
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
    errno = 0; /* libzip reports "not a zip" if it finds no memory to look for the directory */
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

/* Each entry is read into its own memory: together they must not be larger than the file. */
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

/* Lists the arrays of the zip.  Other entries, such as a licence, are ignored. */
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

/* Sorts the entries by name; two entries with one name are an error, because the meaning is ambiguous. */
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

/* ---- looking ----------------------------------------------------------------------------------------------------- */

int64_t atl_npz_count(const atl_npz *npz) { return npz ? npz->count : 0; }

const char *atl_npz_name(const atl_npz *npz, int64_t index)
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

bool atl_npz_has(const atl_npz *npz, const char *name) { return find_entry(npz, name) != NULL; }

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

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* An entry while it is read. */
typedef struct entry_reader {
    zip_file_t *stream;
    char label[1024];
} entry_reader;

static atl_status refuse_entry(const char *label, zip_error_t *error)
{
    if (atl_zip_lacks_memory(error))
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

/* Checks that the directory's claims about the entry are possible, because memory is allocated before it is read.
 * check_stored has checked that the stored bytes are in the file; deflate can expand them only by a limited factor. */
static atl_status check_entry(const entry *found, const char *label)
{
    enum { DEFLATE_RATIO = 1032 }; /* deflate's maximum: 258 bytes for 2 bits */
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

/* Opens an entry for reading; close it with zip_fclose(reader->stream). */
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
