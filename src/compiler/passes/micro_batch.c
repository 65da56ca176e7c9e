/* Micro-batches: what works image by image (convolutions, pools, element-wise ops, their gradients by the image) runs
 * for some images of the batch at a time, in a loop over the batch.  What one op writes is then still in the caches
 * when the next one reads it, and the arena holds these values for some images only.
 *
 * Nodes within the loop have the shapes of a micro-batch.  micro_batch nodes bring values into the loop, whole_batch
 * nodes take them out.  No value leaves the loop and comes back: the nodes within are those that do not depend on a
 * node outside that depends on one within. */
#include "compiler/passes/micro_batch.h"

#include <omp.h>

#include "atled/program.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"
#include "cost/cost.h"
#include "graph/memory.h"

/* ---- the nodes at the border ------------------------------------------------------------------------------------- */

static bool infer_images(atl_node *y)
{
    atl_shape shape = *y->inputs[0]->shape;
    shape.size[0] = *(const int64_t *)y->attributes;
    return atl_set_type(y, y->inputs[0]->dtype, shape);
}

/* ATL_OP_RANDOM: the value differs in each turn, whatever it depends on. */
const atl_op atl_micro_batch_op = {.name = "micro_batch",
                                   .arity = 1,
                                   .attributes = sizeof(int64_t),
                                   .flags = ATL_OP_RANDOM,
                                   .infer = infer_images,
                                   .hooks = &(const atl_op_hooks){.lower = atl_lower_micro_batch}};
const atl_op atl_whole_batch_op = {.name = "whole_batch",
                                   .arity = 1,
                                   .attributes = sizeof(int64_t),
                                   .flags = ATL_OP_RANDOM,
                                   .infer = infer_images,
                                   .hooks = &(const atl_op_hooks){.lower = atl_lower_whole_batch}};

/* ---- what is within the loop ------------------------------------------------------------------------------------- */

typedef struct split {
    int64_t batch, images;
    char *is_within;      /* of each old node */
    char *depends;        /* on a node within */
    int32_t *readers;     /* within, of each old node */
    int32_t *last_reader; /* within, of each node within; 0: none */
    int32_t *last_bits;   /* and of its bits */
    double *written;      /* bytes of an image that nodes within write up to each one */
    double most_live;     /* bytes of an image that are needed at once */
    double leaving;       /* and of what is read outside, too */
    atl_node **new_of;    /* of each old node: the node of some images that stands for it within; null: none yet */
    atl_node **inputs;    /* of the node that is being built */
} split;

/* The number of images: that of the largest input; 0: there is no batch, or something for which no loop is made. */
static int64_t batch_of(const atl_rewrite *r)
{
    int64_t largest = 0, batch = 0;
    for (int64_t n = 0; n < r->from->count; n++) {
        const atl_node *node = r->from->nodes[n];
        if (!r->needed[n])
            continue;
        if (node->op->flags & ATL_OP_ASSIGN || atl_hooks_of(node)->is_early)
            return 0;
        int64_t count = atl_shape_count(*node->shape);
        if (node->op->flags & ATL_OP_INPUT && node->shape->rank > 0 && count > largest) {
            largest = count;
            batch = node->shape->size[0];
        }
    }
    return batch > 1 ? batch : 0;
}

/* The forward node whose workspace the node uses as input i is on the same side of the border. */
static int uses_workspace(const atl_node *node, int i)
{
    return i < 32 && (atl_hooks_of(node)->workspace_inputs >> i) & 1;
}

static int may_be_within(const split *s, const atl_node *node)
{
    if (!atl_works_by_image(node, s->batch) || atl_shape_count(*node->shape) == 0)
        return 0;
    for (int i = 0; i < node->input_count; i++) {
        int32_t input = node->inputs[i]->index;
        if (uses_workspace(node, i) && !s->is_within[input])
            return 0;
        if (!atl_reads_input(node, i))
            continue;
        if (s->depends[input] && !(s->is_within[input] && atl_reads_by_image(node, i, s->batch)))
            return 0;
    }
    return 1;
}

