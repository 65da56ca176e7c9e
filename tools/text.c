/* Makes foreign text safe to show. */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* U+FFFD replaces characters that cannot be shown. */
static const char replacement[] = "\xEF\xBF\xBD";

/* The character that begins here and its bytes: 0 if it is not UTF-8 (RFC 3629). */
static size_t decode(const unsigned char *s, uint32_t *code_out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    if (length == 0)
        return 0;
    uint32_t code = length == 1 ? s[0] : s[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) /* also the end of the string */
            return 0;
        code = code << 6 | (s[i] & 0x3Fu);
    }
    *code_out = code;
    int is_surrogate = code >= 0xD800 && code < 0xE000;
    return code < smallest[length] || code > 0x10FFFF || is_surrogate ? 0 : length;
}

/* Characters that a terminal would interpret instead of showing, or that change the direction of writing. */
static int is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x200E && code <= 0x200F) ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

char *clean_text(const char *from, char *to, size_t size)
{
    size_t at = 0;
    while (*from) {
        uint32_t code = 0;
        size_t length = decode((const unsigned char *)from, &code);
        int shown = length && !is_control(code);
        const char *character = shown ? from : replacement;
        size_t bytes = shown ? length : sizeof replacement - 1;
        if (at + bytes >= size)
            break;
        memcpy(to + at, character, bytes);
        at += bytes;
        from += length ? length : 1;
    }
    if (size)
        to[at] = 0;
    return to;
}

int bytes_within(const char *text, int columns)
{
    int at = 0;
    for (; text[at]; at++)
        if ((text[at] & 0xC0) != 0x80 && columns-- == 0)
            break;
    return at;
}

void print_column(const char *text, int columns)
{
    int bytes = bytes_within(text, columns), characters = 0;
    for (int i = 0; i < bytes; i++)
        characters += (text[i] & 0xC0) != 0x80;
    printf("%*s%.*s", columns - characters, "", bytes, text);
}

const char *plural(int64_t count) { return count == 1 ? "" : "s"; }

char *duration_text(double microseconds, char *to, size_t size)
{
    if (microseconds < 1e3)
        snprintf(to, size, "%.4g us", microseconds);
    else if (microseconds < 1e6)
        snprintf(to, size, "%.4g ms", microseconds / 1e3);
    else if (microseconds < 9.9995e9)
        snprintf(to, size, "%.4g s", microseconds / 1e6);
    else
        snprintf(to, size, "%.0f s", microseconds / 1e6);
    return to;
}
