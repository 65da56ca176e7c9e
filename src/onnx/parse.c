/* Texts and numbers of messages, tensors, types. */
#include "onnx/parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "graph/error.h"

int64_t onnx_count(onnx_reader message, int number)
{
    onnx_field field;
    int64_t count = 0;
    while (onnx_next(&message, &field))
        count += field.number == number;
    return message.source->failed ? -1 : count;
}

int onnx_make_room(onnx_parser *parser, const onnx_reader *reader, int64_t count, size_t size, void *array_out)
{
    void *room = count > 0 ? onnx_allocate(parser->arena, (size_t)count, size) : NULL;
    memcpy(array_out, &room, sizeof room);
    return count == 0 || room ? 1
           : count < 0        ? 0
                              : onnx_bad_wire(reader, "out of memory for %" PRId64 " entries", count);
}

/* https://www.unicode.org/versions/Unicode15.0.0/ch03.pdf, table 3-7, and no zero byte. */
static int is_utf8(const unsigned char *s, int64_t size)
{
    for (int64_t i = 0; i < size;) {
        int more = s[i] < 0x80                   ? 0
                   : s[i] >= 0xc2 && s[i] < 0xe0 ? 1
                   : s[i] >= 0xe0 && s[i] < 0xf0 ? 2
                   : s[i] >= 0xf0 && s[i] < 0xf5 ? 3
                                                 : -1;
        if (s[i] == 0 || more < 0 || size - i <= more)
            return 0;
        for (int k = 1; k <= more; k++)
            if ((s[i + k] & 0xc0) != 0x80)
                return 0;
        if ((s[i] == 0xe0 && s[i + 1] < 0xa0) || (s[i] == 0xed && s[i + 1] > 0x9f) ||
            (s[i] == 0xf0 && s[i + 1] < 0x90) || (s[i] == 0xf4 && s[i + 1] > 0x8f))
            return 0;
        i += more + 1;
    }
    return 1;
}

/* The beginning of a text of any bytes, as ASCII. */
static const char *quoted(onnx_source *source, const onnx_field *field, char *to, size_t room)
{
    unsigned char bytes[24];
    int64_t size = field->size < (int64_t)sizeof bytes ? field->size : (int64_t)sizeof bytes;
    size_t length = 0;
    *to = 0;
    if (!onnx_read(source, field->begin, size, bytes))
        return to;
    for (int64_t i = 0; i < size && length < room; i++)
        length += (size_t)snprintf(to + length, room - length, bytes[i] < 32 || bytes[i] > 126 ? "\\x%02x" : "%c",
                                   (unsigned)bytes[i]);
    if (size < field->size && length < room)
        snprintf(to + length, room - length, "...");
    return to;
}

int onnx_take_text(onnx_parser *parser, const onnx_reader *reader, const onnx_field *field, const char **text_out)
{
    onnx_reader text;
    char words[120];
    if (!onnx_take_message(reader, field, &text))
        return 0;
    if (field->size > ONNX_LONGEST_NAME)
        return onnx_bad_wire(&text, "a name of %" PRId64 " bytes, '%s'; the limit is %d: choose a shorter one",
                             field->size, quoted(reader->source, field, words, sizeof words), ONNX_LONGEST_NAME);
    char *copy = onnx_allocate(parser->arena, (size_t)field->size + 1, 1);
    if (!copy)
        return onnx_bad_wire(&text, "out of memory for a name");
    if (!onnx_read(reader->source, field->begin, field->size, copy))
        return 0;
    if (!is_utf8((const unsigned char *)copy, field->size))
        return onnx_bad_wire(&text, "a name that is not UTF-8, or holds a zero byte, '%s': choose another one",
                             quoted(reader->source, field, words, sizeof words));
    *text_out = copy;
    return 1;
}

int onnx_take_integer(const onnx_reader *reader, const onnx_field *field, int64_t *integer_out)
{
    if (field->type != ONNX_VARINT)
        return onnx_bad_wire(reader, "field %d should be a whole number: this is no model, or it is damaged",
                             field->number);
    *integer_out = (int64_t)field->value;
    return 1;
}

