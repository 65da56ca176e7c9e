/* UTF-8 validation: users' names should be UTF-8, but may be any bytes. */
#include "graph/utf8.h"

size_t atl_character_at(const unsigned char *s)
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
        if ((s[i] & 0xc0) != 0x80) /* also true at the end of the string */
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    int is_surrogate = code >= 0xd800 && code <= 0xdfff, is_control = code >= 0x80 && code < 0xa0;
    return code < smallest[length] || code > 0x10ffff || is_surrogate || is_control || (code & 0xfffe) == 0xfffe
               ? 0
               : length;
}
