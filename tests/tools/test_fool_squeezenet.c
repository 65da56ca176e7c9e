#include "command.h"

/* The README's commands and the results that it promises.  Minutes: 15. Plain only: test_fool.c runs the same code
 * under the sanitizers, on a small network. */

static const char *squeezenet_weights(void) { return data_file("squeezenet/squeezenet_v1_1.npz"); }

Test(fool_squeezenet, twenty_random_targets_from_noise, .timeout = 900)
{
    const char *out = scratch_file("noise.png");
    command_run run = RUN("fool", "--model", "squeezenet", "--weights", squeezenet_weights(), "--target", "random",
                          "--count", "20", "--seed", "1", "-o", out);
    fputs(run.out, stderr);
    cr_assert_code(run, 0);
    const char *summary = strstr(run.out, "20 of 20 fooled");
    cr_assert(summary, "%s", run.out);
    int fewest, most;
    double median;
    cr_assert_eq(sscanf(summary, "20 of 20 fooled, in %d to %d iterations, median %lf", &fewest, &most, &median), 3);
    cr_assert(most <= 500 && median <= 30, "%s", summary);
}

Test(fool_squeezenet, mean_squared_error_with_raw_steps_stalls_and_says_why, .timeout = 300)
{
    const char *out = scratch_file("stalled.png");
    command_run run = RUN("fool", "--model", "squeezenet", "--weights", squeezenet_weights(), "--target", "130",
                          "--loss", "mse", "--method", "raw", "-o", out);
    fputs(run.err, stderr);
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "stalled");
    cr_assert_mentions(run.err, "The softmax is saturated");
    cr_assert_mentions(run.err, "Take cross entropy");
}

/* "crane" is a bird and a machine: the user must say which. */
Test(fool_squeezenet, ambiguous_names_are_refused_with_both_indexes)
{
    const char *labels = data_file("labels/imagenet_classes.txt");
    cr_assert_refused(2, "134 'crane', 517 'crane'", "fool", "--model", "squeezenet", "--weights", squeezenet_weights(),
                      "--labels", labels, "--target", "crane", "-o", scratch_file("crane.png"));
}
