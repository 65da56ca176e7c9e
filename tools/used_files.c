/* The files that a command reads and writes. */
#include "used_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "tools.h"

static int is_written(const used_file *file) { return file->role != FILE_READ && file->role != DATA_READ; }

static int refuse(const char *command, const used_file *file, int code, const char *why)
{
    return report_error(command, code, "--%s %s: %s", file->option, file->path, why);
}

/* ---- the name ---------------------------------------------------------------------------------------------------- */

static int ends_in(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcasecmp(path + length - tail, ending) == 0;
}

/* "jpg" of "out/x.jpg", if it is an image format that atled does not write; else null. */
static const char *foreign_format(const char *path)
{
    static const char *const formats[] = {".bmp", ".gif", ".jpeg", ".jpg", ".tif", ".tiff", ".webp"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (ends_in(path, formats[i]))
            return formats[i] + 1;
    return NULL;
}

static int check_format(const char *command, const used_file *file)
{
    static const char *const ending[] = {[NPZ_FORMAT] = ".npz",
                                         [WEIGHTS_FORMAT] = ".npz or .safetensors",
                                         [ONNX_FORMAT] = ".onnx",
                                         [PNG_FORMAT] = ".png",
                                         [PANEL_FORMAT] = ".png"},
                             *const content[] = {[NPZ_FORMAT] = "an .npz archive",
                                                 [WEIGHTS_FORMAT] = "a file of weights",
                                                 [ONNX_FORMAT] = "an ONNX model",
                                                 [PNG_FORMAT] = "a PNG picture",
                                                 [PANEL_FORMAT] = "a PNG picture"};
    struct stat about;
    if (stat(file->path, &about) == 0 && !S_ISREG(about.st_mode)) /* a device has any name */
        return 0;
    if (file->format == DRAWING_FORMAT && foreign_format(file->path))
        return report_error(command, EXIT_USAGE,
                            "--%s %s: there is no way to write %s: give a name that ends in .svg, .png, .pdf or .dot",
                            file->option, file->path, foreign_format(file->path));
    if (file->format == ANY_FORMAT || file->format == DRAWING_FORMAT || ends_in(file->path, ending[file->format]) ||
        (file->format == WEIGHTS_FORMAT && (ends_in(file->path, ".npz") || ends_in(file->path, ".safetensors"))))
        return 0;
    return report_error(command, EXIT_USAGE, "--%s %s: what is written is %s: give a name that ends in %s",
                        file->option, file->path, content[file->format], ending[file->format]);
}

static int check_name(const char *command, const used_file *file)
{
    if (!file->path[0])
        return report_error(command, EXIT_USAGE, "--%s: the name of the file is empty", file->option);
    if (strcmp(file->path, "-") == 0)
        return report_error(command, EXIT_USAGE,
                            "--%s -: '-' does not mean the standard streams here: name a file (./- if it is called so)",
                            file->option);
    if (file->role == FILE_READ && strcmp(file->option, "PICTURE") == 0 && ends_in(file->path, ".onnx"))
        return report_error(command, EXIT_USAGE, "%s is no picture: a network is given by --model %s", file->path,
                            file->path);
    if (!is_written(file))
        return 0;
#ifndef ATLED_HAVE_CAIRO
    if (file->format == PANEL_FORMAT)
        return refuse(command, file, EXIT_BAD_FILE, "this atled was built without cairo, which draws it");
#endif
    return check_format(command, file);
}

/* ---- the place --------------------------------------------------------------------------------------------------- */

/* An open pipe (/dev/stdout, or <(command) of a shell) has no existing path without links. */
static int is_named_pipe(const char *path, const struct stat *about)
{
    char resolved[PATH_MAX];
    return (S_ISFIFO(about->st_mode) || S_ISSOCK(about->st_mode)) && realpath(path, resolved);
}

static int cannot_be_written(const char *command, const used_file *file, const char *why)
{
    return report_error(command, EXIT_BAD_FILE, "--%s: %s cannot be written: %s", file->option, file->path, why);
}

static int check_output_path(const char *command, const used_file *file, const struct stat *about)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(file->path, '/');
    if (about && S_ISDIR(about->st_mode))
        return cannot_be_written(command, file, "it is a directory");
    if (about && !S_ISREG(about->st_mode) && file->role != FILE_WRITTEN)
        return cannot_be_written(command, file, "it is a device or a pipe, from which it cannot be read again");
    if (about && access(file->path, W_OK))
        return cannot_be_written(command, file, strerror(errno));
    if (about && !S_ISREG(about->st_mode)) /* written directly, in any folder */
        return 0;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - file->path) + 1 : 1, slash ? file->path : ".");
    if (access(folder, W_OK))
        return cannot_be_written(command, file,
                                 errno == ENOENT ? "there is no such folder: make it first" : strerror(errno));
    return 0;
}

static int check_place(const char *command, const used_file *file)
{
    struct stat about;
    int exists = stat(file->path, &about) == 0;
    int is_absent = !exists && (errno == ENOENT || errno == ENOTDIR);
    if (exists && is_named_pipe(file->path, &about))
        return refuse(command, file, EXIT_BAD_FILE,
                      is_written(file) ? "it is a named pipe: write to a file"
                                       : "it is a named pipe: save what comes out of it to a file first");
    if (!is_written(file))
        return 0; /* the reader reports errors */
    if (!exists && !is_absent)
        return cannot_be_written(command, file, strerror(errno));
    return check_output_path(command, file, exists ? &about : NULL);
}