/* Returns 0 if a node outside uses the workspace of one within. */
static int find_within(const atl_rewrite *r, split *s)
{
    for (int64_t n = 0; n < r->from->count; n++) {
        const atl_node *node = r->from->nodes[n];
        s->is_within[n] = r->needed[n] && !r->prepack[n] && may_be_within(s, node);
        s->depends[n] = s->is_within[n];
        for (int i = 0; r->needed[n] && i < node->input_count; i++) {
            int32_t input = node->inputs[i]->index;
            if (!s->is_within[n] && s->is_within[input] && uses_workspace(node, i))
                return 0;
            if (atl_reads_input(node, i)) {
                s->depends[n] |= s->depends[input];
                s->readers[input] += s->is_within[n];
            }
        }
    }
    return 1;
}

/* ---- how many images --------------------------------------------------------------------------------------------- */

static int is_elementwise_within(const split *s, const atl_node *node)
{
    return s->is_within[node->index] && atl_is_elementwise(node->op);
}

static double bytes_of_image(const split *s, const atl_node *node)
{
    return 4.0 * (double)(atl_shape_count(*node->shape) / s->batch);
}

/* True if the node needs a bit of each element of its input i only, as a relu's gradient does. */
static int reads_bits(const atl_node *node, int i)
{
    return atl_hooks_of(node)->compress && i == node->input_count - 1;
}

/* Bytes of an image of input i of a node within; 0 if it is not read image by image from a value within.  Chains of
 * element-wise ops will be one step. */
static double bytes_read(const split *s, const atl_node *node, int i)
{
    const atl_node *input = node->inputs[i];
    if (!s->is_within[input->index] || !atl_reads_input(node, i) || !atl_reads_by_image(node, i, s->batch) ||
        node->op->flags & ATL_OP_ALIAS || (is_elementwise_within(s, node) && is_elementwise_within(s, input)))
        return 0;
    return (reads_bits(node, i) ? 1.0 / 32 : 1.0) * bytes_of_image(s, input);
}

/* Bytes that each turn reads again: of a filter of several pixels, its transform for Winograd's method, of 36 numbers
 * for 9. */
static double bytes_again(const split *s, const atl_node *node, int i)
{
    const atl_shape *shape = node->inputs[i]->shape;
    if (!atl_reads_input(node, i) || atl_reads_by_image(node, i, s->batch))
        return 0;
    return 4.0 * (shape->rank == 4 && shape->size[0] * shape->size[1] > 1 ? 4 : 1) * (double)atl_shape_count(*shape);
}

/* What is computed within the loop and read outside.  A view of an array is no array. */
static int leaves(const atl_rewrite *r, const split *s, const atl_node *node)
{
    return s->is_within[node->index] && !(node->op->flags & ATL_OP_ALIAS) &&
           r->uses[node->index] > s->readers[node->index];
}

/* Bytes of an image of a node's value that stay when nothing reads it but as bits. */
static double bytes_of_bits(const split *s, const atl_node *node)
{
    return s->last_bits[node->index] > s->last_reader[node->index] ? bytes_of_image(s, node) / 32 : 0;
}

/* Bytes of an image that the node writes for others. */
static double bytes_written(const split *s, const atl_node *node)
{
    return s->last_reader[node->index] ? bytes_of_image(s, node) : bytes_of_bits(s, node);
}

/* Finds the last reader of each node's value, and of its bits. */
static void find_readers(const atl_rewrite *r, split *s)
{
    for (int64_t n = r->from->count - 1; n >= 0; n--) {
        const atl_node *node = r->from->nodes[n];
        for (int i = 0; s->is_within[n] && i < node->input_count; i++) {
            int32_t *last = reads_bits(node, i) ? s->last_bits : s->last_reader;
            if (bytes_read(s, node, i) > 0 && !last[node->inputs[i]->index])
                last[node->inputs[i]->index] = (int32_t)n;
        }
    }
}

