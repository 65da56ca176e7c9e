/* Writes a result to its file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools.h"

static int write_bytes(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return 0;
    int ok = fwrite(text, 1, size, file) == size;
    return fclose(file) == 0 && ok;
}

int write_whole(const char *command, const char *path, const char *text, size_t size)
{
    char beside[4096 + 16];
    struct stat about;
    char *target = realpath(path, NULL); /* follows links */
    const char *end = target ? target : path;
    int is_file = stat(path, &about) != 0 || S_ISREG(about.st_mode), written;
    snprintf(beside, sizeof beside, "%s.partial", end);
    if (is_file) {
        written = write_bytes(beside, text, size) && rename(beside, end) == 0;
    } else { /* a device */
        written = write_bytes(end, text, size);
    }
    int code = written ? 0 : report_error(command, EXIT_BAD_FILE, "%s could not be written: %s", path, strerror(errno));
    if (!written && is_file)
        remove(beside);
    free(target);
    return code;
}
