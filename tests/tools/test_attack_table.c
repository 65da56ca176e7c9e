/* The table and the warnings at the end of atled attack, and what it says of bad input. */
#include "attacked.h"

#include <math.h>
#include <sys/stat.h>

/* The same weights, each times the factor. */
static const char *scaled_weights(const char *path, const char *name, float factor)
{
    enum { MOST = 16 };
    const char *to = scratch_file(name);
    atl_npz_entry entries[MOST];
    atl_npz *npz = atl_npz_open(path);
    int64_t count = atl_npz_count(npz);
    cr_assert(npz && count <= MOST, "%s", atl_error());
    for (int64_t i = 0; i < count; i++) {
        atl_tensor *value = atl_npz_read(npz, atl_npz_name(npz, i));
        for (int64_t k = 0; k < atl_tensor_count(value); k++)
            atl_floats(value)[k] *= factor;
        entries[i] = (atl_npz_entry){atl_npz_name(npz, i), value};
    }
    cr_assert_eq(atl_write_npz(to, count, entries), ATL_OK, "%s", atl_error());
    for (int64_t i = 0; i < count; i++)
        atl_tensor_free((atl_tensor *)(uintptr_t)entries[i].value);
    atl_npz_close(npz);
    return to;
}

/* All weights are zero: no pixel moves a score, and no score is above another. */
Test(attack_table, a_gradient_that_is_zero_is_told, .timeout = 120)
{
    const char *data = write_data(15), *weights = scaled_weights(trained(data), "zero.npz", 0);
    command_run run = ATTACK(data, weights, "--eps", "8/255", "-q");
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "the gradient was zero in most runs for 15 of 15 pictures");
    run = ATTACK(data, trained(data), "--eps", "8/255", "-q");
    cr_assert(!strstr(run.err, "the gradient was zero"), "%s", run.err);
}

Test(attack_table, an_eps_below_one_level_is_told, .timeout = 120)
{
    const char *data = write_data(6), *weights = trained(data);
    command_run run = ATTACK(data, weights, "--eps", "0.5g", "-q");
    cr_assert_mentions(run.err, "eps is below one level");
    run = ATTACK(data, weights, "--eps", "1g", "-q");
    cr_assert(!strstr(run.err, "eps is below one level"), "%s", run.err);
}

/* The same network is fooled by all, one that takes everything for class 0 by those that show another class. */
Test(attack_table, a_second_network_is_asked, .timeout = 120)
{
    const char *data = write_data(15), *weights = trained(data), *zero = scaled_weights(weights, "zero.npz", 0);
    command_run run = ATTACK(data, weights, "--method", "best", "--norm", "l2", "-q", "--transfer", "mlp",
                             "--transfer-weights", weights);
    cr_assert_mentions(run.out, "success            100.00 % (15 of 15 attacked)");
    cr_assert_mentions(run.out, "transfer           100.00 % (15 of 15)");
    run = ATTACK(data, weights, "--method", "best", "--norm", "l2", "-q", "--transfer", "mlp", "--transfer-weights",
                 zero);
    cr_assert_mentions(run.out, "transfer           66.67 % (10 of 15)");
    const char *file = as_file(weights);
    run = ATTACK(data, weights, "--method", "best", "--norm", "l2", "-q", "--transfer", file);
    cr_assert_mentions(run.out, "transfer           100.00 % (15 of 15)");
    run = ATTACK(data, weights, "--method", "best", "--norm", "l2", "-q", "--transfer", file, "--scale", "0.0001");
    cr_assert_mentions(run.out, "transfer           66.67 % (10 of 15)");
    run = ATTACK(data, weights, "--method", "best", "--norm", "l2", "-q", "--scale", "0");
    cr_assert_code(run, 2);
}

/* Each row of what bad input gets: a message that names it, the exit code, and nothing written. */
Test(attack_table, bad_input_is_told_before_the_work, .timeout = 120)
{
    const char *data = write_data(6), *weights = trained(data), *out = scratch_file("none");
    static const struct {
        const char *option, *value, *says;
        int code;
    } rows[] = {{"--eps", "-1", "negative", 2},
                {"--eps", "2", "did you mean 2/255, or 2g", 2},
                {"--eps", "300g", "more than the 255 levels", 2},
                {"--eps", "many", "no size", 2},
                {"--norm", "l0", "the method pgd has linf, l2, l1 only", 2},
                {"--target", "99", "class 99 is out of range", 2},
                {"--method", "magic", "magic", 2},
                {"--weights", "/no/such.npz", "/no/such.npz", 3},
                {"--transfer", "lenet", "--transfer lenet takes pictures of 28 x 28 x 1", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *words[] = {"attack", "-m", "mlp", "-d", data,           "-w",          weights, "--eps",
                               "8/255",  "-o", out,   "-q", rows[i].option, rows[i].value, NULL};
        if (strcmp(rows[i].option, "--eps") == 0)
            words[7] = "--seed", words[8] = "1";
        command_run run = run_command(words);
        cr_assert_code(run, rows[i].code);
        cr_assert_mentions(run.err, rows[i].says);
        struct stat about;
        cr_assert(stat(in(out, "results.jsonl"), &about) != 0, "%s %s", rows[i].option, rows[i].value);
    }
}

Test(attack_table, scores_that_are_no_numbers_end_it, .timeout = 120)
{
    const char *data = write_data(6), *weights = scaled_weights(trained(data), "nan.npz", NAN);
    command_run run = ATTACK(data, weights, "--eps", "8/255", "-q");
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "NaN or infinite");
    run = ATTACK(data, weights, "--eps", "8/255", "-q", "--allow-non-finite");
    cr_assert_code(run, 1);
    cr_assert_mentions(run.err, "the score of class 0 is nan");
}

/* Each picture is of one class, so as many stay as they are as there are pictures, over all targets. */
Test(attack_table, pictures_of_the_target_are_told, .timeout = 240)
{
    enum { PICTURES = 12, CLASSES = 10 };
    const char *data = write_data(PICTURES), *weights = trained(data);
    int unchanged = 0;
    for (int class = 0; class < CLASSES; class ++) {
        char target[8];
        snprintf(target, sizeof target, "%d", class);
        command_run run = ATTACK(data, weights, "--eps", "1/255", "--method", "fgsm", "-t", target, "-q");
        const char *line = strstr(run.out, "unchanged  ");
        int pictures = 0, of = PICTURES;
        if (line)
            cr_assert_eq(sscanf(line, "unchanged %d of %d are of the class", &pictures, &of), 2, "%s", run.out);
        cr_assert(of == PICTURES && (!line || pictures > 0), "%s", run.out);
        unchanged += pictures;
    }
    cr_assert_eq(unchanged, PICTURES);
}