/* ---- the same file twice ----------------------------------------------------------------------------------------- */

/* Identifies the file of a path. */
typedef struct identity {
    const used_file *file;
    dev_t device; /* of the file, or of the folder in which it would be */
    ino_t number;
    char name[NAME_MAX + 1]; /* in that folder; "" for a file that is there */
} identity;

/* Follows a link at the end of the path; returns 0 if there is none. */
static int follow_link(char path[PATH_MAX])
{
    char target[PATH_MAX], joined[2 * PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    const char *slash = strrchr(path, '/');
    if (length <= 0)
        return 0;
    target[length] = 0;
    int folder = target[0] != '/' && slash ? (int)(slash - path) + 1 : 0;
    int size = snprintf(joined, sizeof joined, "%.*s%s", folder, path, target);
    if (size >= PATH_MAX)
        return 0;
    memcpy(path, joined, (size_t)size + 1);
    return 1;
}

/* Returns 0 for a file that may be used any number of times, such as a device. */
static int identify(const used_file *file, identity *id)
{
    enum { MOST_LINKS = 40 };
    char path[PATH_MAX], folder[PATH_MAX];
    struct stat about;
    *id = (identity){.file = file};
    if (stat(file->path, &about) == 0) {
        id->device = about.st_dev;
        id->number = about.st_ino;
        return S_ISREG(about.st_mode);
    }
    snprintf(path, sizeof path, "%s", file->path);
    for (int i = 0; i < MOST_LINKS && follow_link(path); i++)
        ;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    snprintf(id->name, sizeof id->name, "%.*s", NAME_MAX, name);
    if (stat(folder, &about) != 0)
        return 0;
    id->device = about.st_dev;
    id->number = about.st_ino;
    return 1;
}

static int by_identity(const void *left, const void *right)
{
    const identity *a = left, *b = right;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->file > b->file) - (a->file < b->file);
}

static int may_be_same(const used_file *a, const used_file *b)
{
    return (!is_written(a) && !is_written(b)) || (a->may_be_that_of && strcmp(a->may_be_that_of, b->option) == 0) ||
           (b->may_be_that_of && strcmp(b->may_be_that_of, a->option) == 0);
}

static int refuse_same(const char *command, const used_file *a, const used_file *b)
{
    return report_error(command, EXIT_USAGE, "--%s %s and --%s %s are the same file: give each a file of its own",
                        a->option, a->path, b->option, b->path);
}

/* Sorts the files by identity, so that equal ones are adjacent.  (Of three equal files, one of them written, two
 * adjacent ones are rejected: only a pair is ever allowed.) */
static int check_different(const char *command, const used_file *files, int count)
{
    int used = 0, code = 0;
    identity *ids = malloc((size_t)(count + 1) * sizeof *ids);
    if (!ids)
        return report_no_memory(command);
    for (int i = 0; i < count; i++)
        if (files[i].path)
            used += identify(&files[i], &ids[used]);
    qsort(ids, (size_t)used, sizeof *ids, by_identity);
    for (int i = 1; i < used && !code; i++) {
        const identity *a = &ids[i - 1], *b = &ids[i];
        if (a->device == b->device && a->number == b->number && strcmp(a->name, b->name) == 0 &&
            !may_be_same(a->file, b->file))
            code = refuse_same(command, a->file, b->file);
    }
    free(ids);
    return code;
}

/* ---- files of a data set ----------------------------------------------------------------------------------------- */

/* True if a data set is read from a file of that name in its folder. */
static int is_name_of_data(const char *name)
{
    static const char *const endings[] = {".gz", ".bin", "-ubyte", "batches.meta.txt"};
    int is_data = strcmp(name, "train.npz") == 0 || strcmp(name, "test.npz") == 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        is_data |= strcmp(name, endings[i]) == 0 || ends_in(name, endings[i]);
    return is_data;
}

/* True if the existing file is part of the folder's data: by its name there, or as an image in a folder below. */
static int is_part_of(const char *path, const char *data)
{
    char file[PATH_MAX], folder[PATH_MAX];
    if (!realpath(path, file) || !realpath(data, folder))
        return 0;
    size_t length = strlen(folder);
    if (strncmp(file, folder, length) != 0 || file[length] != '/')
        return 0;
    const char *name = file + length + 1;
    return strchr(name, '/') ? ends_in(name, ".png") || ends_in(name, ".jpg") || ends_in(name, ".jpeg")
                             : is_name_of_data(name);
}

static int check_data(const char *command, const used_file *data, const used_file *files, int count)
{
    struct stat about;
    if (stat(data->path, &about) != 0 || !S_ISDIR(about.st_mode))
        return 0;
    for (int i = 0; i < count; i++)
        if (files[i].path && is_written(&files[i]) && is_part_of(files[i].path, data->path))
            return report_error(command, EXIT_USAGE, "--%s %s is one of the files of --%s %s: give another",
                                files[i].option, files[i].path, data->option, data->path);
    return 0;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

int check_files(const char *command, const used_file *files)
{
    int count = 0, code = 0;
    for (; files[count].option; count++)
        ;
    for (int i = 0; i < count && !code; i++)
        code = files[i].path ? check_name(command, &files[i]) : 0;
    if (!code)
        code = check_different(command, files, count);
    for (int i = 0; i < count && !code; i++)
        if (files[i].path && files[i].role == DATA_READ)
            code = check_data(command, &files[i], files, count);
    for (int i = 0; i < count && !code; i++)
        code = files[i].path ? check_place(command, &files[i]) : 0;
    return code;
}