/* Finds the bytes that each node writes, and the most that live at once: values whose last reader has run make room. */
static void find_bytes(const atl_rewrite *r, split *s)
{
    double written = 0, live = 0;
    for (int64_t n = 0; n < r->from->count; n++) {
        const atl_node *node = r->from->nodes[n];
        written += bytes_written(s, node);
        live += bytes_written(s, node);
        s->leaving += leaves(r, s, node) ? bytes_of_image(s, node) : 0;
        s->written[n] = written;
        s->most_live = live > s->most_live ? live : s->most_live;
        for (int i = 0; s->is_within[n] && i < node->input_count; i++) {
            const atl_node *input = node->inputs[i];
            int is_again = 0; /* an input may be another one, too */
            for (int j = 0; j < i; j++)
                is_again |= node->inputs[j] == input;
            if (!is_again && s->last_reader[input->index] == n)
                live -= bytes_of_image(s, input) - bytes_of_bits(s, input);
            if (!is_again && s->last_bits[input->index] == n)
                live -= bytes_of_bits(s, input);
        }
    }
}

/* The share of reads or writes that miss the caches if so many bytes have been read or written since the last time.  It
 * rises slowly: caches do not replace in order, and processors fetch ahead. */
static double misses(double since)
{
    const double cache = atl_costs_in_use()->last_cache;
    return since > cache ? 1 - cache / since : 0;
}

/* Bytes of an image that a node outside reads from memory.  It runs after all turns, which write everything that leaves
 * the loop; without a loop, it may run soon after what it reads. */
static double bytes_far_outside(const atl_rewrite *r, const split *s, const atl_node *node, int64_t images)
{
    double bytes = 0;
    for (int i = 0; r->needed[node->index] && i < node->input_count; i++) {
        const atl_node *input = node->inputs[i];
        if (!s->is_within[input->index] || !atl_reads_input(node, i))
            continue;
        double since =
            images < s->batch
                ? (double)s->batch * s->leaving + (double)images * s->most_live
                : (double)s->batch * (s->written[node->index] - s->written[input->index] + bytes_of_image(s, input));
        bytes += misses(since) * bytes_of_image(s, input);
    }
    return bytes;
}

/* Bytes of an image that a node within reads from memory, and writes to it.  An array is written from its first number
 * to its last one before its reader begins. */
static double bytes_far_within(const atl_rewrite *r, const split *s, const atl_node *node, int64_t images)
{
    double again_after = (double)images * s->most_live; /* bytes until the same memory is written once more */
    again_after += leaves(r, s, node) && images < s->batch ? (double)s->batch * s->leaving : 0;
    double bytes = misses(again_after) * bytes_written(s, node);
    for (int i = 0; i < node->input_count; i++) {
        const atl_node *input = node->inputs[i];
        double since = s->written[node->index] - bytes_written(s, node) - s->written[input->index];
        since += bytes_written(s, input);
        since = since < s->most_live ? since : s->most_live; /* more is written over the same memory */
        bytes += misses((double)images * since) * bytes_read(s, node, i);
    }
    return bytes;
}

/* Seconds that the batch takes longer than with everything in the caches: in turns of so many images, arrays that have
 * left the caches are read from memory, and each turn reads the filters again, and starts its steps. */
static double seconds_with(const atl_rewrite *r, const split *s, int64_t images)
{
    const atl_costs *cost = atl_costs_in_use();
    double again = 0, far = 0, steps = 0, turns = (double)(s->batch / images);
    for (int64_t n = 0; n < r->from->count; n++) {
        const atl_node *node = r->from->nodes[n];
        steps += s->is_within[n] && !(node->op->flags & ATL_OP_ALIAS) && !atl_is_elementwise(node->op);
        for (int i = 0; s->is_within[n] && i < node->input_count; i++)
            again += bytes_again(s, node, i);
        far += s->is_within[n] ? bytes_far_within(r, s, node, images) : bytes_far_outside(r, s, node, images);
    }
    double filters =
        again * (1 / cost->cached_bytes + misses(again + (double)images * s->most_live) / cost->memory_bytes);
    return turns * (filters + steps * cost->step_start) +
           (double)s->batch * far * (1 / cost->memory_bytes - 1 / cost->cached_bytes);
}

/* True if a loop takes at most three quarters of the memory: what leaves it is kept whole. */
static int saves_memory(const split *s, int64_t images)
{
    double whole = (double)s->batch * s->most_live;
    return (double)s->batch * s->leaving + (double)images * s->most_live <= 0.75 * whole;
}

