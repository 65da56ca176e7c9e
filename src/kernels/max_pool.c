/* Max-pooling and its gradient: see max_pool.h.  Each element of a result is computed once, in one place: so the bits
 * do not depend on how the rows are shared among threads. */
#include "kernels/max_pool.h"

#include "kernels/vectors.h"

/* As many bytes as a vector has elements, and back.  gcc 12 makes single bytes of __builtin_convertvector. */
INLINE vec_int load_bytes(const uint8_t *x)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (vec_int)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i_u *)x));
#elif defined __AVX2__ && ATL_VECTOR == 8
    return (vec_int)_mm256_cvtepu8_epi32(_mm_loadu_si64(x));
#elif defined __x86_64__ && ATL_VECTOR == 4
    const __m128i zero = _mm_setzero_si128();
    return (vec_int)_mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_loadu_si32(x), zero), zero);
#else
    vec_int value;
    for (int i = 0; i < VECTOR; i++)
        value[i] = x[i];
    return value;
#endif
}

INLINE void store_bytes(uint8_t *x, vec_int value)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    _mm_storeu_si128((__m128i_u *)x, _mm512_cvtepi32_epi8((__m512i)value));
#elif defined __AVX2__ && ATL_VECTOR == 8
    __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128((__m256i)value), _mm256_extracti128_si256((__m256i)value, 1));
    _mm_storeu_si64(x, _mm_packus_epi16(words, words));
#elif defined __x86_64__ && ATL_VECTOR == 4
    __m128i words = _mm_packs_epi32((__m128i)value, (__m128i)value);
    _mm_storeu_si32(x, _mm_packus_epi16(words, words));
#else
    for (int i = 0; i < VECTOR; i++)
        x[i] = (uint8_t)value[i];
#endif
}

typedef struct span {
    int64_t first, last; /* first <= i < last */
} span;

/* The elements of window o that are inside of the image. */
INLINE span elements_inside(const atl_pool_direction *d, int64_t o)
{
    int64_t start = o * d->stride - d->pad, room = d->input - start;
    return (span){start < 0 ? -start : 0, room < d->size ? room : d->size};
}

/* The windows that have pixel i. */
INLINE span windows_over(const atl_pool_direction *d, int64_t i)
{
    int64_t after = i + d->pad - d->size; /* the last pixel before the window that ends at i */
    span s = {after < 0 ? 0 : after / d->stride + 1, (i + d->pad) / d->stride + 1};
    s.last = s.last < d->output ? s.last : d->output;
    return s;
}

/* Where x is larger than best, or NaN while best is a number. */
INLINE vec_int takes_over(vec x, vec best) { return ~(x <= best) & (best == best); }

INLINE vec choose(vec_int where, vec a, vec b) { return (vec)((where & (vec_int)a) | (~where & (vec_int)b)); }

/* One window of one vector of channels; `x` is its element 0, which may be outside of the image. */
INLINE void pool_window(const int keep, const atl_max_pool *p, span v, span h, const float *x, float *y,
                        uint8_t *position)
{
    int64_t row = p->h.input * p->channels;
    vec best = load(x + v.first * row + h.first * p->channels);
    vec_int at = (vec_int){0} + (int32_t)(v.first * p->h.size + h.first);
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++) {
            vec value = load(x + i * row + j * p->channels);
            vec_int larger = takes_over(value, best);
            best = choose(larger, value, best);
            if (keep)
                at = (larger & ((vec_int){0} + (int32_t)(i * p->h.size + j))) | (~larger & at);
        }
    store(y, best);
    if (keep)
        store_bytes(position, at);
}

/* All channels of one window. */
INLINE void pool_pixel(const int keep, const atl_max_pool *p, span v, span h, const float *x, int64_t to)
{
    for (int64_t c = 0; c < p->channels; c += VECTOR)
        pool_window(keep, p, v, h, x + c, p->y + to + c, keep ? p->positions + to + c : NULL);
}

INLINE void pool_row(const int keep, const atl_max_pool *p, int64_t row)
{
    int64_t image = row / p->v.output, o = row % p->v.output;
    int64_t top = o * p->v.stride - p->v.pad;
    span v = elements_inside(&p->v, o);
    for (int64_t q = 0; q < p->h.output; q++) {
        int64_t left = q * p->h.stride - p->h.pad, to = (row * p->h.output + q) * p->channels;
        span h = elements_inside(&p->h, q);
        const float *x = p->x + ((image * p->v.input + top) * p->h.input + left) * p->channels;
        if (p->v.size == 2 && p->h.size == 2 && v.first + h.first == 0 && v.last + h.last == 4)
            pool_pixel(keep, p, (span){0, 2}, (span){0, 2}, x, to);
        else if (p->v.size == 3 && p->h.size == 3 && v.first + h.first == 0 && v.last + h.last == 6)
            pool_pixel(keep, p, (span){0, 3}, (span){0, 3}, x, to);
        else
            pool_pixel(keep, p, v, h, x, to);
    }
}

void KERNEL(max_pool_rows)(const atl_max_pool *p, int64_t first, int64_t last)
{
    for (int64_t row = first; row < last; row++)
        if (p->positions)
            pool_row(1, p, row);
        else
            pool_row(0, p, row);
}

/* A window over a pixel: where it is in the result, and which of its elements the pixel is. */
typedef struct covering {
    int64_t at;
    int32_t element;
} covering;

INLINE int find_windows(const atl_max_pool *p, span v, span h, int64_t i, int64_t j, int64_t from, covering *list)
{
    int count = 0;
    for (int64_t o = v.first; o < v.last; o++)
        for (int64_t q = h.first; q < h.last; q++) {
            int64_t row = i + p->v.pad - o * p->v.stride, column = j + p->h.pad - q * p->h.stride;
            list[count++] = (covering){from + (o * p->h.output + q) * p->channels, (int32_t)(row * p->h.size + column)};
        }
    return count;
}

/* All channels of a pixel with `count` windows. */
INLINE void gradient_of_pixel(const atl_max_pool *p, const int count, const covering *list, float *dx)
{
    for (int64_t c = 0; c < p->channels; c += VECTOR) {
        vec sum = {0};
        for (int k = 0; k < count; k++) {
            vec_int here = load_bytes(p->maximum_at + list[k].at + c) == list[k].element;
            sum += (vec)(here & (vec_int)load(p->dy + list[k].at + c));
        }
        store(dx + c, sum);
    }
}

/* Loops over a constant number of windows are unrolled. */
static void gradient_of_row(const atl_max_pool *p, int64_t row)
{
    int64_t image = row / p->v.input, i = row % p->v.input;
    int64_t from = image * p->v.output * p->h.output * p->channels;
    span v = windows_over(&p->v, i);
    covering list[ATL_MAX_POOL_ELEMENTS];
    for (int64_t j = 0; j < p->h.input; j++) {
        float *dx = p->dx + (row * p->h.input + j) * p->channels;
        int count = find_windows(p, v, windows_over(&p->h, j), i, j, from, list);
        if (count == 1)
            gradient_of_pixel(p, 1, list, dx);
        else if (count == 2)
            gradient_of_pixel(p, 2, list, dx);
        else if (count == 4)
            gradient_of_pixel(p, 4, list, dx);
        else
            gradient_of_pixel(p, count, list, dx);
    }
}

void KERNEL(max_pool_gradient_rows)(const atl_max_pool *p, int64_t first, int64_t last)
{
    for (int64_t row = first; row < last; row++)
        gradient_of_row(p, row);
}
