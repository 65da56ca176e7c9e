/* The names of a network's classes, and the lookup of a class by a word on the command line. */
#include "labels.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "text.h"
#include "tools.h"

enum { LARGEST_FILE = 1 << 24 };

/* ---- reading ---- */

/* The whole file with a final 0; null with errno set. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(LARGEST_FILE + 1) : NULL;
    size_t size = text ? fread(text, 1, LARGEST_FILE, file) : 0;
    int failed = !text || ferror(file);
    if (text)
        text[size] = 0;
    if (file)
        fclose(file);
    if (failed) {
        free(text);
        return NULL;
    }
    char *fitted = realloc(text, size + 1);
    return fitted ? fitted : text;
}

static int count_lines(const char *text)
{
    int count = 0;
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        count++;
    return count;
}

/* Each line, clean, with a 0 at its end.  0 without memory. */
static int split_lines(const char *text, class_names *out)
{
    int count = count_lines(text);
    size_t room = 3 * strlen(text) + (size_t)count + 1; /* U+FFFD takes three bytes */
    char *line = malloc(strlen(text) + 1), *to = malloc(room);
    out->name = malloc(((size_t)count + 1) * sizeof *out->name);
    out->text = to;
    for (int i = 0; line && to && out->name && i < count; i++) {
        size_t length = strcspn(text, "\n");
        memcpy(line, text, length);
        line[length] = 0;
        if (length && line[length - 1] == '\r')
            line[length - 1] = 0;
        out->name[i] = clean_text(line, to, room);
        room -= strlen(to) + 1;
        to += strlen(to) + 1;
        text += length + (text[length] != 0);
    }
    int ok = line && to && out->name;
    free(line);
    if (!ok) {
        errno = ENOMEM;
        return 0;
    }
    out->name[count] = NULL;
    out->count = count;
    return 1;
}

/* 0 with errno set. */
static int read_file(const char *path, class_names *out)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* of UTF-8, which some editors put first */
    char *text = read_text(path);
    if (!text)
        return 0;
    snprintf(out->path, sizeof out->path, "%s", path);
    int ok = split_lines(strncmp(text, mark, 3) == 0 ? text + 3 : text, out);
    free(text);
    return ok;
}

/* Optional names: used if the file exists and has as many lines as there are classes.  Returns 0 if out of memory. */
static int look_beside(const char *weights, int classes, class_names *out)
{
    static const char *const places[] = {"labels.txt", "imagenet_classes.txt", "../labels/labels.txt",
                                         "../labels/imagenet_classes.txt"};
    const char *slash = strrchr(weights, '/');
    for (size_t i = 0; i < sizeof places / sizeof *places && !out->count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - weights) + 1 : 0, weights, places[i]);
        struct stat about;
        if (stat(path, &about) || !S_ISREG(about.st_mode))
            continue;
        int is_read = read_file(path, out), no_memory = !is_read && errno == ENOMEM;
        if (!is_read || out->count != classes) {
            free_labels(out);
            *out = (class_names){0};
        }
        if (no_memory)
            return 0;
    }
    return 1;
}

static int copy_own(const char *const *own, int classes, class_names *out)
{
    out->name = malloc(((size_t)classes + 1) * sizeof *out->name);
    if (!out->name)
        return 0;
    memcpy(out->name, own, (size_t)classes * sizeof *own);
    out->name[classes] = NULL;
    out->count = classes;
    return 1;
}

int read_labels(const char *command, const char *path, const char *const *own, const char *weights, int classes,
                class_names *labels_out)
{
    *labels_out = (class_names){0};
    if (path) {
        if (!read_file(path, labels_out))
            return errno == ENOMEM ? report_no_memory(command)
                                   : report_error(command, EXIT_BAD_FILE, "--labels %s: %s", path, strerror(errno));
        if (labels_out->count != classes)
            return report_error(command, EXIT_BAD_FILE,
                                "--labels %s: %d line%s, but the network has %d classes: one name a line is needed",
                                path, labels_out->count, plural(labels_out->count), classes);
        return 0;
    }
    int ok = own ? copy_own(own, classes, labels_out) : !weights || look_beside(weights, classes, labels_out);
    return ok ? 0 : report_no_memory(command);
}

void free_labels(class_names *labels)
{
    free(labels->name);
    free(labels->text);
}

/* ---- a word ---- */

char *class_text(const class_names *labels, int class, char *text, unsigned long size)
{
    char whole[1024];
    if (class >= 0 && class < labels->count)
        snprintf(whole, sizeof whole, "%d '%.900s'", class, labels->name[class]);
    else
        snprintf(whole, sizeof whole, "%d", class);
    return clean_text(whole, text, size); /* cut after a whole character */
}

/* The classes whose name is the word, or begins with it; lists as many as fit as text. */
static int find_names(const class_names *labels, const char *word, int whole, int *first, char *list, size_t size)
{
    enum { MOST_LISTED = 6 };
    int found = 0;
    size_t at = 0;
    list[0] = 0;
    for (int i = 0; i < labels->count; i++) {
        if (whole ? strcasecmp(labels->name[i], word) : strncasecmp(labels->name[i], word, strlen(word)))
            continue;
        if (found++ == 0)
            *first = i;
        if (found <= MOST_LISTED && at < size)
            at += (size_t)snprintf(list + at, size - at, "%s%d '%s'", found > 1 ? ", " : "", i, labels->name[i]);
        else if (found == MOST_LISTED + 1 && at < size)
            at += (size_t)snprintf(list + at, size - at, ", ...");
    }
    return found;
}

static int class_of_index(const char *command, int classes, const char *word)
{
    char *end;
    errno = 0;
    long long index = strtoll(word, &end, 10);
    if (!*end && errno == 0 && index >= 0 && index < classes)
        return (int)index;
    report_error(command, EXIT_USAGE, "class %s is out of range: the network has classes 0..%d", word, classes - 1);
    return -1;
}

static int is_number(const char *word)
{
    word += *word == '-';
    return *word && word[strspn(word, "0123456789")] == 0;
}

int class_of(const char *command, const class_names *labels, int classes, const char *word)
{
    char list[512];
    int class = -1, found;
    if (is_number(word))
        return class_of_index(command, classes, word);
    if (!labels->count) {
        report_error(
            command, EXIT_USAGE,
            "the names of this network's classes are not known: give the index of the class, 0..%d, or the names "
            "with --labels "
            "FILE, in place of '%s'",
            classes - 1, word);
        return -1;
    }
    found = find_names(labels, word, 1, &class, list, sizeof list);
    if (!found && *word)
        found = find_names(labels, word, 0, &class, list, sizeof list);
    if (found == 1)
        return class;
    const char *closest = found ? NULL : closest_word(word, labels->name);
    if (found)
        report_error(command, EXIT_USAGE, "'%s' can be %s: give the index", word, list);
    else if (closest)
        report_error(command, EXIT_USAGE, "no class is called '%s'; did you mean '%s'?", word, closest);
    else
        report_error(command, EXIT_USAGE, "no class is called '%s': give an index, 0 to %d, or a name such as '%s'",
                     word, classes - 1, labels->name[0]);
    return -1;
}