/* The number of images with the least cost, a divisor of the batch; 0: all at once, also if that costs up to a
 * ninth more.  Each thread has at least one. */
static int64_t best_images(const atl_rewrite *r, split *s)
{
    find_readers(r, s);
    find_bytes(r, s);
    if ((double)s->batch * s->most_live <= atl_costs_in_use()->last_cache)
        return 0;
    int64_t best = 0;
    double least = 0.9 * seconds_with(r, s, s->batch);
    for (int64_t images = s->batch - 1; images >= omp_get_max_threads(); images--) {
        double seconds = s->batch % images || !saves_memory(s, images) ? least : seconds_with(r, s, images);
        if (seconds < least) {
            least = seconds;
            best = images;
        }
    }
    return best;
}

/* The largest divisor of the batch that is no larger; 0: all at once. */
static int64_t asked_images(const split *s, int64_t most)
{
    int64_t images = most < s->batch ? most : s->batch;
    while (s->batch % images)
        images--;
    return images < s->batch ? images : 0;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

static int begin(atl_rewrite *r)
{
    size_t count = (size_t)r->from->count, widest = 1;
    split *s = r->context = atl_allocate(1, sizeof *s);
    if (!s)
        return 0;
    s->batch = batch_of(r);
    r->is_unchanged = !s->batch;
    if (!s->batch)
        return 1;
    for (size_t n = 0; n < count; n++)
        widest = (size_t)r->from->nodes[n]->input_count > widest ? (size_t)r->from->nodes[n]->input_count : widest;
    s->is_within = atl_allocate(count, 1);
    s->depends = atl_allocate(count, 1);
    s->readers = atl_allocate(count, sizeof *s->readers);
    s->last_reader = atl_allocate(count, sizeof *s->last_reader);
    s->last_bits = atl_allocate(count, sizeof *s->last_bits);
    s->written = atl_allocate(count, sizeof *s->written);
    s->new_of = atl_allocate(count, sizeof *s->new_of);
    s->inputs = atl_allocate(widest, sizeof *s->inputs);
    if (!s->is_within || !s->depends || !s->readers || !s->last_reader || !s->last_bits || !s->written || !s->new_of ||
        !s->inputs)
        return 0;
    if (find_within(r, s))
        s->images = r->micro_batch ? asked_images(s, r->micro_batch) : best_images(r, s);
    r->is_unchanged = !s->images;
    return 1;
}

static void end(atl_rewrite *r)
{
    split *s = r->context;
    if (!s)
        return;
    atl_release(s->is_within);
    atl_release(s->depends);
    atl_release(s->readers);
    atl_release(s->last_reader);
    atl_release(s->last_bits);
    atl_release(s->written);
    atl_release(s->new_of);
    atl_release(s->inputs);
    atl_release(s);
}

/* Some images of the new node of an old one. */
static atl_node *images_of(split *s, const atl_node *old, atl_node *all)
{
    atl_node **made = &s->new_of[old->index];
    if (!*made)
        *made = atl_apply_with(&atl_micro_batch_op, &s->images, ATL_NODES(all));
    return *made;
}

static atl_node *within(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    split *s = r->context;
    if (!s->is_within[old->index])
        return NULL;
    for (int i = 0; i < old->input_count; i++)
        s->inputs[i] = atl_reads_by_image(old, i, s->batch) ? images_of(s, old->inputs[i], inputs[i]) : inputs[i];
    atl_node *made = atl_hooks_of(old)->for_images
                         ? atl_hooks_of(old)->for_images(old, s->inputs, s->images)
                         : atl_apply_in(r->to, old->op, old->attributes, old->input_count, s->inputs);
    s->new_of[old->index] = made;
    return made ? atl_apply_with(&atl_whole_batch_op, &s->batch, ATL_NODES(made)) : NULL;
}

static int is_candidate(const atl_node *node)
{
    return node->op->flags & ATL_OP_INPUT && node->shape->rank > 0 && node->shape->size[0] > 1;
}

const atl_pass atl_micro_batch_pass = {
    .is_candidate = is_candidate, .rule = within, .begin = begin, .end = end, .needs_use_counts = 1};
