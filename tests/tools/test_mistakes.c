/* Errors on the command line, by kind: each is reported before the work, with its cause and the remedy. */
#include "command.h"

#include "few_pictures.h"

typedef struct mistake {
    const char *words[14];
    const char *told;
} mistake;

static void assert_mistakes(const mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        command_run run = run_command(mistakes[i].words);
        cr_expect_eq(run.code, 2, "mistake %zu (%s): exit code %d: %s", i, mistakes[i].told, run.code, run.err);
        cr_expect(strstr(run.err, mistakes[i].told), "mistake %zu: \"%s\" is not in: %s", i, mistakes[i].told, run.err);
        cr_expect_str_eq(run.out, "");
    }
}
#define REFUSED_2(mistakes) assert_mistakes(mistakes, sizeof(mistakes) / sizeof *(mistakes))

#define FOOL "fool", "-q", "-t", "cat", "-o", "/dev/null"

Test(mistakes, numbers)
{
    static const mistake mistakes[] = {
        {{FOOL, "--seed", "99999999999999999999"}, "whole numbers of 64 bits, and 99999999999999999999 does not fit"},
        {{FOOL, "--seed", "-99999999999999999999"}, "does not fit"},
        {{FOOL, "--steps", " 3"}, "takes a whole number, not ' 3'"},
        {{FOOL, "--steps", "3 "}, "takes a whole number, not '3 '"},
        {{FOOL, "--steps", ""}, "takes a whole number, not ''"},
        {{FOOL, "--steps", "1e3"}, "takes a whole number"},
        {{FOOL, "--steps", "99999999999999999999"}, "between 1 and 100000000"},
        {{FOOL, "--steps", "0"}, "between 1 and 100000000"},
        {{FOOL, "-c", " 0.5"}, "takes a number, not ' 0.5'"},
        {{FOOL, "-c", "nan"}, "takes a number"},
        {{FOOL, "-c", "1e999"}, "takes a number"},
        {{FOOL, "-c", "1"}, "between 1e-06 and 0.9999999"},
    };
    REFUSED_2(mistakes);
    command_run run = RUN("dot", "-m", "lenet", "-d", "999999"); /* deeper than any scope: no boxes */
    cr_assert_code(run, 0);
    cr_assert_str_eq(run.out, RUN("dot", "-m", "lenet").out);
}

Test(mistakes, lists)
{
    static const mistake mistakes[] = {
        {{FOOL, "--without", ""}, "not ''"},
        {{FOOL, "--without", "fuse,"}, "not ''"},
        {{FOOL, "--without", ",fuse"}, "not ''"},
        {{FOOL, "--without", "fuse,,arena"}, "not ''"},
        {{FOOL, "--without", "fuze"}, "did you mean 'fuse'?"},
    };
    REFUSED_2(mistakes);
    static const char *const widths[] = {"",    "8,3,", ",8,3", "8,,3",       "8, 3",
                                         "8;3", "-8,3", "+8,3", "99999999,3", "8,x"};
    const char *data = write_data(12);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        cr_assert_refused(2, "whole numbers with commas between", "train", "-m", "mlp", "-d", data, "-o", "/dev/null",
                          "--widths", widths[i]);
    static const char *const drops[] = {"", "1,", ",1", "1,,2", " 1", "x", "0", "-1", "nan", "1,2,3,4,5,6,7,8,9"};
    for (size_t i = 0; i < sizeof drops / sizeof *drops; i++)
        cr_assert_refused(2, "epochs with commas between", "train", "-m", "mlp", "--widths", "8,3", "-d", data, "-o",
                          "/dev/null", "--schedule", "step", "--at", drops[i]);
}

#define TRAIN "train", "-m", "mlp", "-d", ".", "-o", "/dev/null"

Test(mistakes, options_without_effect)
{
    static const mistake mistakes[] = {
        {{TRAIN, "--schedule", "constant", "--factor", "0.1"}, "--factor has no effect with --schedule constant"},
        {{TRAIN, "--factor", "0.1"}, "with --schedule cosine, but with exponential or step"},
        {{TRAIN, "--every", "3"}, "exponential or step"},
        {{TRAIN, "--at", "3"}, "but with step"},
        {{TRAIN, "--staircase"}, "but with exponential"},
        {{TRAIN, "--schedule", "step", "--lowest", "0.1"}, "but with cosine"},
        {{TRAIN, "--rms-decay", "0.5"}, "with --optimizer momentum, but with rmsprop"},
        {{TRAIN, "--beta1", "0.5"}, "but with adam or adamw"},
        {{TRAIN, "--beta2", "0.5"}, "but with adam or adamw"},
        {{TRAIN, "--epsilon", "0.5"}, "but with rmsprop, adagrad, adam or adamw"},
        {{TRAIN, "--optimizer", "adam", "--momentum", "0.9"}, "adam has none"},
        {{TRAIN, "--bucket-mb", "1"}, "but with several ranks or --micro-batches"},
        {{"profile", "-m", "lenet", "--depth", "1"}, "give --dot FILE, too"},
        {{"fool", "-q", "-t", "cat", "--count", "3"}, "goes with --target random"},
    };
    REFUSED_2(mistakes);
}

Test(mistakes, options_that_exclude_each_other)
{
    static const mistake mistakes[] = {
        {{TRAIN, "--schedule", "step", "--at", "3", "--every", "2"}, "--at and --every exclude each other"},
        {{TRAIN, "--resume", "c.npz", "-w", "w.npz"}, "--resume and --weights exclude each other"},
        {{TRAIN, "--steps", "5", "-e", "2"}, "--steps and --epochs exclude each other"},
        {{"profile", "-m", "lenet", "-f", "-g"}, "exclude each other"},
    };
    REFUSED_2(mistakes);
}

/* Messages for users of the command contain nothing that only a programmer could use. */
Test(mistakes, messages_name_no_code)
{
    const char *data = write_data(12), *w = scratch_file("w.npz");
    cr_assert_code(RUN("train", "-q", "-m", "mlp", "--widths", "8,3", "-e", "1", "-d", data, "-o", w), 0);
    const char *const commands[][16] = {
        {"fool", "-t", "cat", "-w", w},
        {"eval", "-m", "lenet", "-d", data, "-w", w},
        {"train", "-q", "-m", "mlp", "--widths", "4,3", "-d", data, "-w", w, "-o", scratch_file("x.npz")},
        {"train", "-q", "-m", "mlp", "--widths", "8,3", "-d", data, "--rate", "1e30", "-o", scratch_file("x.npz")},
        {"dot", "-m", "lenet", "--from", "logits", "--to", "image"},
    };
    static const char *const code[] = {".partial", ".suffixes", "atl_", "ATL_", "(null)"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        command_run run = run_command(commands[i]);
        cr_expect(run.code >= 1 && run.code <= 3, "command %zu: exit code %d: %s", i, run.code, run.err);
        for (size_t k = 0; k < sizeof code / sizeof *code; k++)
            cr_expect(!strstr(run.err, code[k]), "command %zu: %s", i, run.err);
    }
}

/* The class is right, but the confidence is too low. */
Test(mistakes, not_sure_enough_is_no_other_class)
{
    command_run run =
        RUN("fool", "-q", "-t", "cat", "-s", "noise", "-c", "0.9999999", "--steps", "60", "-o", scratch_file("x.png"));
    cr_assert_code(run, 1);
    cr_assert_mentions(run.out, "not sure enough: 3 'cat' at 0.99");
    cr_assert_mentions(run.out, "instead of 0.9999999");
}
