/* Minutes: 5 */
/* Attacks on several pictures: what a result promises, and that it depends on nothing but its picture. */
#include "small_network.h"

#include "graph/memory.h"

enum { COUNT = 21 };

/* Fewer for those that ask the network thousands of times. */
static int steps_of(const atl_attack_method *method)
{
    return strcmp(method->name, "onepixel") == 0 ? 4 : strcmp(method->name, "square") == 0 ? 300 : 0;
}

/* Every method and norm: the result is on the levels, within eps, and the network, compiled apart, says what the result
 * says that it does. */
Test(attack, results_are_what_they_say, .timeout = 300)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    static const atl_fraction eps[] = {{6, 255}, {3, 10}, {3, 1}, {40, 1}};
    int met = 0;
    for (int m = 0; m < atl_attack_method_count(); m++)
        for (int norm = ATL_NORM_LINF; norm <= ATL_NORM_L0; norm++) {
            const atl_attack_method *method = atl_attack_method_at(m);
            if (!(method->norms >> norm & 1))
                continue;
            atl_attack_args args = {.method = method->name,
                                    .pictures = pictures,
                                    .norm = (atl_norm)norm,
                                    .eps = eps[norm],
                                    .steps = steps_of(method),
                                    .seed = test_seed()};
            results r = attack_pictures(&net, args, 2, 8);
            double limit = (double)eps[norm].over / (double)eps[norm].under;
            for (int i = 0; i < COUNT; i++) {
                const atl_attack_result *one = &r.result[i];
                const float *original = atl_floats(pictures) + i * ELEMENTS;
                double linf = 0;
                for (int k = 0; k < ELEMENTS; k++) {
                    cr_assert(one->pixels[k] == floorf(one->pixels[k]) && one->pixels[k] >= 0 && one->pixels[k] <= 255);
                    linf = fmax(linf, fabs((double)one->pixels[k] - (double)original[k]) / 255);
                }
                cr_assert(fabs(linf - one->size[ATL_NORM_LINF]) < 1e-12);
                cr_assert_eq(one->label, class_of_picture(&net, original));
                cr_assert_eq(one->top, class_of_picture(&net, one->pixels), "%s %d", method->name, norm);
                cr_assert(!one->met || one->size[norm] <= limit + 1e-12, "%s: %g", method->name, one->size[norm]);
                cr_assert_eq(one->met, one->top != one->label && one->size[norm] <= limit + 1e-12);
                cr_assert_eq(one->margin_after > 0, one->top != one->label);
                cr_assert(one->margin_before < 0 && one->forwards + one->gradients > 0);
                met += one->met && !method->is_black_box;
            }
            free_results(&r);
        }
    cr_assert(met > COUNT, "%d", met);
    atl_tensor_free(pictures);
    free_network(&net);
}

Test(attack, result_depends_on_neither_neighbours_nor_threads_nor_batch, .timeout = 300)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    for (int m = 0; m < atl_attack_method_count(); m++) {
        const atl_attack_method *method = atl_attack_method_at(m);
        int norm = ATL_NORM_L2;
        if (method->is_shared)
            continue;
        for (int n = ATL_NORM_L0; !(method->norms >> norm & 1); n--)
            norm = n;
        atl_attack_args args = {.method = method->name,
                                .pictures = pictures,
                                .norm = (atl_norm)norm,
                                .seed = 5,
                                .steps = steps_of(method),
                                .eps = norm == ATL_NORM_L0 ? (atl_fraction){30, 1} : (atl_fraction){2, 10}};
        results one = attack_pictures(&net, args, 1, 8), two = attack_pictures(&net, args, 2, 8);
        cr_assert_arr_eq(one.pixels, two.pixels, COUNT * ELEMENTS * sizeof(float), "%s", method->name);
        int64_t index = 13;
        args.indices = &index;
        args.pictures = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 3), atl_floats(pictures) + 13 * ELEMENTS);
        results alone = attack_pictures(&net, args, 2, 8);
        cr_assert_arr_eq(alone.pixels, one.pixels + 13 * ELEMENTS, ELEMENTS * sizeof(float), "%s", method->name);
        cr_assert_eq(alone.result[0].picture, 13);
        atl_tensor_free((atl_tensor *)args.pictures);
        free_results(&one);
        free_results(&two);
        free_results(&alone);
    }
    atl_tensor_free(pictures);
    free_network(&net);
}

Test(attack, targets)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    int32_t targets[COUNT];
    for (int i = 0; i < COUNT; i++)
        targets[i] = i % CLASSES;
    int met = 0;
    for (int goal = ATL_GOAL_CLASS; goal <= ATL_GOAL_LEAST_LIKELY; goal++) {
        results r = attack_pictures(&net,
                                    (atl_attack_args){.pictures = pictures,
                                                      .goal = (atl_attack_goal)goal,
                                                      .targets = targets,
                                                      .eps = {60, 255}},
                                    1, 8);
        for (int i = 0; i < COUNT; i++) {
            const atl_attack_result *one = &r.result[i];
            cr_assert(one->target >= 0 && one->target < CLASSES);
            cr_assert(goal == ATL_GOAL_CLASS ? one->target == targets[i] : one->target != one->label);
            cr_assert(!one->met || class_of_picture(&net, one->pixels) == one->target);
            met += one->met && !one->clean_met;
        }
        free_results(&r);
    }
    cr_assert(met > COUNT, "%d", met);
    atl_tensor_free(pictures);
    free_network(&net);
}

