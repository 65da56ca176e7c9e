/* The element types that an .npy array may have, and their conversion. */
#include "io/npy_kinds.h"

#include <math.h>
#include <string.h>

/* IEEE 754 binary16: 1 sign bit, 5 bits of exponent (bias 15), 10 of fraction. */
static float float_of_half(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float size = exponent == 31  ? (fraction ? NAN : INFINITY)
                 : exponent == 0 ? ldexpf((float)fraction, -24)
                                 : ldexpf((float)(1024 + fraction), exponent - 25);
    return half >> 15 ? -size : size;
}

static int fits_any(double x)
{
    (void)x;
    return 1;
}
/* From halfway between the largest float and the next power of two on, rounding would give infinity. */
static int fits_float(double x) { return !isfinite(x) || fabs(x) < 0x1.ffffffp127; }

#define CONVERTER(NAME, FROM, TO, FITS, CAST)                                                                          \
    static int64_t NAME(const unsigned char *from, void *to, int64_t count)                                            \
    {                                                                                                                  \
        for (int64_t i = 0; i < count; i++) {                                                                          \
            FROM x;                                                                                                    \
            memcpy(&x, from + i * (int64_t)sizeof x, sizeof x);                                                        \
            if (!(FITS))                                                                                               \
                return i;                                                                                              \
            ((TO *)to)[i] = CAST(x);                                                                                   \
        }                                                                                                              \
        return count;                                                                                                  \
    }
CONVERTER(convert_f2, uint16_t, float, fits_any(x), float_of_half)
CONVERTER(convert_f4, float, float, fits_any(x), )
CONVERTER(convert_f8, double, float, fits_float(x), (float))
CONVERTER(convert_i1, int8_t, int32_t, 1, )
CONVERTER(convert_i2, int16_t, int32_t, 1, )
CONVERTER(convert_i4, int32_t, int32_t, 1, )
CONVERTER(convert_i8, int64_t, int32_t, x >= INT32_MIN && x <= INT32_MAX, (int32_t))
CONVERTER(convert_u1, uint8_t, int32_t, 1, )
CONVERTER(convert_u2, uint16_t, int32_t, 1, )
CONVERTER(convert_u4, uint32_t, int32_t, x <= INT32_MAX, (int32_t))
CONVERTER(convert_u8, uint64_t, int32_t, x <= INT32_MAX, (int32_t))
CONVERTER(convert_bool, uint8_t, int32_t, 1, 0 !=)
#undef CONVERTER

static const atl_npy_kind kinds[] = {
    {'f', 2, "float16", ATL_FLOAT32, convert_f2}, {'f', 4, "float32", ATL_FLOAT32, convert_f4},
    {'f', 8, "float64", ATL_FLOAT32, convert_f8}, {'i', 1, "int8", ATL_INT32, convert_i1},
    {'i', 2, "int16", ATL_INT32, convert_i2},     {'i', 4, "int32", ATL_INT32, convert_i4},
    {'i', 8, "int64", ATL_INT32, convert_i8},     {'u', 1, "uint8", ATL_INT32, convert_u1},
    {'u', 2, "uint16", ATL_INT32, convert_u2},    {'u', 4, "uint32", ATL_INT32, convert_u4},
    {'u', 8, "uint64", ATL_INT32, convert_u8},    {'b', 1, "bool", ATL_INT32, convert_bool},
};

const char *atl_npy_kind_name(const atl_npy_kind *kind) { return kind->name; }

const atl_npy_kind *atl_npy_kind_of(const char *type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (type[0] == kinds[i].letter && type[1] == '0' + kinds[i].size && type[2] == '\0')
            return &kinds[i];
    return NULL;
}
