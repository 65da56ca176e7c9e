/* The size of a change on the command line, and exact comparisons with it. */
#include "eps.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools.h"

enum { MOST_DIGITS = 9 };

/* Multiplies by the power of ten that follows a number, as in 1e-3; returns where it ends, null if there are more than
 * MOST_DIGITS digits then. */
static const char *read_exponent(const char *text, atl_fraction *to)
{
    if (*text != 'e' && *text != 'E')
        return text;
    int is_negative = text[1] == '-', sign = is_negative || text[1] == '+';
    if (!isdigit((unsigned char)text[1 + sign]))
        return text;
    char *end;
    long power = strtol(text + 1 + sign, &end, 10);
    int64_t *grows = is_negative ? &to->under : &to->over, limit = 1000000000; /* 10^MOST_DIGITS */
    for (; power > 0 && *grows > 0 && *grows <= limit / 10; power--)
        *grows *= 10;
    return power > 0 && *grows > 0 ? NULL : end;
}

/* A decimal number as a fraction; null if there is none, else where it ends.  Independent of the locale. */
static const char *read_decimal(const char *text, atl_fraction *to)
{
    int digits = 0, has_point = 0, seen = 0;
    *to = (atl_fraction){0, 1};
    for (; isdigit((unsigned char)*text) || (*text == '.' && !has_point); text++) {
        if (*text == '.') {
            has_point = 1;
            continue;
        }
        seen = 1;
        if (digits == 0 && *text == '0' && !has_point)
            continue;
        if (++digits > MOST_DIGITS)
            return NULL;
        to->over = 10 * to->over + (*text - '0');
        to->under *= has_point ? 10 : 1;
    }
    return seen ? read_exponent(text, to) : NULL;
}

static int64_t divisor_of(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Fractions of 255 stay as they are: they read as levels. */
static atl_fraction reduced(atl_fraction f)
{
    int64_t divisor = f.under == 255 || f.over == 0 ? 1 : divisor_of(f.over, f.under);
    return (atl_fraction){f.over / divisor, f.over == 0 ? 1 : f.under / divisor};
}

static int is_grey(const char *unit)
{
    return strcasecmp(unit, "g") == 0 || strcasecmp(unit, "grey") == 0 || strcasecmp(unit, "gray") == 0 ||
           strcasecmp(unit, " grey levels") == 0 || strcasecmp(unit, "levels") == 0;
}

static int is_number_below_zero(const char *text)
{
    char *end;
    return strtod(text, &end) < 0 && end != text;
}

int read_eps(const char *command, const char *text, atl_norm norm, atl_fraction *eps_out)
{
    atl_fraction f, under;
    if (is_number_below_zero(text))
        return report_error(command, EXIT_USAGE, "--eps %s is negative; a size is 0 or more", text);
    const char *end = read_decimal(text, &f);
    if (end && *end == '/') {
        end = read_decimal(end + 1, &under);
        f = (atl_fraction){f.over * under.under, f.under * under.over};
    } else if (end && is_grey(end)) {
        f.under *= 255;
        end = "";
    }
    if (!end || *end || f.under == 0 || f.under > 1000000000 || f.over > 1000000000000)
        return report_error(command, EXIT_USAGE,
                            "--eps '%s' is no size: give a fraction (8/255), a number (0.03) or grey "
                            "levels (8g)",
                            text);
    if (norm == ATL_NORM_L0 && f.over % f.under)
        return report_error(command, EXIT_USAGE, "--eps %s: with --norm l0 it is a whole number of elements", text);
    if (norm == ATL_NORM_LINF && f.over > f.under && *text && text[strlen(text) - 1] == 'g')
        return report_error(command, EXIT_USAGE, "--eps %s is more than the 255 levels of a pixel", text);
    if (norm == ATL_NORM_LINF && f.over > f.under && strchr(text, '/'))
        return report_error(command, EXIT_USAGE, "--eps %s is more than the whole range of a pixel, which is 1", text);
    if (norm == ATL_NORM_LINF && f.over > f.under)
        return report_error(
            command, EXIT_USAGE,
            "--eps %s is more than the whole range of a pixel, which is 1; did you mean %s/255, or %sg for "
            "grey levels?",
            text, text, text);
    *eps_out = reduced(f);
    return 0;
}

void write_eps(atl_fraction eps, char *text, unsigned long size)
{
    snprintf(text, size, eps.under == 1 ? "%lld" : "%lld/%lld", (long long)eps.over, (long long)eps.under);
}

/* ---- exact sizes ------------------------------------------------------------------------------------------------- */

int measure_exactly(long long count, const float *original, const float *pixels, exact_size *size_out)
{
    *size_out = (exact_size){0};
    for (long long i = 0; i < count; i++) {
        double d = fabs((double)pixels[i] - (double)original[i]);
        long long level = (long long)d;
        if ((double)level != d || level > 255)
            return 0;
        size_out->largest = level > size_out->largest ? level : size_out->largest;
        size_out->sum += level;
        size_out->sum_of_squares += level * level;
        size_out->elements += level != 0;
    }
    return 1;
}

/* a <= b for products that may exceed 64 bits. */
__extension__ typedef unsigned __int128 wide;
static int product_is_within(long long a, long long b, long long c, long long d)
{
    return (wide)a * (wide)b <= (wide)c * (wide)d;
}

int is_within_eps(const exact_size *size, atl_norm norm, atl_fraction eps)
{
    if (eps.under == 0)
        return 1;
    switch (norm) {
    case ATL_NORM_LINF:
        return product_is_within(size->largest, eps.under, 255, eps.over);
    case ATL_NORM_L1:
        return product_is_within(size->sum, eps.under, 255, eps.over);
    case ATL_NORM_L0:
        return product_is_within(size->elements, eps.under, 1, eps.over);
    default: /* the root of the sum of squares, over 255 */
        return product_is_within(size->sum_of_squares, eps.under * eps.under, 255 * 255 * eps.over, eps.over);
    }
}
