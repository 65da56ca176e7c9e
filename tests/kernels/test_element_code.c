/* Programs in registers against the maps, one after the other: the same bits, for numbers of every kind, over lengths
 * that are no multiple of a vector, without writing outside the results. */
#include "kernels/element_code.h"

#include "isas.h"
#include "ops/maps.h"

enum { ARRAYS = 5, LENGTH = 24, MOST = 300 };

typedef struct element_map {
    const char *name;
    atl_element_op op;
    int inputs;
    atl_map_kernel *map;
} element_map;

static size_t list_maps(const atl_kernel_table *k, element_map *maps)
{
    size_t count = 0;
#define ADD_UNARY(name, ...)  maps[count++] = (element_map){#name, ATL_ELEMENT_##name, 1, k->map_##name};
#define ADD_BINARY(name, ...) maps[count++] = (element_map){#name, ATL_ELEMENT_##name, 2, k->map_##name};
    ATL_VECTOR_MAPS(ADD_UNARY, ADD_BINARY)
    return count;
}

/* Half of them are special ones. */
static void fill_array(float *x, int64_t n)
{
    for (int64_t i = 0; i < n + MARGIN; i++)
        x[i] = random_below(2) ? special_floats[random_below(COUNT(special_floats))]
                               : (float)random_below(1 << 20) * 0x1p-18f - 2;
}

static int same(float x, float y) { return (isnan(x) && isnan(y)) || !memcmp(&x, &y, sizeof x); }

/* One instruction, by the map: on `value` and the array, in either order. */
static void run_map(const element_map *m, int reversed, float *value, const float *array, int64_t n)
{
    m->map(NULL, (size_t)n, (const float *[]){reversed ? array : value, reversed ? value : array}, value);
}

static void check_program(const element_map *maps, size_t count, const atl_kernel_table *k, int64_t n)
{
    static float by_code[ARRAYS][MOST + MARGIN], by_maps[ARRAYS][MOST + MARGIN], value[MOST];
    const float *arrays[ARRAYS];
    atl_element_code code[LENGTH] = {{ATL_ELEMENT_LOAD, 0}};
    char text[LENGTH * 20] = "";
    for (int i = 0; i < ARRAYS; i++) {
        arrays[i] = by_code[i];
        fill_array(by_code[i], n);
        memcpy(by_maps[i], by_code[i], sizeof *by_maps);
    }
    memcpy(value, by_maps[0], sizeof value);
    for (int c = 1; c < LENGTH; c++) {
        const uint8_t array = (uint8_t)random_below(ARRAYS);
        if (random_below(6) == 0) { /* changes nothing */
            code[c] =
                (atl_element_code){(uint8_t)(random_below(2) ? ATL_ELEMENT_FETCH : ATL_ELEMENT_FETCH_TO_WRITE), array};
            continue;
        }
        if (random_below(3) == 0) {
            code[c] = (atl_element_code){ATL_ELEMENT_STORE, array};
            memcpy(by_maps[array], value, (size_t)n * sizeof *value);
            continue;
        }
        const element_map *m = &maps[random_below(count)];
        const int reversed = m->inputs == 2 && random_below(2);
        code[c] = (atl_element_code){(uint8_t)(m->op + reversed), array};
        run_map(m, reversed, value, by_maps[array], n);
        snprintf(text + strlen(text), sizeof text - strlen(text), " %s", m->name);
    }
    k->run_element_code(code, LENGTH, arrays, n);
    for (int i = 0; i < ARRAYS; i++)
        for (int64_t j = 0; j < n + MARGIN; j++)
            cr_assert(same(by_code[i][j], by_maps[i][j]), "array %d, number %lld of %lld, is %g, not %g, after%s", i,
                      (long long)j, (long long)n, (double)by_code[i][j], (double)by_maps[i][j], text);
}

/* Every pair of special numbers. */
static void check_instruction(const element_map *m, int reversed, const atl_kernel_table *k)
{
    enum { N = sizeof special_floats / sizeof *special_floats };
    float value[N], result[N], other[N];
    const atl_element_code code[] = {{ATL_ELEMENT_LOAD, 0}, {(uint8_t)(m->op + reversed), 1}, {ATL_ELEMENT_STORE, 2}};
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++)
            other[j] = special_floats[i];
        memcpy(value, special_floats, sizeof value);
        k->run_element_code(code, 3, (const float *[]){value, other, result}, N);
        run_map(m, reversed, value, other, N);
        for (size_t j = 0; j < N; j++)
            cr_assert(same(result[j], value[j]), "%s%s of %g and %g is %g, not %g", m->name,
                      reversed ? ", reversed," : "", (double)special_floats[j], (double)other[j], (double)result[j],
                      (double)value[j]);
    }
}

ISA_TEST(element_code, like_the_maps)
{
    element_map maps[64];
    size_t count = list_maps(k, maps);
    for (size_t m = 0; m < count; m++)
        for (int reversed = 0; reversed < maps[m].inputs; reversed++)
            check_instruction(&maps[m], reversed, k);
    for (int64_t n = 0; n < MOST; n += n < 40 ? 1 : 17)
        for (int i = 0; i < 8; i++)
            check_program(maps, count, k, n);
}
