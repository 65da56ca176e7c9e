/* The arena: nothing overlaps in time and place, and it is hardly larger than it must be. */
#include "program/arena.h"
#include "program/plan.h"
#include "support.h"

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

/* ---- whole networks --------------------------------------------------------------------------------------------------------- */

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

static void assert_hardly_larger_than_what_lives(atl_graph *g, atl_node *wanted, const char *name)
{
    atl_program *program = atl_compile(g, ATL_NODES(wanted));
    cr_assert(program, "%s: %s", name, atl_graph_error(g));
    const atl_plan *plan = atl_program_plan(program);
    atl_block *blocks = calloc((size_t)plan->value_count, sizeof *blocks);
    for (int64_t s = 0; s < plan->step_count; s++) {
        for (int i = 0; i < plan->steps[s].reads; i++)
            use_block(blocks, plan, atl_step_reads(&plan->steps[s])[i], s);
        for (int i = 0; i < plan->steps[s].writes; i++)
            use_block(blocks, plan, plan->steps[s].write[i], s);
    }
    int64_t least = atl_largest_live_set(blocks, plan->value_count);
    cr_assert_leq((double)plan->arena_bytes, 1.1 * (double)least, "%s: %.2f MB for a live set of %.2f MB", name,
                  (double)plan->arena_bytes / 1e6, (double)least / 1e6);
    free(blocks);
    atl_program_free(program);
    atl_graph_free(g);
}

static void check_model(const atl_model *model, int64_t batch, int training)
{
    atl_graph *g = atl_graph_new();
    atl_model_args args = {.training = training};
    args.image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(batch, model->height, model->width, 3));
    for (int i = 0; model->layers && model->layers[i]; i++) /* dense layers of VGG16 need not be large here */
        args.widths[i] = strncmp(model->layers[i], "fc", 2) == 0 ? 16 : 0;
    atl_node *logits = model->build(&args), *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(batch));
    atl_node *loss = atl_mean(atl_sparse_softmax_cross_entropy(logits, labels));
    atl_node *wanted = training ? atl_minimize(loss, atl_momentum()) : atl_gradient(loss, args.image);
    assert_hardly_larger_than_what_lives(g, wanted, ATL_NAME("%s, batch %d", model->name, (int)batch));
}

Test(arena, networks_need_hardly_more_than_what_lives_at_once)
{
    int count;
    const atl_model *const *models = atl_models(&count);
    for (int i = 0; i < count; i++)
        for (int training = 0; training < 2; training++)
            for (int64_t batch = 1; batch <= 8; batch += 7)
                check_model(models[i], batch, training);
}
