/* Whether a result will find its place. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools.h"

int check_writable(const char *command, const char *path)
{
    char folder[4096];
    struct stat about;
    const char *slash = strrchr(path, '/');
    int exists = stat(path, &about) == 0;
    if (exists && S_ISDIR(about.st_mode))
        return complain(command, EXIT_BAD_FILE, "%s cannot be written: it is a directory", path);
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    /* Devices are written to as they are, whatever folder they are in. */
    if (access(exists && !S_ISREG(about.st_mode) ? path : folder, W_OK))
        return complain(command, EXIT_BAD_FILE, "%s cannot be written: %s", path, strerror(errno));
    return 0;
}