int onnx_take_message(const onnx_reader *reader, const onnx_field *field, onnx_reader *message_out)
{
    if (field->type != ONNX_BYTES)
        return onnx_bad_wire(reader, "field %d should be a message or a text: this is no model, or it is damaged",
                             field->number);
    *message_out = onnx_inside(reader, field);
    return 1;
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

enum { MOST_SIZES = 999 };

/* Sizes stand before the name, so that mistakes are told later. */
static void add_size(onnx_tensor *tensor, uint64_t size)
{
    if (tensor->rank < ATL_MAX_RANK)
        tensor->size[tensor->rank] = size > INT64_MAX ? -1 : (int64_t)size;
    tensor->rank += tensor->rank <= MOST_SIZES;
}

static int check_sizes(const onnx_reader *reader, const onnx_tensor *tensor)
{
    for (int i = 0; i < tensor->rank && i < ATL_MAX_RANK; i++)
        if (tensor->size[i] < 0)
            return onnx_bad_wire(reader, "size %d of the tensor '%s' is negative", i, tensor->name);
    return tensor->rank <= MOST_SIZES
               ? 1
               : onnx_bad_wire(reader, "the tensor '%s' has more than %d dimensions", tensor->name, MOST_SIZES);
}

static int read_sizes(const onnx_reader *reader, const onnx_field *field, onnx_tensor *tensor)
{
    uint64_t size;
    if (field->type == ONNX_VARINT)
        return add_size(tensor, field->value), 1;
    onnx_reader list;
    if (!onnx_take_message(reader, field, &list))
        return 0;
    while (onnx_next_packed(&list, ONNX_VARINT, &size))
        add_size(tensor, size);
    return !reader->source->failed;
}

/* A whole number in decimal, as external data has them. */
static int parse_whole(const onnx_reader *reader, const char *text, int64_t *whole_out)
{
    int64_t whole = 0;
    for (const char *c = text; *c; c++)
        if (*c < '0' || *c > '9' || __builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *c - '0', &whole))
            return onnx_bad_wire(reader, "'%.40s' is no offset or length of external data: a whole number of bytes is",
                                 text);
    *whole_out = whole;
    return 1;
}

static int read_external(onnx_parser *parser, onnx_reader message, onnx_tensor *tensor)
{
    const char *key = "", *value = "";
    onnx_field field;
    while (onnx_next(&message, &field))
        if ((field.number == 1 && !onnx_take_text(parser, &message, &field, &key)) ||
            (field.number == 2 && !onnx_take_text(parser, &message, &field, &value)))
            return 0;
    if (message.source->failed)
        return 0;
    if (strcmp(key, "location") == 0)
        tensor->location = value;
    else if (strcmp(key, "offset") == 0)
        return parse_whole(&message, value, &tensor->offset);
    else if (strcmp(key, "length") == 0)
        return parse_whole(&message, value, &tensor->length);
    return 1;
}

static int read_tensor_fields(onnx_parser *parser, onnx_reader message, onnx_tensor *t)
{
    onnx_field field;
    int64_t number = 0;
    while (onnx_next(&message, &field)) {
        onnx_reader inner;
        int fine = 1;
        if (field.number == 1)
            fine = read_sizes(&message, &field, t);
        else if (field.number == 2 && (fine = onnx_take_integer(&message, &field, &number)))
            t->type = number > 0 && number < ONNX_TYPES ? (onnx_type)number : number ? ONNX_TYPES : ONNX_UNDEFINED;
        else if (field.number == 8)
            fine = onnx_take_text(parser, &message, &field, &t->name);
        else if (field.number == 13)
            fine = onnx_take_message(&message, &field, &inner) && read_external(parser, inner, t);
        else if (field.number == 14 && (fine = onnx_take_integer(&message, &field, &number)))
            t->is_external = number == 1;
        if (!fine)
            return 0;
    }
    return !message.source->failed && check_sizes(&message, t);
}

int onnx_read_tensor(onnx_parser *parser, onnx_reader message, onnx_tensor *tensor_out)
{
    onnx_source *source = message.source;
    const onnx_part *around = source->part, part = {"tensor", 0, &tensor_out->name};
    *tensor_out = (onnx_tensor){
        .name = "", .location = "", .length = -1, .source = source, .begin = message.at, .end = message.end};
    if (!around) /* else it is a node's, which is told */
        source->part = &part;
    int fine = read_tensor_fields(parser, message, tensor_out);
    source->part = around;
    return fine;
}

