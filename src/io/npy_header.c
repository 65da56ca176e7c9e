/* The header of an .npy array: magic bytes, version, and a Python dictionary. */
#include "io/npy_kinds.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/plural.h"
#include "graph/error.h"
#include "graph/memory.h"

/* Parses the text of the header.  The first failure sets the message; later calls do nothing. */
typedef struct parser {
    const char *at, *end;
    const atl_npy_source *source;
    int failed;
} parser;

static int fail_parsing(parser *p, const char *expected)
{
    if (!p->failed) {
        char found[24] = "the end of it";
        if (p->at < p->end) {
            int length = (int)(p->end - p->at < 16 ? p->end - p->at : 16);
            snprintf(found, sizeof found, "\"%.*s\"", length, p->at);
        }
        atl_set_error(ATL_BAD_FILE, "%s: the .npy header is damaged: expected %s, found %s: " SAVE_AGAIN,
                      p->source->label, expected, found);
    }
    p->failed = 1;
    return 0;
}

static int accept(parser *p, char c)
{
    while (p->at < p->end && isspace((unsigned char)*p->at))
        p->at++;
    if (p->failed || p->at == p->end || *p->at != c)
        return 0;
    p->at++;
    return 1;
}

static int expect(parser *p, char c) { return accept(p, c) || fail_parsing(p, (const char[]){'\'', c, '\'', '\0'}); }

/* 'text' or "text", into text_out. */
static int parse_string(parser *p, char *text_out, size_t size, const char *expected)
{
    char quote = accept(p, '\'') ? '\'' : '"';
    if (quote == '"' && !accept(p, '"'))
        return fail_parsing(p, expected);
    const char *close = memchr(p->at, quote, (size_t)(p->end - p->at));
    if (!close || (size_t)(close - p->at) >= size)
        return fail_parsing(p, expected);
    memcpy(text_out, p->at, (size_t)(close - p->at));
    text_out[close - p->at] = '\0';
    p->at = close + 1;
    return 1;
}

static int accept_word(parser *p, const char *word)
{
    size_t length = strlen(word);
    accept(p, ' ');
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return 0;
    p->at += length;
    return 1;
}

static int parse_bool(parser *p, int *value_out)
{
    *value_out = accept_word(p, "True");
    return *value_out || accept_word(p, "False") || fail_parsing(p, "True or False for fortran_order");
}

/* One size of the shape; Python 2 may have written an L after it. */
static int parse_size(parser *p, int64_t *size_out)
{
    if (accept(p, '-'))
        return fail_parsing(p, "no negative size in the shape");
    int64_t size = 0;
    const char *start = p->at;
    for (; p->at < p->end && isdigit((unsigned char)*p->at); p->at++) {
        if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, *p->at - '0', &size))
            return fail_parsing(p, "sizes below 2^63 in the shape");
    }
    if (p->at == start)
        return fail_parsing(p, "a size in the shape");
    accept(p, 'L');
    *size_out = size;
    return 1;
}

/* (3, 5), (3,) or (). */
static int parse_shape(parser *p, atl_shape *shape_out)
{
    atl_shape shape = {0};
    if (!expect(p, '('))
        return 0;
    while (!accept(p, ')')) {
        int64_t size = 0;
        if (!parse_size(p, &size))
            return 0;
        if (shape.rank == ATL_MAX_RANK) {
            p->failed = 1;
            atl_set_error(ATL_BAD_FILE, "%s: the array has more than %d dimensions: reshape it before saving",
                          p->source->label, ATL_MAX_RANK);
            return 0;
        }
        shape.size[shape.rank++] = size;
        if (!accept(p, ',')) {
            if (!expect(p, ')'))
                return 0;
            break;
        }
    }
    *shape_out = shape;
    return 1;
}

static const char *words_for_letter(char letter)
{
    switch (letter) {
    case 'O':
        return "Python objects";
    case 'c':
        return "complex numbers";
    case 'S':
    case 'a':
    case 'U':
        return "text";
    case 'M':
    case 'm':
        return "times";
    case 'V':
        return "raw bytes";
    default:
        return "elements of a type that atled does not know";
    }
}

/* "<f4", "|u1", ">i8": byte order, letter, bytes. Without byte order, or with '=', it is this machine's. */
static int find_kind(parser *p, const char *descr, atl_npy_header *header)
{
    const char *type = descr + (*descr && strchr("<>=|", *descr) != NULL);
    header->big_endian = *descr == '>' || (*descr != '<' && atl_is_big_endian_machine());
    if (strcmp(type, "?") == 0)
        type = "b1";
    header->kind = atl_npy_kind_of(type);
    if (header->kind) {
        header->dtype = header->kind->becomes;
        return 1;
    }
    p->failed = 1;
    atl_set_error(ATL_BAD_FILE,
                  "%s: holds %s (type '%s'); atled reads float16, 32 and 64, int and uint of 8 to 64 bits, and bool: "
                  "convert it first, as with x.astype('float32')",
                  p->source->label, words_for_letter(*type), descr);
    return 0;
}

