/* A method of one's own: the library runs it for many pictures at once, each as if it were alone.
 *
 * This one changes a single element at a time, the one with the largest gradient, by as much as a pixel can change. */
#include <atled/atled.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PICTURES = 12, SIDE = 8, CLASSES = 4 };

/* Moves the element that raises the loss the most to its end of the range; each element once. */
static void move_one(const atl_attempt_task *task, const float *gradient, float *pixels)
{
    int64_t best = -1;
    float gain = 0;
    for (int64_t i = 0; i < task->count; i++) {
        float end = gradient[i] > 0 ? 255.0f : 0.0f;
        if (pixels[i] == task->original[i] && fabsf(gradient[i] * (end - pixels[i])) > gain) {
            best = i;
            gain = fabsf(gradient[i] * (end - pixels[i]));
        }
    }
    if (best >= 0)
        pixels[best] = gradient[best] > 0 ? 255 : 0;
}

static atl_status change_elements(atl_attempt *attempt)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *pixels = atl_attempt_room(attempt, 2), *gradient = pixels + task.count;
    if (!pixels)
        return ATL_OUT_OF_MEMORY;
    memcpy(pixels, task.original, (size_t)task.count * sizeof *pixels);
    for (int i = 0; i < task.steps && !atl_attempt_best(attempt, NULL); i++) {
        atl_status status = atl_attempt_gradient(attempt, pixels, ATL_ATTACK_MARGIN, NULL, gradient, NULL, NULL);
        if (status)
            return status;
        move_one(&task, gradient, pixels);
    }
    return atl_attempt_offer(attempt, pixels);
}

static int print_result(void *context, const atl_attack_result *result)
{
    printf("picture %2lld: class %d becomes %d with %g of %d elements changed\n", (long long)result->picture,
           result->label, result->top, result->size[ATL_NORM_L0], SIDE * SIDE * 3);
    *(int *)context += result->met;
    return 0;
}

int main(void)
{
    const atl_attack_method method = {.name = "elements",
                                      .about = "one element after the other",
                                      .norms = 1 << ATL_NORM_L0,
                                      .is_minimal = 1,
                                      .steps = 60,
                                      .restarts = 1,
                                      .run = change_elements};
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 3));
    atl_node *h = atl_dense_layer(atl_flatten(atl_scale(image, 1 / 255.0f)), "hidden", 24, .activation = atl_tanh);
    atl_node *scores = atl_dense_layer(h, "scores", CLASSES);
    atl_attacker *attacker = atl_attacker_new(image, scores);
    atl_tensor *pictures = atl_uniform_tensor(ATL_SHAPE(PICTURES, SIDE, SIDE, 3), 0, 255, 1);
    int met = 0;
    if (atl_attack(attacker, .own_method = &method, .pictures = pictures, .norm = ATL_NORM_L0, .watch = print_result,
                   .context = &met) != ATL_OK)
        fprintf(stderr, "%s\n", atl_error());
    printf("%d of %d changed their class\n", met, PICTURES);
    atl_tensor_free(pictures);
    atl_attacker_free(attacker);
    atl_graph_free(g);
    return met > 0 ? 0 : 1;
}
