/* Buffered text for drawings, with DOT's escapes. */
#include "drawing/dot_text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"

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

/* Bytes of the UTF-8 character that begins here, if it is one that XML allows, else 0 (RFC 3629; XML 1.0, 2.2). */
static size_t character_at(const unsigned char *s)
{
    size_t length = s[0] < 0x80             ? 1
                    : (s[0] & 0xe0) == 0xc0 ? 2
                    : (s[0] & 0xf0) == 0xe0 ? 3
                    : (s[0] & 0xf8) == 0xf0 ? 4
                                            : 0;
    static const unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (length == 1)
        return (s[0] >= 0x20 && s[0] != 0x7f) || s[0] == '\n' || s[0] == '\t';
    unsigned code = length == 2 ? s[0] & 0x1fu : length == 3 ? s[0] & 0x0fu : s[0] & 0x07u;
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) /* also the end of the string */
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    int is_surrogate = code >= 0xd800 && code <= 0xdfff, is_control = code >= 0x80 && code < 0xa0;
    return code < smallest[length] || code > 0x10ffff || is_surrogate || is_control || (code & 0xfffe) == 0xfffe
               ? 0
               : length;
}

/* What stands for a character; null: itself. */
static const char *escape_of(char character, int quoted)
{
    switch (character) {
    case '&':
        return "&amp;"; /* Graphviz reads entities in both kinds of text */
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
        return "\\\\"; /* "\\N" would become the name of the node */
    default:
        return NULL;
    }
}

static void put_escaped(dot_text *text, const char *string, int quoted)
{
    while (*string) {
        size_t length = character_at((const unsigned char *)string);
        const char *escape = length ? escape_of(*string, quoted) : "\xef\xbf\xbd";
        if (escape)
            dot_put(text, escape);
        else
            dot_put_bytes(text, string, length);
        string += length ? length : 1;
    }
}

void dot_put_label(dot_text *text, const char *string) { put_escaped(text, string, 0); }
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
