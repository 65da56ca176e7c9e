/* JSON for reports. */
#include "program/json.h"

#include <math.h>
#include <string.h>

#include "graph/utf8.h"

static void write_escaped(FILE *file, unsigned char c)
{
    if (c == '"' || c == '\\')
        fprintf(file, "\\%c", c);
    else
        fprintf(file, c < 0x80 ? "\\u%04x" : "\\ufffd", c);
}

void atl_write_json_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        size_t length = *c < 0x20 || *c == '<' || *c == '"' || *c == '\\' ? 0 : atl_character_at(c);
        if (length)
            fwrite(c, 1, length, file);
        else
            write_escaped(file, *c);
        c += length ? length : 1;
    }
    fputc('"', file);
}

/* printf takes the decimal separator from the locale; it may have several bytes: everything that is not a digit or a
 * sign. */
void atl_write_json_number(FILE *file, double number, int decimals)
{
    char text[340]; /* the largest double has 309 digits */
    if (!isfinite(number)) {
        fputs("null", file);
        return;
    }
    snprintf(text, sizeof text, "%.*f", decimals, number);
    size_t whole = strspn(text, "-0123456789"), separator = strcspn(text + whole, "0123456789");
    fprintf(file, "%.*s%s%s", (int)whole, text, separator ? "." : "", text + whole + separator);
}
