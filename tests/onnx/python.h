/* Python with onnxruntime, for tests that compare with it: $ATLED_PYTHON, or python3. */
#ifndef ATLED_TESTS_ONNX_PYTHON_H
#define ATLED_TESTS_ONNX_PYTHON_H

#include "support.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

static inline const char *python(void)
{
    const char *named = getenv("ATLED_PYTHON");
    return named && *named ? named : "python3";
}

/* Runs a Python program with two arguments; its exit code, or -1 if it cannot be started. */
static inline int run_python(const char *program, const char *a, const char *b, const char *said)
{
    const char *const argv[] = {python(), "-c", program, a, b, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, said, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int failed = posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)(void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void need_onnxruntime(void)
{
    if (run_python("import numpy, onnxruntime", "", "", scratch_file("python.txt")) != 0)
        cr_skip_test("%s has no onnxruntime: install it, or name a Python that has it in ATLED_PYTHON", python());
}

#endif
