/* Minutes: 3.  The arena: nothing overlaps in time and place, it is hardly larger than it must be, and nothing changes
 * without it. */
#include "compiler/memory/arena.h"
#include "compiler/plan/plan.h"
#include "graph/memory.h"
#include "passes.h"

static int overlap(const atl_block *a, const atl_block *b)
{
    return a->first <= b->last && b->first <= a->last && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

/* Values of a random net: each lives for a few steps, some for long. */
static void random_blocks(atl_block *blocks, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t life = random_below(8) ? 1 + (int64_t)random_below(3) : (int64_t)random_below((uint64_t)count);
        blocks[i] = (atl_block){.bytes = 1 + (int64_t)random_below(1 << 16), .first = i, .last = i + life};
    }
}

static int64_t check(int64_t count, double slack)
{
    atl_block *blocks = calloc((size_t)count, sizeof *blocks);
    random_blocks(blocks, count);
    int64_t size = atl_pack_arena(blocks, count), least = atl_largest_live_set(blocks, count);
    cr_assert_geq(size, least);
    cr_assert((double)size <= slack * (double)least, "%lld bytes for a live set of %lld", (long long)size,
              (long long)least);
    for (int64_t i = 0; i < count; i++) {
        cr_assert_eq(blocks[i].offset % ATL_ARENA_ALIGNMENT, 0);
        cr_assert_leq(blocks[i].offset + blocks[i].bytes, size);
        for (int64_t k = 0; count <= 4000 && k < i; k++)
            cr_assert_not(overlap(&blocks[i], &blocks[k]), "%lld and %lld", (long long)i, (long long)k);
    }
    free(blocks);
    return size;
}

Test(arena, few_blocks_are_packed_within_a_tenth)
{
    for (int i = 0; i < 50; i++)
        check(10 + (int64_t)random_below(200), 1.10);
}
Test(arena, many_blocks_do_not_overlap) { check(3500, 2); }
Test(arena, none) { cr_assert_eq(atl_pack_arena(NULL, 0), 0); }

/* ---- whole networks ---------------------------------------------------------------------------------------------- */

typedef struct need {
    int64_t live, all; /* bytes: of what lives at once, at most; of everything */
} need;

static void use_block(atl_block *blocks, const atl_plan *plan, atl_value_id value, int64_t step)
{
    if (plan->values[value].space != ATL_IN_ARENA)
        return;
    int is_pinned = plan->values[value].pinned;
    while (plan->values[value].shares >= 0)
        value = plan->values[value].shares;
    atl_block *block = &blocks[value];
    if (!block->bytes)
        block->first = step;
    block->bytes = plan->values[value].bytes;
    block->last = is_pinned || block->last == plan->step_count ? plan->step_count : step;
}

/* What a loop over the batch reads from before it, and what it writes image by image, lives through all its turns. */
static void live_through_loop(atl_block *blocks, const atl_plan *plan)
{
    const int64_t begin = plan->loop.first, end = plan->loop.end;
    for (atl_value_id v = 0; v < plan->value_count && end; v++) {
        atl_value_id root = v;
        while (plan->values[root].shares >= 0)
            root = plan->values[root].shares;
        atl_block *block = &blocks[root];
        if (!block->bytes || block->first >= end || block->last < begin)
            continue;
        int is_whole = plan->values[v].turn_bytes > 0;
        if (is_whole && block->first > begin)
            block->first = begin;
        if ((is_whole || block->first < begin) && block->last < end)
            block->last = end;
    }
}

static need need_of(const atl_plan *plan)
{
    need n = {0};
    atl_block *blocks = calloc((size_t)plan->value_count, sizeof *blocks);
    for (int64_t s = 0; s < plan->step_count; s++) {
        for (int i = 0; i < plan->steps[s].reads; i++)
            use_block(blocks, plan, atl_step_reads(&plan->steps[s])[i], s);
        for (int i = 0; i < plan->steps[s].writes; i++)
            use_block(blocks, plan, plan->steps[s].write[i], s);
    }
    live_through_loop(blocks, plan);
    n.live = atl_largest_live_set(blocks, plan->value_count);
    for (int64_t v = 0; v < plan->value_count; v++)
        n.all += (blocks[v].bytes + ATL_ARENA_ALIGNMENT - 1) / ATL_ARENA_ALIGNMENT * ATL_ARENA_ALIGNMENT;
    free(blocks);
    return n;
}

