/* The square attack: at which trials its squares shrink. */
#include "attack/square_published.h"
#include "small_network.h"

enum { COUNT = 6 };

/* The confidence is out of reach, so that every trial is made. */
static results attack_by_square(const small_network *net, const atl_tensor *pictures, int steps, bool is_published)
{
    const atl_attack_method published = {.name = "published",
                                         .norms = 1 << ATL_NORM_LINF,
                                         .is_black_box = true,
                                         .run = atl_square_as_published};
    results r = attack_pictures(net,
                                (atl_attack_args){.pictures = pictures,
                                                  .method = "square",
                                                  .eps = {3, 255},
                                                  .steps = steps,
                                                  .restarts = 1,
                                                  .own_method = is_published ? &published : NULL,
                                                  .confidence = 1e6,
                                                  .seed = test_seed()},
                                2, 8);
    for (int i = 0; i < COUNT; i++)
        cr_assert_geq(r.result[i].forwards, steps);
    return r;
}

static int count_equal(const results *a, const results *b)
{
    int equal = 0;
    for (int i = 0; i < COUNT; i++)
        equal += memcmp(a->result[i].pixels, b->result[i].pixels, ELEMENTS * sizeof(float)) == 0;
    return equal;
}

/* The published moments are those of 10,000 trials: AutoAttack keeps them, the method alone fits them to its trials. */
Test(square, the_published_moments_are_those_of_10000_trials, .timeout = 120)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    results all = attack_by_square(&net, pictures, 10000, false),
            all_published = attack_by_square(&net, pictures, 10000, true),
            few = attack_by_square(&net, pictures, 60, false),
            few_published = attack_by_square(&net, pictures, 60, true);
    cr_assert_eq(count_equal(&all, &all_published), COUNT);
    cr_assert_lt(count_equal(&few, &few_published), COUNT);
    free_results(&all);
    free_results(&all_published);
    free_results(&few);
    free_results(&few_published);
    atl_tensor_free(pictures);
    free_network(&net);
}