static int parse_descr(parser *p, atl_npy_header *header)
{
    char descr[32];
    if (accept(p, '[')) {
        p->failed = 1;
        atl_set_error(ATL_BAD_FILE,
                      "%s: holds records of several fields; atled reads arrays of numbers: save each field by itself",
                      p->source->label);
        return 0;
    }
    return parse_string(p, descr, sizeof descr, "the type of the elements, such as '<f4'") &&
           find_kind(p, descr, header);
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }   in any order, each once. */
static int parse_dictionary(parser *p, atl_npy_header *header)
{
    enum { DESCR = 1, ORDER = 2, SHAPE = 4, ALL = 7 };
    int seen = 0;
    expect(p, '{');
    while (!p->failed && !accept(p, '}')) {
        char key[32];
        if (!parse_string(p, key, sizeof key, "a key in quotes") || !expect(p, ':'))
            return 0;
        int which = strcmp(key, "descr") == 0           ? DESCR
                    : strcmp(key, "fortran_order") == 0 ? ORDER
                    : strcmp(key, "shape") == 0         ? SHAPE
                                                        : 0;
        if (!which || (seen & which))
            return fail_parsing(p, "the keys descr, fortran_order and shape, each once, before this value");
        seen |= which;
        if (which == DESCR)
            parse_descr(p, header);
        else if (which == ORDER)
            parse_bool(p, &header->fortran_order);
        else
            parse_shape(p, &header->shape);
        if (!p->failed && !accept(p, ',')) {
            expect(p, '}');
            break;
        }
    }
    accept(p, '\n'); /* and any white space before it */
    if (p->failed)
        return 0;
    if (p->at != p->end)
        return fail_parsing(p, "nothing after the dictionary");
    return seen == ALL || fail_parsing(p, "all of the keys descr, fortran_order and shape");
}

/* Checks the number of elements and bytes against the source's size; checks each product before it is used. */
static atl_status check_sizes(const atl_npy_source *source, atl_npy_header *header)
{
    char text[200];
    int64_t bytes;
    atl_shape_text(header->shape, text, sizeof text);
    header->count = atl_shape_count(header->shape);
    if (header->count < 0 || __builtin_mul_overflow(header->count, (int64_t)header->kind->size, &bytes))
        return atl_set_error(ATL_BAD_FILE,
                             "%s: the shape %s in the .npy header has more elements than 2^63: " SAVE_AGAIN,
                             source->label, text);
    if (bytes > header->data_bytes)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: is cut short: %s of %s takes %" PRId64 " bytes, but %" PRId64
                             " follow the header: fetch or save it again",
                             source->label, text, header->kind->name, bytes, header->data_bytes);
    if (bytes < header->data_bytes)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: %" PRId64
                             " bytes follow the array %s of %s: atled reads one array a file: " SAVE_AGAIN,
                             source->label, header->data_bytes - bytes, text, header->kind->name);
    return ATL_OK;
}

atl_status atl_npy_read_bytes(const atl_npy_source *source, void *bytes, int64_t size)
{
    int64_t got = source->read(source->from, bytes, size);
    if (got < 0)
        return atl_error_status();
    return got == size ? ATL_OK : atl_set_error(ATL_BAD_FILE, "%s: ends early: fetch or save it again", source->label);
}

/* Reads magic bytes, version, and the length of the dictionary: 2 bytes in version 1, else 4, little-endian.  Also
 * returns the number of bytes read. */
static atl_status read_preamble(const atl_npy_source *source, int64_t *length_out, int64_t *read_out)
{
    unsigned char start[12] = {0};
    if (source->size < 10)
        return atl_set_error(ATL_BAD_FILE, "%s: is no .npy array: it has only %" PRId64 " byte%s: " SAVE_AGAIN,
                             source->label, source->size, atl_plural(source->size));
    atl_status status = atl_npy_read_bytes(source, start, 10);
    if (status)
        return status;
    if (memcmp(start, "\x93NUMPY", 6) != 0)
        return atl_set_error(ATL_BAD_FILE, "%s: is no .npy array: it does not begin with \\x93NUMPY%s: " SAVE_AGAIN,
                             source->label, memcmp(start, "PK", 2) == 0 ? " (it is a zip: read it as .npz)" : "");
    if (start[6] < 1 || start[6] > 3)
        return atl_set_error(ATL_BAD_FILE, "%s: has .npy version %d.%d; atled reads 1.0 to 3.0: " SAVE_AGAIN,
                             source->label, start[6], start[7]);
    *read_out = start[6] == 1 ? 10 : 12;
    if (*read_out > source->size)
        return atl_set_error(ATL_BAD_FILE, "%s: ends within the .npy header: " SAVE_AGAIN, source->label);
    if (*read_out == 12 && (status = atl_npy_read_bytes(source, start + 10, 2)))
        return status;
    *length_out = start[8] | start[9] << 8 | start[10] << 16 | (int64_t)start[11] << 24;
    return ATL_OK;
}

atl_status atl_npy_read_header(const atl_npy_source *source, atl_npy_header *header_out)
{
    enum { LONGEST = 1 << 20 }; /* ours have 118 bytes; records with many fields are longer, and are rejected anyway */
    int64_t length = 0, read = 0;
    atl_status status = read_preamble(source, &length, &read);
    if (status)
        return status;
    if (length > source->size - read)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: the .npy header says that it is %" PRId64 " byte%s long, but %" PRId64
                             " are left: fetch or save it again",
                             source->label, length, atl_plural(length), source->size - read);
    if (length > LONGEST)
        return atl_set_error(ATL_BAD_FILE,
                             "%s: the .npy header is %" PRId64 " bytes long; atled reads up to %d: " SAVE_AGAIN,
                             source->label, length, LONGEST);
    char *text = atl_allocate((size_t)length + 1, 1);
    if (!text)
        return atl_set_error(ATL_OUT_OF_MEMORY, "%s: out of memory for its header", source->label);
    *header_out = (atl_npy_header){.data_bytes = source->size - read - length};
    status = atl_npy_read_bytes(source, text, length);
    parser p = {text, text + length, source, 0};
    if (!status)
        status = parse_dictionary(&p, header_out) ? check_sizes(source, header_out) : ATL_BAD_FILE;
    atl_release(text);
    return status;
}
