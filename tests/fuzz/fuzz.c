/* Files and promises for the fuzz targets. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atled/status.h"
#include "graph/error.h"

void fuzz_require(int condition, const char *words)
{
    if (condition)
        return;
    fprintf(stderr, "broken promise: %s (the last message: \"%s\")\n", words, atl_error());
    abort();
}

void fuzz_require_message(int failed)
{
    fuzz_require(!failed || *atl_error(), "a failure has a message");
    atl_set_error(ATL_OK, "%s", "");
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
    static char path[64];
    static int descriptor = -1;
    if (descriptor < 0) {
        descriptor = memfd_create("fuzz", MFD_CLOEXEC);
        fuzz_require(descriptor >= 0, "files in memory can be made");
        snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    }
    fuzz_require(ftruncate(descriptor, 0) == 0 && pwrite(descriptor, data, size, 0) == (ssize_t)size,
                 "files in memory can be written");
    return path;
}

static char folder[64];

static void remove_folder(void)
{
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "data_batch_1.bin",
                                        "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        fuzz_folder_file(names[i], NULL, 0);
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (!*folder) {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/atled-fuzz-XXXXXX" : "/tmp/atled-fuzz-XXXXXX");
        fuzz_require(mkdtemp(folder) != NULL, "a folder can be made");
        atexit(remove_folder);
    }
    return folder;
}

void fuzz_folder_file(const char *name, const uint8_t *data, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    if (!data) {
        remove(path);
        return;
    }
    FILE *file = fopen(path, "wb");
    fuzz_require(file && fwrite(data, 1, size, file) == size && fclose(file) == 0, "the folder's files can be written");
}
