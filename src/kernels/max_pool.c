/* Max-pooling and its gradient: see max_pool.h.  Each element of a result is computed once, in one place: so the bits
 * do not depend on how the rows are shared among threads. */
#include "kernels/max_pool.h"

#include "cost/cost.h"
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

enum { LINE_BYTES = 64 };

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

/* ---- windows whose size is known, within the image --------------------------------------------------------------- */

/* Lanes: those of `now` and those where a or b is NaN; a = b; a choice of numbers by them. */
#if defined __AVX512F__ && ATL_VECTOR == 16
typedef __mmask16 lanes;
INLINE lanes with_nan(lanes now, vec a, vec b) { return now | _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_UNORD_Q); }
INLINE lanes equal(vec a, vec b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ); }
INLINE vec_int number_where(lanes where, int32_t number, vec_int other)
{
    return (vec_int)_mm512_mask_mov_epi32((__m512i)other, where, _mm512_set1_epi32(number));
}
INLINE int is_any(lanes where) { return where != 0; }
#else
typedef vec_int lanes;
INLINE lanes with_nan(lanes now, vec a, vec b)
{
#if defined __AVX2__ && ATL_VECTOR == 8
    return now | (lanes)_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_UNORD_Q);
#elif defined __x86_64__ && ATL_VECTOR == 4
    return now | (lanes)_mm_cmpunord_ps((__m128)a, (__m128)b);
#else
    return now | (a != a) | (b != b);
#endif
}
INLINE lanes equal(vec a, vec b) { return a == b; }
INLINE vec_int number_where(lanes where, int32_t number, vec_int other)
{
    return (where & ((vec_int){0} + number)) | (~where & other);
}
INLINE int is_any(lanes where)
{
#if defined __AVX2__ && ATL_VECTOR == 8
    return _mm256_movemask_ps((__m256)where) != 0;
#elif defined __x86_64__ && ATL_VECTOR == 4
    return _mm_movemask_ps((__m128)where) != 0;
#else
    int32_t any = 0;
    for (int i = 0; i < VECTOR; i++)
        any |= where[i];
    return any != 0;
#endif
}
#endif

/* The same for a window of numbers, all inside of the image: the maximum first, and then its first place, so that no
 * element waits for the comparison before.  0 if there is a NaN.  `larger` keeps the first of equal numbers, also of
 * zeros of either sign. */
INLINE int pool_numbers(const int keep, const int rows, const int columns, const atl_max_pool *p, const float *x,
                        float *y, uint8_t *position)
{
    const int64_t row = p->h.input * p->channels;
    const int count = rows * columns;
    vec value[9];
    UNROLL
    for (int k = 0; k < count; k++)
        value[k] = load(x + k / columns * row + k % columns * p->channels);
    vec best = value[0];
    lanes nan = with_nan((lanes){0}, value[0], value[count - 1]);
    UNROLL
    for (int k = 1; k < count; k++) {
        best = larger(value[k], best);
        if (k % 2 && k < count - 1)
            nan = with_nan(nan, value[k], value[k + 1]);
    }
    if (__builtin_expect(is_any(nan), 0))
        return 0;
    store(y, best);
    if (keep) {
        vec_int at = {0};
        UNROLL
        for (int k = count - 1; k > 0; k--)
            at = number_where(equal(value[k], best), k, at);
        at = number_where(equal(value[0], best), 0, at);
        store_bytes(position, at);
    }
    return 1;
}

/* All channels of one window; `whole`: all of its elements, given as constants, are inside of the image. */
INLINE void pool_pixel(const int keep, const int whole, const atl_max_pool *p, span v, span h, const float *x,
                       int64_t to)
{
    for (int64_t c = 0; c < p->channels; c += VECTOR) {
        uint8_t *position = keep ? p->positions + to + c : NULL;
        if (!whole || !pool_numbers(keep, (int)v.last, (int)h.last, p, x + c, p->y + to + c, position))
            pool_window(keep, p, v, h, x + c, p->y + to + c, position);
    }
}

/* True if the image leaves the second-level cache between the steps: its rows are asked for before they are read, which
 * is faster than what the processor fetches by itself. */
INLINE int is_large(const atl_max_pool *p)
{
    return p->batch * p->v.input * p->h.input * p->channels > ATL_FAR_FLOATS / 4;
}

/* Asks for pixels of the rows that the next row of windows is the first to read: those of `v.last` rows and more below
 * the first of this window, as many as lie between two windows. */
INLINE void fetch_below(const atl_max_pool *p, span v, const float *x)
{
    for (int64_t i = v.last; i < v.last + p->v.stride; i++)
        for (int64_t c = 0; c < p->h.stride * p->channels; c += LINE_FLOATS)
            __builtin_prefetch(x + i * p->h.input * p->channels + c, 0, 3);
}

