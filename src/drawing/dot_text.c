/* Buffered text for drawings, with DOT's escapes. */
#include "drawing/dot_text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "graph/utf8.h"

enum { FIRST_CAPACITY = 1 << 16 };

static void flush(dot_text *text)
{
    if (!text->status && text->size && fwrite(text->data, 1, text->size, text->file) != text->size)
        text->status = atl_set_error(ATL_BAD_FILE, "the drawing cannot be written: %s", strerror(errno));
    text->size = 0;
}

/* Makes room for `count` more bytes. */
static int make_room(dot_text *text, size_t count)
{
    if (text->file && text->size + count > text->capacity && text->size)
        flush(text);
    size_t needed, capacity = text->capacity ? text->capacity : FIRST_CAPACITY;
    if (__builtin_add_overflow(text->size, count, &needed))
        return 0;
    if (needed <= text->capacity)
        return 1;
    while (capacity < needed)
        if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
            return 0;
    char *grown = atl_reallocate(text->data, capacity, 1);
    if (!grown)
        return 0;
    text->data = grown;
    text->capacity = capacity;
    return 1;
}

void dot_put_bytes(dot_text *text, const char *bytes, size_t count)
{
    if (text->status)
        return;
    if (!make_room(text, count)) {
        text->status = atl_out_of_memory();
        return;
    }
    memcpy(text->data + text->size, bytes, count);
    text->size += count;
}

void dot_put(dot_text *text, const char *string) { dot_put_bytes(text, string, strlen(string)); }

void dot_print(dot_text *text, const char *format, ...)
{
    char bytes[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(bytes, sizeof bytes, format, arguments);
    va_end(arguments);
    dot_put(text, bytes);
}

/* The escape sequence of a character; null: the character itself. */
static const char *escape_of(char character, int quoted)
{
    switch (character) {
    case '&':
        return "&amp;"; /* Graphviz interprets entities in both kinds of text */
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\t':
        return " ";
    case '\n':
        return quoted ? "\\n" : "<br/>";
    case '\\':
        return "\\\\"; /* Graphviz would replace "\\N" by the node's name */
    default:
        return NULL;
    }
}

static void put_escaped(dot_text *text, const char *string, int quoted)
{
    while (*string) {
        size_t length = atl_character_at((const unsigned char *)string);
        const char *escape = length ? escape_of(*string, quoted) : "\xef\xbf\xbd";
        if (escape)
            dot_put(text, escape);
        else
            dot_put_bytes(text, string, length);
        string += length ? length : 1;
    }
}

/* Graphviz takes no element of an HTML-like label that is empty. */
void dot_put_label(dot_text *text, const char *string) { put_escaped(text, string[0] ? string : " ", 0); }
void dot_put_quoted(dot_text *text, const char *string) { put_escaped(text, string, 1); }

atl_status dot_finish(dot_text *text)
{
    if (text->file) {
        flush(text);
        if (!text->status && fflush(text->file))
            text->status = atl_set_error(ATL_BAD_FILE, "the drawing cannot be written: %s", strerror(errno));
    } else
        dot_put_bytes(text, "", 1);
    return text->status;
}