Test(attack, eps_of_zero_gives_the_picture_back)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(3);
    results r = attack_pictures(&net, (atl_attack_args){.pictures = pictures, .eps = {0, 1}}, 1, 0);
    cr_assert_arr_eq(r.pixels, atl_floats(pictures), 3 * ELEMENTS * sizeof(float));
    for (int i = 0; i < 3; i++)
        cr_assert(!r.result[i].met && r.result[i].size[ATL_NORM_L2] == 0);
    free_results(&r);
    atl_tensor_free(pictures);
    free_network(&net);
}

Test(attack, watch_can_stop_it)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    atl_attacker *attacker = atl_attacker_new(net.image, net.scores, .threads = 1);
    results r = make_results(COUNT);
    cr_assert_eq(atl_attacker_classes(attacker), CLASSES);
    r.stop_after = 4;
    cr_assert_eq(atl_attack(attacker, .pictures = pictures, .eps = {1, 255}, .watch = keep_result, .context = &r),
                 ATL_STOPPED);
    cr_assert_eq(r.count, 4);
    cr_assert(atl_error()[0]);
    free_results(&r);
    atl_attacker_free(attacker);
    atl_tensor_free(pictures);
    free_network(&net);
}

static void only_first_row(void *context, const float *original, float *pixels, int64_t count)
{
    (void)context;
    for (int64_t i = SIDE * 3; i < count; i++)
        pixels[i] = original[i];
}

Test(attack, constraint_of_ones_own_holds)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    int64_t changed = 0;
    results r =
        attack_pictures(&net, (atl_attack_args){.pictures = pictures, .eps = {30, 255}, .project = only_first_row}, 1,
                        0);
    for (int i = 0; i < COUNT * ELEMENTS; i++) {
        changed += r.pixels[i] != atl_floats(pictures)[i];
        cr_assert(r.pixels[i] == atl_floats(pictures)[i] || i % ELEMENTS < SIDE * 3);
    }
    cr_assert(changed > 0);
    free_results(&r);
    atl_tensor_free(pictures);
    free_network(&net);
}

/* How many results of a call are of class 2. */
static int count_class_2(const small_network *net, atl_node *loss)
{
    atl_tensor *pictures = random_pictures(COUNT);
    atl_attacker *attacker = atl_attacker_new(net->image, net->scores, loss, .threads = 1);
    cr_assert(attacker, "%s", atl_error());
    results r = make_results(COUNT);
    cr_assert_eq(atl_attack(attacker, .pictures = pictures, .eps = {80, 255}, .watch = keep_result, .context = &r),
                 ATL_OK, "%s", atl_error());
    int count = 0;
    for (int i = 0; i < COUNT; i++)
        count += r.result[i].met && r.result[i].top == 2;
    free_results(&r);
    atl_attacker_free(attacker);
    atl_tensor_free(pictures);
    return count;
}

/* A loss of one's own that raises score 2 above the mean, whatever the label. */
Test(attack, loss_of_ones_own_is_followed)
{
    small_network net = make_network();
    atl_node *loss = atl_sub(atl_index_last(net.scores, 2), atl_reduce_mean(net.scores, .axis = {1}, .axes = 1));
    int own = count_class_2(&net, loss), usual = count_class_2(&net, NULL);
    cr_assert(own > usual, "%d, %d", own, usual);
    free_network(&net);
}

static int count_result(void *context, const atl_attack_result *result)
{
    (void)result;
    ++*(int *)context;
    return 0;
}

Test(attack, mistakes_are_named)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(2), *wrong = random_tensor(ATL_SHAPE(2, SIDE, SIDE, 1), 0, 255);
    atl_attacker *attacker = atl_attacker_new(net.image, net.scores, .threads = 1);
    int count = 0;
    const int32_t bad[2] = {0, CLASSES};
#define EXPECT(text, ...)                                                                                              \
    cr_assert_eq(atl_attack(attacker, .watch = count_result, .context = &count, __VA_ARGS__), ATL_INVALID);            \
    cr_assert(strstr(atl_error(), text), "%s", atl_error())
    EXPECT(".pictures", .eps = {1, 255});
    EXPECT("[2, 6, 6, 1]", .pictures = wrong, .eps = {1, 255});
    EXPECT("nothing-like-it", .pictures = pictures, .eps = {1, 255}, .method = "nothing-like-it");
    EXPECT("needs .eps", .pictures = pictures);
    EXPECT("negative", .pictures = pictures, .eps = {-1, 255});
    EXPECT("whole range", .pictures = pictures, .eps = {256, 255});
    EXPECT("l0", .pictures = pictures, .eps = {1, 255}, .norm = ATL_NORM_L0);
    EXPECT("[1] is 5", .pictures = pictures, .eps = {1, 255}, .labels = bad);
    EXPECT(".targets", .pictures = pictures, .eps = {1, 255}, .goal = ATL_GOAL_CLASS);
    cr_assert_eq(count, 0);
    cr_assert(!atl_attacker_new(net.scores, net.image));
    cr_assert(atl_error()[0]);
    atl_attacker_free(attacker);
    atl_tensor_free(pictures);
    atl_tensor_free(wrong);
    free_network(&net);
}

Test(attack, scores_that_are_no_numbers_are_told)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(2);
    atl_floats(pictures)[0] = NAN;
    atl_attacker *attacker = atl_attacker_new(net.image, net.scores, .threads = 1);
    int count = 0;
    cr_assert_eq(atl_attack(attacker, .pictures = pictures, .eps = {1, 255}, .unrounded = 1, .watch = count_result,
                            .context = &count),
                 ATL_NOT_FINITE);
    cr_assert(strstr(atl_error(), "picture 0"), "%s", atl_error());
    atl_attacker_free(attacker);
    atl_tensor_free(pictures);
    free_network(&net);
}
