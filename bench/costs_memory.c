/* Measures memory, and what waking threads costs: see costs.c. */
#include "costs.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "graph/random.h"
#include "kernels/kernels.h"

typedef struct array {
    float *x, *y;
    int64_t count;
    float sum;
} array;

static array new_array(double bytes)
{
    int64_t count = (int64_t)bytes / 4;
    return (array){floats(count), floats(count), count, 0};
}

static void free_array(array *a)
{
    free(a->x);
    free(a->y);
}

/* Each thread reads its part, as the kernels do. */
static void read_all(void *data)
{
    array *a = data;
    float sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
    for (int64_t block = 0; block < a->count / ATL_CORE_FLOATS; block++)
        sum += atl_kernels->sum_of(a->x + block * ATL_CORE_FLOATS, ATL_CORE_FLOATS);
    a->sum += sum;
}

static double read_rate(double bytes)
{
    array a = new_array(bytes);
    double rate = (double)(a.count * 4) / least_seconds(read_all, &a);
    free_array(&a);
    return rate;
}

void measure_memory(atl_costs *c)
{
    double cache = second_level_cache(), caches = cache * omp_get_max_threads();
    c->cached_bytes = read_rate(caches / 2);
    c->memory_bytes = read_rate(256e6);
    /* Parts of the caches that a kernel may fill: a fifth of its core's, all cores' together for tiles that are used at
     * once, half as much again for images that stay between two steps.  A transformed 3x3 filter has 36 floats for each
     * pair of channels, and may fill half of the caches. */
    c->core_cache = (int64_t)(cache / 5);
    c->tiles_cache = (int64_t)caches;
    c->shared_cache = 1.5 * caches;
    c->kept_filter = (int64_t)(caches / 2 / (36 * 4));
    c->kept_image = (int64_t)(cache / 4);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static void wake(void *data)
{
    int *woken = data;
#pragma omp parallel
    woken[omp_get_thread_num() % 64] = 1;
}

static void add_one_thread(void *data)
{
    array *a = data;
    atl_kernels->map_add(NULL, (size_t)a->count, (const float *[]){a->x, a->y}, a->y);
}

typedef struct product {
    atl_product p;
    float *a, *b, *c;
} product;

static void multiply(void *data)
{
    product *p = data;
    atl_kernels->small_product(&p->p, p->a, p->b, NULL, p->c);
}

/* Multiplications a second of a [24, 24] product on one thread. */
static double small_rate(int b_transposed)
{
    enum { SIDE = 24 };
    product p = {{SIDE, SIDE, SIDE, SIDE, 1, b_transposed},
                 floats(SIDE * SIDE),
                 floats(SIDE * SIDE),
                 floats(SIDE * SIDE)};
    double rate = SIDE * SIDE * SIDE / least_seconds(multiply, &p);
    free(p.a), free(p.b), free(p.c);
    return rate;
}

enum { DRAWN = 4096 };

static void draw(void *data)
{
    float *x = data;
    for (int64_t i = 0; i < DRAWN; i++)
        x[i] = atl_random_between(-1, 1, 7, (uint64_t)i);
}

/* A thread is worth waking for work of twice the time that waking takes.  Calling oneDNN takes as long as waking a
 * thread that waits. */
void measure_threads(atl_costs *c)
{
    int woken[64] = {0};
    double waking = least_seconds(wake, woken);
    array a = new_array(32e3);
    double elements = (double)a.count / least_seconds(add_one_thread, &a);
    free_array(&a);
    float *x = floats(DRAWN);
    c->random_work = (int64_t)fmax(1, least_seconds(draw, x) * elements / DRAWN);
    free(x);
    c->loop_elements = (int64_t)(2 * waking * elements);
    c->primitive_floats = 2 * waking * elements;
    c->primitive_flops = 2 * waking * 2 * small_rate(0);
    c->thread_flops = 2 * waking * c->winograd_flops / omp_get_max_threads();
    c->small_product = (int64_t)(2 * waking * small_rate(0));
    c->small_dots = (int64_t)(2 * waking * small_rate(1));
    /* Copying B takes a third of the time of the product of so many rows; below an eighth of a core's cache it does not
     * count. */
    c->packed_rows = (int64_t)(3 * (8 / c->cached_bytes) / (2 / c->product_flops));
    c->packed_size = (int64_t)(second_level_cache() / 4 / 8);
    c->pool_elements = (int64_t)(waking * elements);
}
