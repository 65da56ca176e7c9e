/* The course of an attack: the steps that are kept, and their probabilities. */
#include "small_network.h"

#include "attack/course.h"

/* Scores with which the probability of class 0 is 1 / (1 + e^x). */
static void set_scores(float *scores, int step)
{
    scores[0] = 0;
    scores[1] = (float)step / 100 - 3;
}

static double probability_at(int step) { return 1 / (1 + exp((double)((float)step / 100 - 3))); }

Test(course, keeps_every_so_manyth_step_and_the_result)
{
    for (int steps = 0; steps < 700; steps = steps < 70 ? steps + 1 : steps + 63) {
        atl_course c = {0};
        float scores[2];
        for (int i = 0; i < steps; i++) {
            set_scores(scores, i);
            atl_course_add(&c, 2, scores, 0);
        }
        set_scores(scores, 1000);
        atl_course_end(&c, 2, scores, 0);
        int every = steps ? (int)c.every : 1;
        cr_assert(c.count <= ATL_COURSE_MOST + 1 && c.count == (steps + every - 1) / every + 1, "%d: %d of every %d",
                  steps, c.count, every);
        cr_assert(every == 1 || c.count > ATL_COURSE_MOST / 2);
        for (int i = 0; i + 1 < c.count; i++)
            cr_assert_float_eq(c.probability[i], probability_at(i * every), 1e-6);
        cr_assert_float_eq(c.probability[c.count - 1], probability_at(1000), 1e-6);
    }
}

Test(course, large_scores_do_not_overflow)
{
    atl_course c = {0};
    atl_course_add(&c, 3, (const float[]){1e4f, -1e4f, 1e4f}, 2);
    atl_course_end(&c, 3, (const float[]){1e4f, -1e4f, 1e4f}, 1);
    cr_assert(c.probability[0] == 0.5f && c.probability[1] == 0);
}

static int keep_course(void *context, const atl_attack_result *r)
{
    int64_t steps = r->gradients ? r->gradients : r->forwards;
    cr_assert(r->course_count >= 2 && r->course_every >= 1);
    cr_assert(r->course_every > 1 || r->course_count <= steps + 1);
    cr_assert(!r->gradients || r->course_count == (steps + r->course_every - 1) / r->course_every + 1);
    for (int i = 0; i < r->course_count; i++)
        cr_assert(r->course[i] >= 0 && r->course[i] <= 1);
    cr_assert_lt(r->course[r->course_count - 1], r->course[0]);
    return keep_result(context, r);
}

/* A result has one point for each gradient, from the picture on, and ends with its own probability. */
Test(course, of_an_attack_falls_to_that_of_the_result)
{
    enum { COUNT = 10 };
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    results r = make_results(COUNT);
    atl_attacker *attacker = atl_attacker_new(net.image, net.scores, .threads = 1);
    for (int i = 0; i < 2; i++) {
        atl_tensor *one = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 3), atl_floats(pictures));
        cr_assert_eq(atl_attack(attacker, i ? "square" : "bim", .pictures = one, .eps = {30, 255}, .watch = keep_course,
                                .context = &r),
                     ATL_OK, "%s", atl_error());
        atl_tensor_free(one);
    }
    cr_assert_eq(r.count, 2);
    atl_attacker_free(attacker);
    free_results(&r);
    atl_tensor_free(pictures);
    free_network(&net);
}
