/* Minimal attacks: each reaches the goal for every picture, on whole levels, with less than a random change needs. */
#include "small_network.h"

enum { COUNT = 16 };

Test(minimal, every_method_reaches_the_goal_for_every_picture, .timeout = 300)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    atl_attacker *attacker = atl_attacker_new(net.image, net.scores, .threads = 1);
    double mean[4][32] = {{0}};
    for (int m = 0; m < atl_attack_method_count(); m++)
        for (int norm = ATL_NORM_LINF; norm <= ATL_NORM_L0; norm++) {
            const atl_attack_method *method = atl_attack_method_at(m);
            if (!method->is_minimal || !(method->norms >> norm & 1))
                continue;
            results r = make_results(COUNT);
            cr_assert_eq(atl_attack(attacker, method->name, .pictures = pictures, .norm = (atl_norm)norm,
                                    .watch = keep_result, .context = &r),
                         ATL_OK, "%s", atl_error());
            for (int i = 0; i < COUNT; i++) {
                cr_assert(r.result[i].met, "%s, %s: picture %d", method->name, atl_norm_name((atl_norm)norm), i);
                mean[norm][m] += r.result[i].size[norm] / COUNT;
            }
            free_results(&r);
        }
    /* None needs more than three times what the best one needs. */
    for (int norm = ATL_NORM_LINF; norm <= ATL_NORM_L0; norm++) {
        double least = INFINITY;
        for (int m = 0; m < atl_attack_method_count(); m++)
            least = mean[norm][m] > 0 ? fmin(least, mean[norm][m]) : least;
        for (int m = 0; m < atl_attack_method_count(); m++)
            cr_assert(mean[norm][m] <= 3 * least, "%s, %s: %g, the least is %g", atl_attack_method_at(m)->name,
                      atl_norm_name((atl_norm)norm), mean[norm][m], least);
    }
    atl_attacker_free(attacker);
    atl_tensor_free(pictures);
    free_network(&net);
}