typedef struct step {
    const atl_model *model;
    int64_t batch;
    int training; /* else the gradient by the image */
} step;

typedef struct net {
    atl_graph *graph;
    atl_node *image, *labels, *outputs;
} net;

static net build_step(const step *s)
{
    const atl_model *model = s->model;
    net n = {.graph = atl_graph_new()};
    atl_model_args args = {.training = s->training};
    args.image = atl_input(n.graph, "image", ATL_FLOAT32, ATL_SHAPE(s->batch, model->height, model->width, 3));
    for (int i = 0; model->layers && model->layers[i]; i++) /* dense layers of VGG16 need not be large here */
        args.widths[i] = strncmp(model->layers[i], "fc", 2) == 0 ? 16 : 0;
    n.image = args.image;
    n.labels = atl_input(n.graph, "labels", ATL_INT32, ATL_SHAPE(s->batch));
    atl_node *loss = atl_mean(atl_sparse_softmax_cross_entropy(model->build(&args), n.labels));
    n.outputs = s->training ? atl_minimize(loss, atl_momentum()) : atl_gradient(loss, n.image);
    return n;
}

/* Compiles the step, and checks the size of its arena. */
static atl_program *compile_step(const step *s, const net *n, unsigned without)
{
    atl_program *program = atl_compile(n->graph, ATL_NODES(n->outputs), .disabled_passes = without);
    cr_assert(program, "%s: %s", s->model->name, atl_graph_error(n->graph));
    need needs = need_of(atl_program_plan(program));
    double arena = (double)atl_program_arena_bytes(program);
    if (without & ATL_PASS_ARENA)
        cr_expect_eq(arena, (double)needs.all, "%s: %.0f bytes for %.0f", s->model->name, arena, (double)needs.all);
    else
        cr_expect(arena >= (double)needs.live && arena <= 1.1 * (double)needs.live,
                  "%s, batch %d: %.2f MB for a live set of %.2f MB", s->model->name, (int)s->batch, arena / 1e6,
                  (double)needs.live / 1e6);
    return program;
}

/* The step's result, for the caller to free. Training has changed the variables afterwards. */
static atl_tensor *result_of(const step *s, const net *n, unsigned without)
{
    atl_program *program = compile_step(s, n, without);
    atl_tensor *pixels = atl_uniform_tensor(atl_shape_of(n->image), -1, 1, 3),
               *label = atl_tensor_new(ATL_INT32, atl_shape_of(n->labels));
    cr_assert_eq(atl_run(program, ATL_FEEDS({n->image, pixels}, {n->labels, label})), ATL_OK, "%s", atl_error());
    atl_tensor *result = atl_tensor_copy(atl_value(program, n->outputs));
    atl_tensor_free(pixels);
    atl_tensor_free(label);
    atl_program_free(program);
    return result;
}

/* Under sanitizers without those of photographs: the others have the same layers, in fewer bytes. */
static void for_each_network(void (*check_step)(const step *s))
{
    int64_t count;
    const atl_model *const *models = atl_models(&count);
    for (int64_t i = 0; i < count; i++)
        for (int training = 0; training < 2 && models[i]->height <= FEWER(INT32_MAX, 100); training++)
            check_step(&(step){models[i], 1, training});
}

/* Results in the place of operands never cost anything. */
static void assert_tight(const step *s)
{
    for (int64_t batch = 1; batch <= 8; batch += 7) {
        step this = {s->model, batch, s->training};
        net n = build_step(&this);
        atl_program *with = compile_step(&this, &n, 0), *without = compile_step(&this, &n, ATL_PASS_IN_PLACE);
        cr_expect_leq(atl_program_arena_bytes(with), atl_program_arena_bytes(without), "%s, batch %d", s->model->name,
                      (int)batch);
        atl_program_free(with);
        atl_program_free(without);
        atl_graph_free(n.graph);
    }
}
Test(arena, networks_need_hardly_more_than_what_lives_at_once) { for_each_network(assert_tight); }

