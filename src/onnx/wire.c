/* Reading the wire format through a window. */
#include "onnx/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "common/plural.h"
#include "files/input_file.h"
#include "graph/error.h"
#include "graph/memory.h"

atl_status onnx_source_open(onnx_source *source, const char *path, const char *what)
{
    *source = (onnx_source){.name = path};
    atl_status status = atl_open_input(path, what, &source->stream, &source->size);
    if (!status && !(source->buffer = atl_allocate(ONNX_WINDOW, 1)))
        status = atl_out_of_memory();
    source->bytes = source->buffer;
    if (status)
        onnx_source_close(source);
    return status;
}

void onnx_source_of_memory(onnx_source *source, const void *bytes, size_t size, const char *name)
{
    *source = (onnx_source){.bytes = bytes, .last = (int64_t)size, .size = (int64_t)size, .name = name};
}

void onnx_source_close(onnx_source *source)
{
    if (source->stream)
        fclose(source->stream);
    atl_release(source->buffer);
    *source = (onnx_source){.failed = source->failed};
}

static int fail(onnx_source *source, int64_t at, const char *text)
{
    const onnx_part *part = source->part;
    char where[160] = "";
    size_t length = 0;
    if (part)
        length = (size_t)snprintf(where, sizeof where, ", in %s", part->kind);
    if (part && part->number)
        length += (size_t)snprintf(where + length, sizeof where - length, " %" PRId64, part->number);
    if (part && **part->name)
        snprintf(where + length, sizeof where - length, "%s '%.80s'", part->number ? "," : "", *part->name);
    if (!source->failed)
        atl_set_error(ATL_BAD_FILE, "'%s': byte %" PRId64 "%s: %s", source->name, at, where, text);
    source->failed = 1;
    return 0;
}

int onnx_bad_wire(const onnx_reader *reader, const char *format, ...)
{
    char text[ATL_ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return fail(reader->source, reader->at, text);
}

enum { PIECE = 2 << 20, WORTH_SHARING = 4 * PIECE }; /* bytes: a huge page, as large tensors are aligned */

static int read_piece(int file, int64_t at, int64_t size, char *to)
{
    while (size > 0) {
        ssize_t some = pread(file, to, (size_t)size, (off_t)at);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            return 0;
        at += some;
        to += some;
        size -= some;
    }
    return 1;
}

/* A large weight: threads share it, because most of the time passes while the system provides the memory for it. */
static int read_pieces(FILE *stream, int64_t at, int64_t size, char *to)
{
    int file = fileno(stream), fine = 1;
#pragma omp parallel for schedule(dynamic) reduction(& : fine)
    for (int64_t begin = 0; begin < size; begin += PIECE)
        fine &= read_piece(file, at + begin, size - begin < PIECE ? size - begin : PIECE, to + begin);
    return fine;
}

static int read_stream(onnx_source *source, int64_t at, int64_t size, void *to)
{
    if (size >= WORTH_SHARING && read_pieces(source->stream, at, size, to))
        return 1; /* else the stream finds the mistake */
    if (fseeko(source->stream, (off_t)at, SEEK_SET) != 0 || fread(to, 1, (size_t)size, source->stream) != (size_t)size)
        return fail(source, at, "the file cannot be read here: it has become shorter, or the disk fails");
    return 1;
}

int onnx_read(onnx_source *source, int64_t at, int64_t size, void *to)
{
    if (at < 0 || size < 0 || at > source->size || size > source->size - at)
        return fail(source, at, "the file ends before the data does: it is cut short");
    if (at >= source->first && at + size <= source->last) {
        if (size)
            memcpy(to, source->bytes + (at - source->first), (size_t)size);
        return 1;
    }
    return read_stream(source, at, size, to);
}

/* Makes the window hold byte `at`, which is within the source. */
static int move_window(onnx_source *source, int64_t at)
{
    int64_t size = source->size - at < ONNX_WINDOW ? source->size - at : ONNX_WINDOW;
    source->first = source->last = 0;
    if (!read_stream(source, at, size, source->buffer))
        return 0;
    source->first = at;
    source->last = at + size;
    return 1;
}

static int next_byte(onnx_reader *reader, unsigned *byte_out)
{
    onnx_source *source = reader->source;
    if (reader->at >= reader->end)
        return onnx_bad_wire(reader, "the message ends within a value: this is no model, or it is cut short");
    if ((reader->at < source->first || reader->at >= source->last) && !move_window(source, reader->at))
        return 0;
    *byte_out = source->bytes[reader->at++ - source->first];
    return 1;
}

static int read_varint(onnx_reader *reader, uint64_t *value_out)
{
    uint64_t value = 0;
    unsigned byte = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (!next_byte(reader, &byte))
            return 0;
        value |= shift < 64 ? (uint64_t)(byte & 127) << shift : 0;
        if (!(byte & 128)) {
            *value_out = value;
            return 1;
        }
    }
    return onnx_bad_wire(reader, "a number of more than ten bytes: this is no model, or it is damaged");
}

static int read_fixed(onnx_reader *reader, int bytes, uint64_t *value_out)
{
    uint64_t value = 0;
    unsigned byte = 0;
    for (int i = 0; i < bytes; i++) {
        if (!next_byte(reader, &byte))
            return 0;
        value |= (uint64_t)byte << (8 * i);
    }
    *value_out = value;
    return 1;
}

static int read_number(onnx_reader *reader, onnx_wire_type type, uint64_t *value_out)
{
    if (type == ONNX_VARINT)
        return read_varint(reader, value_out);
    return read_fixed(reader, type == ONNX_FIXED64 ? 8 : 4, value_out);
}

static int find_extent(onnx_reader *reader, onnx_field *field)
{
    uint64_t size;
    if (!read_varint(reader, &size))
        return 0;
    if (size > (uint64_t)(reader->end - reader->at))
        return onnx_bad_wire(reader,
                             "field %d has %" PRIu64 " byte%s, but only %" PRId64
                             " are left: this is no model, or it is cut short",
                             field->number, size, atl_plural(size), reader->end - reader->at);
    field->begin = reader->at;
    field->size = (int64_t)size;
    reader->at += field->size;
    return 1;
}

onnx_reader onnx_message_of(onnx_source *source) { return (onnx_reader){source, 0, source->size}; }

onnx_reader onnx_inside(const onnx_reader *reader, const onnx_field *field)
{
    return (onnx_reader){reader->source, field->begin, field->begin + field->size};
}

int onnx_next(onnx_reader *reader, onnx_field *field_out)
{
    uint64_t tag;
    if (reader->source->failed || reader->at >= reader->end || !read_varint(reader, &tag))
        return 0;
    *field_out = (onnx_field){.number = (int)(tag >> 3 & 0x1fffffff), .type = (onnx_wire_type)(tag & 7)};
    if (tag >> 32 || field_out->number == 0)
        return onnx_bad_wire(reader, "a field has the number %" PRIu64 ": this is no model, or it is damaged",
                             tag >> 3);
    switch (field_out->type) {
    case ONNX_VARINT:
    case ONNX_FIXED64:
    case ONNX_FIXED32:
        return read_number(reader, field_out->type, &field_out->value);
    case ONNX_BYTES:
        return find_extent(reader, field_out);
    }
    return onnx_bad_wire(reader, "field %d is of wire type %u, which no model has: this is no model, or it is damaged",
                         field_out->number, (unsigned)(tag & 7));
}

int onnx_next_packed(onnx_reader *reader, onnx_wire_type type, uint64_t *value_out)
{
    return !reader->source->failed && reader->at < reader->end && read_number(reader, type, value_out);
}
