/* A loss and a constraint of one's own: a small sticker on the picture, in greys only, so that the network takes it for
 * one given class.
 *
 * The loss is a node of the graph, one number for each picture, larger where the attack does better.  The constraint is
 * a function that moves pixels to the nearest allowed ones: here the left upper corner, where all channels are equal
 * and whole levels, so that a file can hold them. */
#include <atled/atled.h>
#include <math.h>
#include <stdio.h>

enum { PICTURES = 12, SIDE = 8, CHANNELS = 3, CLASSES = 4, STICKER = 4, GOAL = 2 };

static void keep_sticker(void *context, const float *original, float *pixels, int64_t count)
{
    (void)context;
    for (int64_t i = 0; i < count; i += CHANNELS) {
        int64_t pixel = i / CHANNELS, y = pixel / SIDE, x = pixel % SIDE;
        float grey = (pixels[i] + pixels[i + 1] + pixels[i + 2]) / CHANNELS;
        for (int64_t c = 0; c < CHANNELS; c++)
            pixels[i + c] = y < STICKER && x < STICKER ? fminf(fmaxf(roundf(grey), 0), 255) : original[i + c];
    }
}

/* What the callback counts. */
typedef struct tally {
    int done, met, outside; /* outside: elements that changed where they must not */
    const float *pictures;
} tally;

static int count_result(void *context, const atl_attack_result *result)
{
    tally *t = context;
    const float *original = t->pictures + result->position * SIDE * SIDE * CHANNELS;
    for (int i = 0; i < SIDE * SIDE * CHANNELS; i++)
        t->outside +=
            result->pixels[i] != original[i] && (i / CHANNELS / SIDE >= STICKER || i / CHANNELS % SIDE >= STICKER);
    t->done++;
    t->met += result->met;
    printf("picture %2lld: class %d becomes %d; %g elements changed, margin %.2f\n", (long long)result->picture,
           result->label, result->top, result->size[ATL_NORM_L0], result->margin_after);
    return 0;
}

int main(void)
{
    atl_graph *g = atl_graph_new();
    atl_set_seed(g, 3);
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, CHANNELS));
    atl_node *flat = atl_flatten(atl_scale(atl_add_scalar(image, -127.5f), 1 / 127.5f));
    atl_node *scores = atl_dense_layer(atl_dense_layer(flat, "hidden", 24, .activation = atl_tanh), "scores", CLASSES);
    /* The goal's score above the mean of all scores; the sum of the squares keeps it from growing for ever. */
    atl_node *mean = atl_reduce_mean(scores, .axis = {1}, .axes = 1);
    atl_node *squares = atl_reduce_sum(atl_square(scores), .axis = {1}, .axes = 1);
    atl_node *loss = atl_sub(atl_sub(atl_index_last(scores, GOAL), mean), atl_scale(squares, 0.01f));
    atl_attacker *attacker = atl_attacker_new(image, scores, .loss = loss);
    atl_tensor *pictures = atl_uniform_tensor(ATL_SHAPE(PICTURES, SIDE, SIDE, CHANNELS), 0, 255, 1);
    for (int64_t i = 0; i < atl_tensor_count(pictures); i++)
        atl_floats(pictures)[i] = floorf(atl_floats(pictures)[i]);
    int32_t targets[PICTURES];
    for (int i = 0; i < PICTURES; i++)
        targets[i] = GOAL;
    tally t = {.pictures = atl_floats(pictures)};
    if (atl_attack(attacker, .method = "pgd", .pictures = pictures, .goal = ATL_GOAL_CLASS, .targets = targets,
                   .norm = ATL_NORM_LINF, .eps = {1, 1}, .project = keep_sticker, .watch = count_result,
                   .context = &t) != ATL_OK)
        fprintf(stderr, "%s\n", atl_error());
    printf("%d of %d are taken for class %d; %d elements changed outside of the sticker\n", t.met, t.done, GOAL,
           t.outside);
    atl_tensor_free(pictures);
    atl_attacker_free(attacker);
    atl_graph_free(g);
    return t.done == PICTURES && t.met > PICTURES / 2 && t.outside == 0 ? 0 : 1;
}
