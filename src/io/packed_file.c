/* Reading a file that may be packed by gzip.  Called by the reader of idx files. */
#include "io/packed_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "io/dataset.h"
#include "files/input_file.h"

enum { INPUT_BYTES = 16 << 10, GZIP_WINDOW = 15 + 16 /* zlib: the largest window, and gzip's head and checksum */ };

struct atl_packed_file {
    char path[ATL_PATH_SIZE];
    FILE *stream;
    z_stream inflater;
    int is_packed, is_between_members, is_at_end;
    unsigned char input[INPUT_BYTES]; /* read from the stream; the inflater knows what is left of it */
};

static atl_status refuse_damage(const atl_packed_file *file, int code)
{
    if (code == Z_MEM_ERROR)
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory reading '%s'", file->path);
    return atl_set_error(ATL_BAD_FILE, "'%s' is damaged: %s: fetch it again", file->path,
                         file->inflater.msg ? file->inflater.msg : "its packed data makes no sense");
}

/* The next bytes of the file into `input`. */
static atl_status refill(atl_packed_file *file)
{
    file->inflater.next_in = file->input;
    file->inflater.avail_in = (unsigned)fread(file->input, 1, INPUT_BYTES, file->stream);
    if (ferror(file->stream))
        return atl_set_error(ATL_BAD_FILE, "'%s' cannot be read: %s", file->path, strerror(errno));
    file->is_at_end = file->inflater.avail_in == 0;
    return ATL_OK;
}

static atl_status copy_plain(atl_packed_file *file)
{
    z_stream *z = &file->inflater;
    unsigned count = z->avail_in < z->avail_out ? z->avail_in : z->avail_out;
    memcpy(z->next_out, z->next_in, count);
    z->next_in += count, z->avail_in -= count;
    z->next_out += count, z->avail_out -= count;
    return ATL_OK;
}

/* zlib may have data left of what it was given before: it is given more only where it has none. */
static atl_status unpack(atl_packed_file *file)
{
    int code = inflate(&file->inflater, Z_NO_FLUSH);
    if (code == Z_BUF_ERROR)
        return refill(file);
    file->is_between_members = code == Z_STREAM_END;
    return code == Z_OK || code == Z_STREAM_END ? ATL_OK : refuse_damage(file, code);
}

static atl_status begin_member(atl_packed_file *file)
{
    file->is_between_members = 0;
    int code = inflateReset(&file->inflater);
    return code == Z_OK ? ATL_OK : refuse_damage(file, code);
}

/* Gives data, or takes up more to make it of, or meets the end. */
static atl_status proceed(atl_packed_file *file)
{
    if (file->is_packed && !file->is_between_members)
        return unpack(file);
    if (file->inflater.avail_in == 0)
        return refill(file);
    return file->is_packed ? begin_member(file) : copy_plain(file);
}

atl_status atl_open_packed(const char *path, const char *what, atl_packed_file **file_out, int64_t *size_out)
{
    FILE *stream;
    *file_out = NULL;
    atl_status status = atl_open_input(path, what, &stream, size_out);
    if (status)
        return status;
    atl_packed_file *file = atl_allocate(1, sizeof *file);
    if (!file) {
        fclose(stream);
        return atl_out_of_memory();
    }
    file->stream = stream;
    snprintf(file->path, sizeof file->path, "%s", path);
    status = refill(file);
    if (!status && file->inflater.avail_in >= 2 && file->input[0] == 0x1f && file->input[1] == 0x8b) {
        int code = inflateInit2(&file->inflater, GZIP_WINDOW);
        file->is_packed = code == Z_OK;
        status = code == Z_OK ? ATL_OK : refuse_damage(file, code);
    }
    if (status)
        atl_close_packed(file);
    else
        *file_out = file;
    return status;
}

atl_status atl_read_packed(atl_packed_file *file, void *bytes, int64_t size, int64_t *got_out)
{
    z_stream *z = &file->inflater;
    z->next_out = bytes;
    z->avail_out = (unsigned)size;
    atl_status status = ATL_OK;
    while (!status && z->avail_out > 0 && !file->is_at_end)
        status = proceed(file);
    *got_out = size - z->avail_out;
    return status;
}

int atl_is_cut_short(const atl_packed_file *file) { return file->is_packed && !file->is_between_members; }

void atl_close_packed(atl_packed_file *file)
{
    if (!file)
        return;
    if (file->is_packed)
        inflateEnd(&file->inflater);
    fclose(file->stream);
    atl_release(file);
}
