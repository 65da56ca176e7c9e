/* A directory for each test of src/io, and plain reading and writing of files in it. TestSuite(name, .init =
 * make_scratch, .fini = remove_scratch). */
#ifndef ATLED_TESTS_IO_SCRATCH_H
#define ATLED_TESTS_IO_SCRATCH_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "support.h"

static char scratch[64];

static inline void make_scratch(void)
{
    strcpy(scratch, "/tmp/atled-io-XXXXXX");
    cr_assert_not_null(mkdtemp(scratch));
}

/* "DIRECTORY/name"; the last few results are valid. */
static inline const char *in_scratch(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static inline int files_in_scratch(void)
{
    DIR *directory = opendir(scratch);
    int count = 0;
    for (struct dirent *found; (found = readdir(directory));)
        count += strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0;
    closedir(directory);
    return count;
}

static inline void remove_scratch(void)
{
    DIR *directory = opendir(scratch);
    for (struct dirent *found; directory && (found = readdir(directory));)
        remove(in_scratch(found->d_name));
    if (directory)
        closedir(directory);
    rmdir(scratch);
}

static inline void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *stream = fopen(path, "wb");
    cr_assert_not_null(stream);
    cr_assert_eq(fwrite(bytes, 1, size, stream), size);
    cr_assert_eq(fclose(stream), 0);
}

/* The whole file; the caller frees it. */
static inline unsigned char *read_file(const char *path, size_t *size_out)
{
    FILE *stream = fopen(path, "rb");
    cr_assert_not_null(stream, "%s", path);
    fseek(stream, 0, SEEK_END);
    *size_out = (size_t)ftell(stream);
    rewind(stream);
    unsigned char *bytes = malloc(*size_out + 1);
    cr_assert_eq(fread(bytes, 1, *size_out, stream), *size_out);
    fclose(stream);
    return bytes;
}

#define assert_told(words) cr_assert_mentions(atl_error(), words)

/* Reads many damaged copies of the file: single bytes changed, and ends cut off.  `read` returns 1 if it could read
 * the file; if it could not, there must be a message.  The sanitizers detect bad accesses, too.  Returns the number
 * of rejected copies. */
static inline int read_damaged(const char *path, int times, int (*read)(const char *path))
{
    size_t size;
    unsigned char *bytes = read_file(path, &size);
    int refused = 0;
    for (int i = 0; i < times; i++) {
        size_t kept = i % 4 == 0 ? 1 + (size_t)random_below(size) : size;
        unsigned char *copy = malloc(kept);
        memcpy(copy, bytes, kept);
        for (int changes = i % 4; changes > 0; changes--)
            copy[random_below(kept)] = (unsigned char)random_below(256);
        write_file(in_scratch("damaged"), copy, kept);
        free(copy);
        if (!read(in_scratch("damaged"))) {
            refused++;
            cr_assert(*atl_error());
        }
    }
    free(bytes);
    return refused;
}

#endif
