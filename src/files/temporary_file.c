/* Temporary files for atomic_file.c.  A writer holds a lock (flock) on its file for as long as it may still be renamed;
 * whoever can take the lock may remove the file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_CLOEXEC, O_NOFOLLOW, flock whatever -std= says */
#endif
#include "files/temporary_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/memory.h"

/* A file name has at most 255 bytes: of a long one the temporary file's name takes the first 160. */
enum { LONGEST_BASE = 160 };

static size_t length_of_directory(const char *target)
{
    const char *slash = strrchr(target, '/');
    return slash ? (size_t)(slash - target) + 1 : 0;
}

/* "DIRECTORY/.picture.png.1234-5", of this process and call alone.  Null if out of memory. */
static char *temporary_name(const char *target)
{
    static atomic_uint calls;
    size_t directory = length_of_directory(target), room = strlen(target) + 64;
    char *name = atl_allocate(room, 1);
    if (name)
        snprintf(name, room, "%.*s.%.*s.%ld-%u", (int)directory, target, LONGEST_BASE, target + directory,
                 (long)getpid(), atomic_fetch_add(&calls, 1u));
    return name;
}

/* 1 if the file is locked by this descriptor and still has its name: another process may have taken the unlocked file
 * for a dead one in the moment since it was made.  File systems without locks have no such others. */
static int lock(int descriptor)
{
    struct stat about;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0)
        return errno != EWOULDBLOCK;
    return fstat(descriptor, &about) != 0 || about.st_nlink > 0;
}

int atl_create_temporary(const char *target, char **path_out)
{
    enum { TRIES = 1000 }; /* names left behind by processes that had the same number */
    *path_out = NULL;
    for (int i = 0; i < TRIES; i++) {
        atl_release(*path_out);
        *path_out = temporary_name(target);
        if (!*path_out) {
            errno = ENOMEM;
            return -1;
        }
        int descriptor = open(*path_out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST)
            return -1;
        if (descriptor >= 0 && lock(descriptor))
            return descriptor;
        if (descriptor >= 0)
            close(descriptor);
    }
    errno = EEXIST;
    return -1;
}

/* Whether `name` is ".BASE.DIGITS-DIGITS". */
static int is_temporary_of(const char *name, const char *base, size_t base_length)
{
    const char *digits = "0123456789";
    if (name[0] != '.' || strncmp(name + 1, base, base_length) != 0 || name[1 + base_length] != '.')
        return 0;
    const char *process = name + base_length + 2;
    size_t first = strspn(process, digits);
    if (!first || process[first] != '-')
        return 0;
    size_t second = strspn(process + first + 1, digits);
    return second && process[first + 1 + second] == '\0';
}

/* Unlinks the file while its lock is held, so that no writer can take the name up meanwhile. */
static void remove_if_dead(int directory, const char *name)
{
    struct stat about;
    int descriptor = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return;
    if (fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == geteuid() &&
        flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        unlinkat(directory, name, 0);
    close(descriptor);
}

void atl_remove_dead_temporaries(const char *target)
{
    size_t length = length_of_directory(target);
    const char *base = target + length;
    size_t base_length = strnlen(base, LONGEST_BASE);
    char *folder = atl_allocate(length + 2, 1);
    if (!folder) /* another run will remove them */
        return;
    memcpy(folder, length ? target : ".", length ? length : 1);
    DIR *directory = opendir(folder);
    atl_release(folder);
    if (!directory)
        return;
    for (struct dirent *found; (found = readdir(directory));)
        if (is_temporary_of(found->d_name, base, base_length))
            remove_if_dead(dirfd(directory), found->d_name);
    closedir(directory);
}