INLINE void pool_row(const int keep, const atl_max_pool *p, int64_t row)
{
    int64_t image = row / p->v.output, o = row % p->v.output;
    int64_t top = o * p->v.stride - p->v.pad;
    span v = elements_inside(&p->v, o);
    const int fetches = is_large(p);
    for (int64_t q = 0; q < p->h.output; q++) {
        int64_t left = q * p->h.stride - p->h.pad, to = (row * p->h.output + q) * p->channels;
        span h = elements_inside(&p->h, q);
        const float *x = p->x + ((image * p->v.input + top) * p->h.input + left) * p->channels;
        if (fetches)
            fetch_below(p, v, x);
        if (p->v.size == 2 && p->h.size == 2 && v.first + h.first == 0 && v.last + h.last == 4)
            pool_pixel(keep, 1, p, (span){0, 2}, (span){0, 2}, x, to);
        else if (p->v.size == 3 && p->h.size == 3 && v.first + h.first == 0 && v.last + h.last == 6)
            pool_pixel(keep, 1, p, (span){0, 3}, (span){0, 3}, x, to);
        else
            pool_pixel(keep, 0, p, v, h, x, to);
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

/* The windows over a pixel: so many rows and columns of them. */
typedef struct covering {
    int64_t rows, columns;
    int64_t at;      /* where the first is in the result */
    int32_t element; /* which of its elements the pixel is */
} covering;

/* All channels of a pixel.  The element is `stride` less in the next window. */
INLINE void gradient_of_pixel(const atl_max_pool *p, const int64_t rows, const int64_t columns, const covering *w,
                              float *dx)
{
    const int64_t below = p->h.output * p->channels;
    const vec_int higher = (vec_int){0} + (int32_t)(p->v.stride * p->h.size);
    const vec_int left = (vec_int){0} + (int32_t)p->h.stride, first = (vec_int){0} + w->element;
    for (int64_t c = 0; c < p->channels; c += VECTOR) {
        vec sum = {0};
        vec_int element_below = first;
        for (int64_t o = 0; o < rows; o++, element_below -= higher) {
            int64_t at = w->at + o * below + c;
            vec_int element = element_below;
            for (int64_t q = 0; q < columns; q++, at += p->channels, element -= left) {
                const vec_int here = load_bytes(p->maximum_at + at) == element;
                sum += (vec)(here & (vec_int)load(p->dy + at));
            }
        }
        store(dx + c, sum);
    }
}

/* Asks for a pixel of the row of results that rows of dx further below are the first to read. */
INLINE void fetch_result(const atl_max_pool *p, int64_t at)
{
    for (int64_t c = 0; c < p->channels; c += LINE_FLOATS)
        __builtin_prefetch(p->dy + at + c, 0, 3);
    for (int64_t c = 0; c < p->channels; c += LINE_BYTES)
        __builtin_prefetch(p->maximum_at + at + c, 0, 3);
}

/* Loops over a constant number of windows are unrolled. */
static void gradient_of_row(const atl_max_pool *p, int64_t row)
{
    const int64_t image = row / p->v.input, i = row % p->v.input;
    const int64_t from = image * p->v.output * p->h.output * p->channels;
    const span v = windows_over(&p->v, i);
    const int64_t element = (i + p->v.pad - v.first * p->v.stride) * p->h.size;
    const int fetches = is_large(p) && i % p->v.stride == 0;
    int64_t first = 0, last = 0; /* columns of windows over pixel j */
    for (int64_t j = 0; j < p->h.input; j++) {
        while (first * p->h.stride + p->h.size <= j + p->h.pad)
            first++;
        while (last < p->h.output && last * p->h.stride <= j + p->h.pad)
            last++;
        const covering w = {.rows = v.last - v.first,
                            .columns = last - first,
                            .at = from + (v.first * p->h.output + first) * p->channels,
                            .element = (int32_t)(element + j + p->h.pad - first * p->h.stride)};
        float *dx = p->dx + (row * p->h.input + j) * p->channels;
        if (fetches && j % p->h.stride == 0)
            fetch_result(p, from + (v.last * p->h.output + j / p->h.stride) * p->channels);
        if (w.rows == 1 && w.columns == 1)
            gradient_of_pixel(p, 1, 1, &w, dx);
        else if (w.rows == 1 && w.columns == 2)
            gradient_of_pixel(p, 1, 2, &w, dx);
        else if (w.rows == 2 && w.columns == 1)
            gradient_of_pixel(p, 2, 1, &w, dx);
        else if (w.rows == 2 && w.columns == 2)
            gradient_of_pixel(p, 2, 2, &w, dx);
        else if (w.rows == 3 && w.columns == 3)
            gradient_of_pixel(p, 3, 3, &w, dx);
        else
            gradient_of_pixel(p, w.rows, w.columns, &w, dx);
    }
}

void KERNEL(max_pool_gradient_rows)(const atl_max_pool *p, int64_t first, int64_t last)
{
    for (int64_t row = first; row < last; row++)
        gradient_of_row(p, row);
}