int onnx_parse_tensor(onnx_source *source, onnx_arena *arena, onnx_tensor *tensor_out)
{
    onnx_parser parser = {.arena = arena};
    return onnx_read_tensor(&parser, onnx_message_of(source), tensor_out);
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

static int read_dimension(onnx_parser *parser, onnx_reader message, onnx_port *port)
{
    onnx_field field;
    int64_t size = ATL_ANY;
    const char *symbol = "";
    while (onnx_next(&message, &field)) {
        if (field.number == 1 && !onnx_take_integer(&message, &field, &size))
            return 0;
        if (field.number == 2 && !onnx_take_text(parser, &message, &field, &symbol))
            return 0;
    }
    if (message.source->failed)
        return 0;
    if (port->rank < ATL_MAX_RANK) {
        port->size[port->rank] = size < 0 ? ATL_ANY : size;
        port->symbol[port->rank] = symbol;
    }
    port->rank++;
    return port->rank < 1000 ? 1 : onnx_bad_wire(&message, "'%s' has more than 999 dimensions", port->name);
}

static int read_shape(onnx_parser *parser, onnx_reader message, onnx_port *port)
{
    onnx_field field;
    onnx_reader inner;
    port->rank = 0;
    while (onnx_next(&message, &field))
        if (field.number == 1 && (!onnx_take_message(&message, &field, &inner) || !read_dimension(parser, inner, port)))
            return 0;
    return !message.source->failed;
}

static int read_tensor_type(onnx_parser *parser, onnx_reader message, onnx_port *port)
{
    onnx_field field;
    onnx_reader inner;
    int64_t type = 0;
    while (onnx_next(&message, &field)) {
        if (field.number == 1) {
            if (!onnx_take_integer(&message, &field, &type))
                return 0;
            port->type = type > 0 && type < ONNX_TYPES ? (onnx_type)type : ONNX_TYPES;
        }
        if (field.number == 2 && (!onnx_take_message(&message, &field, &inner) || !read_shape(parser, inner, port)))
            return 0;
    }
    return !message.source->failed;
}

static int read_type(onnx_parser *parser, onnx_reader message, onnx_port *port)
{
    static const struct {
        int field;
        const char *kind;
    } other[] = {{4, "a sequence"}, {5, "a map"}, {8, "a sparse tensor"}, {9, "optional"}};
    onnx_field field;
    onnx_reader inner;
    while (onnx_next(&message, &field)) {
        if (field.number == 1 &&
            (!onnx_take_message(&message, &field, &inner) || !read_tensor_type(parser, inner, port)))
            return 0;
        for (int i = 0; i < 4; i++)
            if (field.number == other[i].field)
                port->kind = other[i].kind;
    }
    return !message.source->failed;
}

int onnx_read_port(onnx_parser *parser, onnx_reader message, onnx_port *port_out)
{
    onnx_field field;
    onnx_reader inner;
    *port_out = (onnx_port){.name = "", .rank = -1};
    while (onnx_next(&message, &field)) {
        if (field.number == 1 && !onnx_take_text(parser, &message, &field, &port_out->name))
            return 0;
        if (field.number == 2 && (!onnx_take_message(&message, &field, &inner) || !read_type(parser, inner, port_out)))
            return 0;
    }
    return !message.source->failed;
}

const char *onnx_type_name(onnx_type type)
{
    static const char *const name[] = {"undefined",      "FLOAT",    "UINT8",        "INT8",           "UINT16",
                                       "INT16",          "INT32",    "INT64",        "STRING",         "BOOL",
                                       "FLOAT16",        "DOUBLE",   "UINT32",       "UINT64",         "COMPLEX64",
                                       "COMPLEX128",     "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2",
                                       "FLOAT8E5M2FNUZ", "UINT4",    "INT4",         "FLOAT4E2M1",     "FLOAT8E8M0",
                                       "UINT2",          "INT2"};
    return type < ONNX_TYPES ? name[type] : "a type newer than this reader";
}
