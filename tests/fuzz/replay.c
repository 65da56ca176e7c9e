/* replay FOLDER [MUTATIONS]: runs a fuzz target on every file of the folder, and on that many mutated copies of
 * each; also checks the target's memory bound.  Fails by abort, as the fuzzer does. */
#include "allocations.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { LARGEST = 1 << 20 };

static int64_t inputs;

static void run(const uint8_t *data, size_t size, const char *name)
{
    /* A copy of exactly its size, so that a sanitizer detects reading beyond it. */
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    watch_allocations(-1, 0);
    LLVMFuzzerTestOneInput(copy, size);
    stop_watching();
    free(copy);
    inputs++;
    int64_t bound = FUZZ_ALLOWANCE + fuzz_memory_multiple * (int64_t)size;
    if (fuzz_memory_multiple && most_bytes_allocated() > bound) {
        fprintf(stderr, "%s: %zu bytes took %" PRId64 " of memory, more than %" PRId64 "\n", name, size,
                most_bytes_allocated(), bound);
        abort();
    }
}

static uint64_t state = 1;
static uint64_t random_number(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

/* Changes up to 4 bytes, cuts the end off, or repeats a piece. */
static size_t mutate(uint8_t *data, size_t size)
{
    uint64_t kind = random_number() % 8;
    if (kind == 0 && size > 1)
        return 1 + random_number() % (size - 1);
    if (kind == 1 && size > 1 && 2 * size < LARGEST) {
        size_t from = random_number() % size, length = 1 + random_number() % (size - from);
        memmove(data + from + length, data + from, size - from);
        return size + length;
    }
    for (uint64_t changes = 1 + random_number() % 4; changes > 0 && size; changes--)
        data[random_number() % size] = (uint8_t)random_number();
    return size;
}

static void replay(const char *path, int mutations)
{
    static uint8_t seed[LARGEST], data[2 * LARGEST];
    FILE *file = fopen(path, "rb");
    fuzz_require(file != NULL, path);
    size_t size = fread(seed, 1, sizeof seed, file);
    fclose(file);
    run(seed, size, path);
    for (int i = 0; i < mutations; i++) {
        memcpy(data, seed, size);
        run(data, mutate(data, size), path);
    }
}

int main(int count, char **argument)
{
    char path[4096];
    DIR *folder = count > 1 ? opendir(argument[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "replay FOLDER [MUTATIONS]: there is no such folder\n");
        return 2;
    }
    int mutations = count > 2 ? atoi(argument[2]) : 0;
    for (struct dirent *found; (found = readdir(folder));) {
        snprintf(path, sizeof path, "%s/%s", argument[1], found->d_name);
        if (found->d_name[0] != '.')
            replay(path, mutations);
    }
    closedir(folder);
    printf("%" PRId64 " inputs\n", inputs);
    return inputs ? 0 : 1; /* an empty folder would test nothing */
}
