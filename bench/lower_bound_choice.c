/* The fastest implementation of a oneDNN primitive, timed alone: see lower_bound.c. */
#include "lower_bound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cases.h"

#if DNNL_VERSION_MAJOR < 3

dnnl_engine_t engine;
dnnl_stream_t stream;

enum {
    IMPLEMENTATIONS = 3, /* candidates of each layout and algorithm */
    TRIES = 4            /* runs of each candidate; the minimum time counts */
};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

enum { HUGE_PAGE = 2 << 20 };

/* Whole pages, large ones if the system has them, all of them touched.  Zeros take as much time as other values. */
char *new_memory(size_t bytes)
{
    size_t whole = (bytes / HUGE_PAGE + 1) * HUGE_PAGE;
    char *memory = aligned_alloc(HUGE_PAGE, whole);
    if (!memory) {
        fputs("lower_bound: out of memory\n", stderr);
        exit(1);
    }
    madvise(memory, whole, MADV_HUGEPAGE);
    memset(memory, 0, whole);
    return memory;
}

/* A ring buffer: allocation continues at the start when it reaches the end. */
static struct {
    char *memory;
    size_t size, used;
} ring;

void begin_ring(size_t bytes)
{
    ring.size = bytes;
    ring.memory = new_memory(bytes);
}

char *from_ring(size_t bytes)
{
    bytes = (bytes + 63) / 64 * 64;
    if (ring.used + bytes > ring.size)
        ring.used = 0;
    if (bytes > ring.size) { /* old memory is not freed: the process is short-lived */
        ring.size = bytes;
        ring.memory = new_memory(bytes);
    }
    ring.used += bytes;
    return ring.memory + ring.used - bytes;
}

/* ---- one primitive ----------------------------------------------------------------------------------------------- */

int made_just_before(const choice *c, int i)
{
    int source = DNNL_ARG_SRC;
    for (int k = 0; k < c->count; k++)
        if (c->index[k] == DNNL_ARG_DIFF_DST)
            source = DNNL_ARG_DIFF_DST;
    return c->index[i] == source;
}

static int is_kept(int index) { return index == DNNL_ARG_WEIGHTS || index == DNNL_ARG_DIFF_WEIGHTS; }

int bind_choice(const choice *c, dnnl_exec_arg_t *list, int weights_of_their_own)
{
    for (int i = 0; i < c->count; i++) {
        size_t bytes = dnnl_memory_desc_get_size(&c->md[i]);
        char *data = weights_of_their_own && is_kept(c->index[i]) ? new_memory(bytes) : from_ring(bytes);
        list[i].arg = c->index[i];
        if (dnnl_memory_create(&list[i].memory, &c->md[i], engine, data))
            return 0;
    }
    return 1;
}

double time_once(const choice *c, const dnnl_exec_arg_t *list)
{
    double start = seconds_now();
    if (dnnl_primitive_execute(c->primitive, stream, c->count, list) || dnnl_stream_wait(stream))
        return 0;
    return seconds_now() - start;
}

/* The minimum of several runs; stops after the first run if it is far from the best. */
static double time_alone(const choice *c, double best)
{
    dnnl_exec_arg_t list[MOST_ARGUMENTS];
    double least = 0;
    if (!bind_choice(c, list, 0))
        return 0;
    time_once(c, list); /* warms up: packs weights and fills caches */
    for (int i = 0; i < TRIES; i++) {
        double seconds = time_once(c, list);
        if (least == 0 || seconds < least)
            least = seconds;
        if (best > 0 && least > 1.5 * best)
            break;
    }
    for (int i = 0; i < c->count; i++)
        dnnl_memory_destroy(list[i].memory);
    return least;
}

static int describe(choice *c, dnnl_primitive_desc_t desc, const argument *arguments)
{
    const char *name = "";
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    snprintf(c->implementation, sizeof c->implementation, "%s", name);
    for (const argument *a = arguments; a->index; a++) {
        const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(desc, a->query, a->which);
        if (!md || dnnl_memory_desc_get_size(md) == 0)
            continue;
        c->index[c->count] = a->index;
        c->md[c->count++] = *md;
    }
    return dnnl_primitive_create(&c->primitive, desc) == dnnl_success;
}

static void try_one(choice *best, dnnl_primitive_desc_t desc, const argument *arguments)
{
    choice c = {0};
    if (describe(&c, desc, arguments))
        c.seconds = time_alone(&c, best->seconds);
    if (c.seconds > 0 && (!best->primitive || c.seconds < best->seconds)) {
        choice worse = *best;
        *best = c;
        c = worse;
    }
    dnnl_primitive_destroy(c.primitive);
}

static int is_reference(dnnl_primitive_desc_t desc)
{
    const char *name = "";
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    return strstr(name, "ref") != NULL; /* takes minutes, and is never the fastest */
}

void try_all(choice *best, const void *op, dnnl_primitive_desc_t hint, const argument *arguments)
{
    dnnl_primitive_desc_iterator_t iterator = NULL;
    if (dnnl_primitive_desc_iterator_create(&iterator, op, NULL, engine, hint))
        return;
    for (int i = 0; i < IMPLEMENTATIONS; i++) {
        dnnl_primitive_desc_t desc = dnnl_primitive_desc_iterator_fetch(iterator);
        if (desc && !is_reference(desc))
            try_one(best, desc, arguments);
        dnnl_primitive_desc_destroy(desc);
        if (dnnl_primitive_desc_iterator_next(iterator))
            break;
    }
    dnnl_primitive_desc_iterator_destroy(iterator);
}

dnnl_memory_desc_t plain_array(int rank, const int64_t *dims, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t all = {0};
    memset(&md, 0, sizeof md);
    memcpy(all, dims, (size_t)rank * sizeof *dims);
    dnnl_memory_desc_init_by_tag(&md, rank, all, dnnl_f32, tag);
    return md;
}
#endif
