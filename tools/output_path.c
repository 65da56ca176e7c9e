/* Whether a result will find its place, and putting it there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "tools.h"

int check_output_path(const char *command, const char *path)
{
    char folder[4096];
    struct stat about;
    const char *slash = strrchr(path, '/');
    int exists = stat(path, &about) == 0;
    if (exists && S_ISDIR(about.st_mode))
        return report_error(command, EXIT_BAD_FILE, "%s cannot be written: it is a directory", path);
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    /* Devices are written to as they are, whatever folder they are in. */
    if (access(exists && !S_ISREG(about.st_mode) ? path : folder, W_OK))
        return report_error(command, EXIT_BAD_FILE, "%s cannot be written: %s", path,
                            errno == ENOENT ? "there is no such folder: make it first" : strerror(errno));
    return 0;
}

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
    char *target = realpath(path, NULL); /* where a link leads */
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

/* What a name says that a picture is: "jpg" of "out/x.jpg"; null if it says nothing that we know. */
static const char *format_of(const char *path)
{
    static const char *const formats[] = {"bmp", "gif", "jpeg", "jpg", "pdf", "png", "svg", "tif", "tiff", "webp"};
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    for (size_t i = 0; dot && i < sizeof formats / sizeof *formats; i++)
        if (strcasecmp(dot + 1, formats[i]) == 0)
            return formats[i];
    return NULL;
}

int check_picture(const char *command, const char *path, const char *endings)
{
    const char *format = format_of(path);
    if (format && !strstr(endings, format))
        return report_error(command, EXIT_USAGE, "%s: there is no way to write %s: give a name that ends in %s", path,
                            format, endings);
    return check_output_path(command, path);
}

int check_panel(const char *command, const char *path)
{
    int code = check_picture(command, path, PNG_ONLY);
#ifndef ATLED_HAVE_CAIRO
    if (!code)
        code = report_error(command, EXIT_BAD_FILE, "%s: this atled was built without cairo, which draws it", path);
#endif
    return code;
}