static const void *bits_of(const atl_tensor *t)
{
    return atl_tensor_dtype(t) == ATL_INT32 ? (const void *)atl_ints(t) : atl_floats(t);
}

static void expect_same_bits(const step *s, const atl_tensor *a, const atl_tensor *b, const char *what)
{
    cr_expect_eq(memcmp(bits_of(a), bits_of(b), (size_t)atl_tensor_count(a) * 4), 0, "%s, %s: %s", s->model->name,
                 s->training ? "training" : "gradient by the image", what);
}

enum { MOST_VARIABLES = 200 };

/* With a place for each value, the same bits, and what training makes of the variables. */
static void assert_same_bits(const step *s)
{
    net n = build_step(s);
    int64_t variables = atl_variables(n.graph).count;
    atl_node *const *variable = atl_variables(n.graph).node;
    atl_tensor *before[MOST_VARIABLES], *after;
    cr_assert_leq(variables, MOST_VARIABLES);
    for (int64_t i = 0; i < variables; i++)
        before[i] = atl_tensor_copy(atl_variable_value(variable[i]));
    atl_tensor *packed = result_of(s, &n, 0);
    for (int64_t i = 0; i < variables; i++) {
        after = atl_tensor_copy(atl_variable_value(variable[i]));
        atl_variable_assign(variable[i], before[i]);
        atl_tensor_free(before[i]);
        before[i] = after;
    }
    atl_tensor *apart = result_of(s, &n, ATL_PASS_ARENA);
    expect_same_bits(s, packed, apart, "the result");
    for (int64_t i = 0; i < variables; i++) {
        expect_same_bits(s, before[i], atl_variable_value(variable[i]), atl_name_of(variable[i]));
        atl_tensor_free(before[i]);
    }
    atl_tensor_free(packed);
    atl_tensor_free(apart);
    atl_graph_free(n.graph);
}
Test(arena, networks_without_it_give_the_same) { for_each_network(assert_same_bits); }

Test(arena, without_it_everything_has_a_place_of_its_own)
{
    counted with, without;
    compare_without(ATL_PASS_ARENA, &with, &without);
    cr_assert_eq(with.always, without.always);
    cr_assert_lt(with.arena, without.arena);
}

/* No sum of sizes overflows; what no machine can hold is out of memory. */
Test(arena, sizes_beyond_any_memory)
{
    atl_block blocks[8];
    for (int i = 0; i < 8; i++)
        blocks[i] = (atl_block){.bytes = (int64_t)1 << 61, .first = i, .last = i + 1};
    cr_assert_eq(atl_pack_arena(blocks, 8), -1);
    cr_assert_eq(atl_largest_live_set(blocks, 8), -1);
    blocks[0].bytes = INT64_MAX;
    cr_assert_eq(atl_pack_arena(blocks, 1), -1);
    for (int i = 0; i < 8; i++)
        blocks[i].bytes = ATL_MOST_BYTES;
    cr_assert_eq(atl_pack_arena(blocks, 8), 2 * ATL_MOST_BYTES);
}

Test(arena, values_beyond_any_memory_are_refused)
{
    atl_graph *g = atl_graph_new();
    for (int exponent = 52; exponent < 60; exponent++) {
        atl_node *x = atl_input(g, ATL_NAME("x%d", exponent), ATL_FLOAT32, ATL_SHAPE(1));
        atl_node *big = atl_broadcast_to(x, ATL_SHAPE((int64_t)1 << exponent)), *of[4];
        for (int i = 0; i < 4; i++)
            of[i] = big = atl_cumulative_sum(big, .axis = 0, .reverse = i & 1);
        atl_program *p = atl_compile(g, {4, of}, .check = 1);
        atl_tensor *one = random_tensor(ATL_SHAPE(1), 0, 1);
        cr_assert(!p || atl_run(p, ATL_FEED(x, one)) == ATL_OUT_OF_MEMORY, "2^%d elements", exponent);
        cr_assert_eq(atl_error_status(), ATL_OUT_OF_MEMORY, "2^%d: %s", exponent, atl_error());
        atl_tensor_free(one);
        atl_program_free(p);
    }
    atl_graph_free(g);
}
