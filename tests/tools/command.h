/* Running the `atled` command from a test: RUN("fool", "--help") gives its exit code and what it wrote. */
#ifndef ATLED_TESTS_TOOLS_COMMAND_H
#define ATLED_TESTS_TOOLS_COMMAND_H

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "support.h"
#include "roots.h"

extern char **environ;

typedef struct command_run {
    int code; /* exit code; minus the signal's number if one ended it */
    char *out, *err;
} command_run;

/* Starts it with stdout and stderr going to these descriptors or files; out null: stdout is closed. */
static inline pid_t start_command(const char *const *words, const char *out, const char *err, int err_descriptor)
{
    static const char path[] = ATLED_BUILD_ROOT "/tools/atled";
    const char *argv[64] = {path};
    posix_spawn_file_actions_t actions;
    pid_t child;
    for (int i = 0; words[i] && i < 62; i++)
        argv[i + 1] = words[i];
    posix_spawn_file_actions_init(&actions);
    if (out)
        posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    else
        posix_spawn_file_actions_addclose(&actions, 1);
    if (err_descriptor >= 0)
        posix_spawn_file_actions_adddup2(&actions, err_descriptor, 2);
    else
        posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int failed = posix_spawn(&child, path, &actions, NULL, (char *const *)(void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    cr_assert(!failed, "%s cannot be started", path);
    return child;
}

static inline int code_of(pid_t child)
{
    int status = 0;
    cr_assert(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline command_run run_command(const char *const *words)
{
    const char *out = scratch_file("stdout"), *err = scratch_file("stderr");
    command_run run = {.code = code_of(start_command(words, out, err, -1))};
    run.out = whole_file(out);
    run.err = whole_file(err);
    return run;
}
#define RUN(...) run_command((const char *const[]){__VA_ARGS__, NULL})

#define cr_assert_code(run, wanted)                                                                                    \
    cr_assert_eq((run).code, (wanted), "exit code %d, not %d\nstdout: %s\nstderr: %s", (run).code, (wanted),           \
                 (run).out, (run).err)

/* Skips the test where atled cannot draw. */
#ifdef ATLED_HAVE_CAIRO
#define NEEDS_CAIRO() (void)0
#else
#define NEEDS_CAIRO() cr_skip_test("atled was built without cairo")
#endif

/* The command fails with this exit code, and its message contains these words. */
#define cr_assert_refused(code, text, ...)                                                                             \
    do {                                                                                                               \
        command_run refused_ = RUN(__VA_ARGS__);                                                                       \
        cr_assert_code(refused_, code);                                                                                \
        cr_assert_mentions(refused_.err, text);                                                                        \
    } while (0)

#endif
