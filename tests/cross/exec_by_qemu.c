/* Linked to the programs that qemu runs in user mode (tests/cross/aarch64.sh): the programs that they start are for
 * the same processor, so qemu has to run them, too.  Criterion starts its own executable once for each test, and the
 * tests of tools start `atled`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_ARGUMENTS = 1000 };

/* Whether it is an ELF file for this processor (e_machine, byte 18). */
static int is_foreign(const char *path)
{
    unsigned char head[20] = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, head, sizeof head);
    if (file >= 0)
        close(file);
    return size == (ssize_t)sizeof head && memcmp(head, "\177ELF", 4) == 0 && head[18] == 183;
}

/* "qemu-aarch64 -L SYSROOT PATH ARGUMENT..." in `by_qemu`; 0 where there are too many arguments. */
static int by_qemu_of(const char *path, char *const argv[], char *by_qemu[MOST_ARGUMENTS + 6])
{
    static char resolved[4096];
    int count = 0, given = 0;
    ssize_t length = strcmp(path, "/proc/self/exe") ? -1 : readlink(path, resolved, sizeof resolved - 1);
    if (length > 0)
        resolved[length] = 0;
    by_qemu[count++] = (char *)QEMU;
    by_qemu[count++] = (char *)"-L";
    by_qemu[count++] = (char *)SYSROOT;
    by_qemu[count++] = (char *)"-0"; /* the program's argv[0] */
    by_qemu[count++] = argv[0] ? argv[0] : (char *)path;
    by_qemu[count++] = length > 0 ? resolved : (char *)path;
    for (given = 1; argv[0] && argv[given] && given < MOST_ARGUMENTS - 6; given++)
        by_qemu[count++] = argv[given];
    by_qemu[count] = NULL;
    return given < MOST_ARGUMENTS - 6;
}

int execve(const char *path, char *const argv[], char *const env[])
{
    int (*real)(const char *, char *const[], char *const[]) =
        (int (*)(const char *, char *const[], char *const[]))dlsym(RTLD_NEXT, "execve");
    char *by_qemu[MOST_ARGUMENTS + 6];
    if (!is_foreign(path))
        return real(path, argv, env);
    if (!by_qemu_of(path, argv, by_qemu)) {
        errno = E2BIG;
        return -1;
    }
    return real(QEMU, by_qemu, env);
}

int posix_spawn(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *how,
                char *const argv[], char *const env[])
{
    typedef int spawn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                      char *const[], char *const[]);
    spawn *real = (spawn *)dlsym(RTLD_NEXT, "posix_spawn");
    char *by_qemu[MOST_ARGUMENTS + 6];
    if (!is_foreign(path))
        return real(child, path, actions, how, argv, env);
    return by_qemu_of(path, argv, by_qemu) ? real(child, QEMU, actions, how, by_qemu, env) : E2BIG;
}
