/* An interrupted training saves its state, whichever signal interrupts it. */
#include "command.h"

#include <signal.h>
#include <time.h>

#include "few_pictures.h"

static pid_t start_endless_training(const char *data, const char *out, const char *err, const char *w)
{
    unlink(w);
    unlink(err);
    const char *const words[] = {"train",
                                 "-m",
                                 "mlp",
                                 "--widths",
                                 "8,3",
                                 "-d",
                                 data,
                                 "-e",
                                 "1000000",
                                 "-b",
                                 "4",
                                 "--plot",
                                 scratch_file("curves.png"),
                                 "-o",
                                 w,
                                 NULL};
    pid_t child = start_command(words, out, err, -1);
    for (int tries = 0; tries < 600 && access(w, F_OK) != 0; tries++) /* the first epoch is saved */
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    return child;
}

static void assert_saves(int number)
{
    NEEDS_CAIRO();
    const char *data = write_data(12), *w = scratch_file("w.npz"), *err = scratch_file("err");
    unlink(scratch_file("curves.png"));
    signal(number,
           SIG_DFL); /* the tests may run under nohup, or in the background, where a command inherits ignored signals */
    pid_t child = start_endless_training(data, scratch_file("out"), err, w);
    cr_assert(kill(child, number) == 0);
    int code = code_of(child);
    cr_assert_eq(code, 1, "exit code %d: %s", code, whole_file(err));
    cr_assert_mentions(whole_file(err), "stopped after");
    cr_assert_mentions(whole_file(err), "w.npz");
    cr_assert(access(scratch_file("curves.png"), F_OK) == 0, "the curves so far are drawn");
    cr_assert_code(RUN("eval", "-m", "mlp", "-d", data, "-w", w), 0);
}

Test(progress, an_interrupt_saves, .timeout = 120) { assert_saves(SIGINT); }
Test(progress, a_termination_signal_saves, .timeout = 120) { assert_saves(SIGTERM); }
Test(progress, the_end_of_the_terminal_saves, .timeout = 120) { assert_saves(SIGHUP); }

/* As nohup does it. */
Test(progress, an_ignored_signal_stays_ignored, .timeout = 120)
{
    const char *data = write_data(12), *w = scratch_file("w.npz"), *err = scratch_file("err");
    signal(SIGHUP, SIG_IGN);
    pid_t child = start_endless_training(data, scratch_file("out"), err, w);
    signal(SIGHUP, SIG_DFL);
    cr_assert(kill(child, SIGHUP) == 0);
    unlink(w);
    for (int tries = 0; tries < 600 && access(w, F_OK) != 0; tries++) /* it goes on, and saves again */
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    cr_assert_eq(access(w, F_OK), 0);
    cr_assert(kill(child, SIGTERM) == 0);
    cr_assert_eq(code_of(child), 1);
}
