/* One change for all pictures: it is the same on each, within eps, moves many, and does not depend on threads. */
#include "small_network.h"

enum { COUNT = 60 };

static results attack_by(const char *method, const small_network *net, const atl_tensor *pictures, atl_norm norm,
                         atl_fraction eps, int threads)
{
    return attack_pictures(
        net, (atl_attack_args){.method = method, .pictures = pictures, .norm = norm, .eps = eps, .seed = test_seed()},
        threads, 0);
}

Test(shared_change, is_the_same_on_every_picture_and_moves_many)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    static const atl_fraction eps[] = {{24, 255}, {6, 10}};
    for (int norm = ATL_NORM_LINF; norm <= ATL_NORM_L2; norm++) {
        results r = attack_by("universal", &net, pictures, (atl_norm)norm, eps[norm], 1);
        float lowest[ELEMENTS], highest[ELEMENTS]; /* of the change, where the range cuts nothing off */
        for (int k = 0; k < ELEMENTS; k++) {
            lowest[k] = 255;
            highest[k] = -255;
        }
        for (int i = 0; i < COUNT; i++)
            for (int k = 0; k < ELEMENTS; k++) {
                float after = r.result[i].pixels[k], d = after - atl_floats(pictures)[i * ELEMENTS + k];
                if (after == 0 || after == 255)
                    continue;
                lowest[k] = fminf(lowest[k], d);
                highest[k] = fmaxf(highest[k], d);
            }
        for (int k = 0; k < ELEMENTS; k++)
            cr_assert(highest[k] <= lowest[k] || highest[k] == -255, "%d: %g to %g", k, (double)lowest[k],
                      (double)highest[k]);
        for (int i = 0; i < COUNT; i++)
            cr_assert(r.result[i].size[norm] <= (double)eps[norm].over / (double)eps[norm].under + 1e-12);
        for (int i = 0; i < COUNT;
             i++) /* the search: a label, a gradient and a verdict for each of 10 passes at most */
            cr_assert(r.result[i].gradients == r.result[0].gradients && r.result[i].gradients >= 1 &&
                          r.result[i].gradients <= 10 && r.result[i].forwards > r.result[i].gradients,
                      "%lld, %lld", (long long)r.result[i].gradients, (long long)r.result[i].forwards);
        cr_assert(count_met(&r) > COUNT / 5, "%s: %d of %d", atl_norm_name((atl_norm)norm), count_met(&r), COUNT);
        free_results(&r);
    }
    atl_tensor_free(pictures);
    free_network(&net);
}

Test(shared_change, patch_covers_one_square)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    results r = attack_by("patch", &net, pictures, ATL_NORM_L0, (atl_fraction){4 * 4 * 3, 1}, 1);
    for (int i = 0; i < COUNT; i++) {
        int top = SIDE, bottom = -1, left = SIDE, right = -1;
        for (int k = 0; k < ELEMENTS; k++) {
            if (r.result[i].pixels[k] == atl_floats(pictures)[i * ELEMENTS + k])
                continue;
            int y = k / 3 / SIDE, x = k / 3 % SIDE;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
            left = x < left ? x : left;
            right = x > right ? x : right;
        }
        cr_assert(bottom - top < 4 && right - left < 4, "%d: %d to %d, %d to %d", i, top, bottom, left, right);
    }
    cr_assert(count_met(&r) > COUNT / 4, "%d", count_met(&r));
    free_results(&r);
    atl_tensor_free(pictures);
    free_network(&net);
}

Test(shared_change, does_not_depend_on_threads)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    results one = attack_by("universal", &net, pictures, ATL_NORM_LINF, (atl_fraction){8, 255}, 1);
    results two = attack_by("universal", &net, pictures, ATL_NORM_LINF, (atl_fraction){8, 255}, 2);
    cr_assert_arr_eq(one.pixels, two.pixels, COUNT * ELEMENTS * sizeof(float));
    free_results(&one);
    free_results(&two);
    atl_tensor_free(pictures);
    free_network(&net);
}

Test(shared_change, a_goal_that_differs_by_picture_is_refused)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(2);
    atl_attacker *attacker = atl_attacker_new(net.image, net.scores, .threads = 1);
    results r = make_results(2);
    cr_assert_eq(atl_attack(attacker, "universal", .pictures = pictures, .eps = {4, 255}, .goal = ATL_GOAL_RANDOM,
                            .watch = keep_result, .context = &r),
                 ATL_INVALID);
    cr_assert(strstr(atl_error(), "one change for all pictures"), "%s", atl_error());
    free_results(&r);
    atl_attacker_free(attacker);
    atl_tensor_free(pictures);
    free_network(&net);
}
