/* Each allocation of a command of atled fails in turn, one per run: the command exits with 4 and says that memory ran
 * out, or does without it and gives the same result; existing files are not lost.
 *
 * The commands are called here as main calls them; the linker replaces the allocator's functions by those below, in
 * the library and in the tools. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "command.h"
#include "few_pictures.h"
#include "tools/tools.h"

/* ---- an allocator that fails once -------------------------------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);

static atomic_long made;              /* allocations in this run */
static atomic_long left_to_fail = -1; /* before the one that fails; -1: none does */

static int fails(void)
{
    atomic_fetch_add(&made, 1);
    if (atomic_load(&left_to_fail) < 0 || atomic_fetch_sub(&left_to_fail, 1) != 0)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    return fails() ? ENOMEM : __real_posix_memalign(memory, alignment, size);
}

/* ---- a command in this process ----------------------------------------------------------------------------------- */

typedef int subcommand(int argc, char **argv);

static int file_for(int stream, const char *path)
{
    int before = dup(stream), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    cr_assert(before >= 0 && file >= 0 && dup2(file, stream) == stream);
    close(file);
    return before;
}

static void give_back(int stream, int before)
{
    dup2(before, stream);
    close(before);
}

/* Runs it with that allocation failing (-1: none); its output goes to the files. */
static int call(subcommand *run, const char *const *words, long failing)
{
    char *argv[32] = {0};
    int argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = (char *)words[argc];
    fflush(stdout);
    int out = file_for(1, scratch_file("stdout")), err = file_for(2, scratch_file("stderr"));
    atomic_store(&made, 0);
    atomic_store(&left_to_fail, failing);
    int code = run(argc, argv);
    atomic_store(&left_to_fail, -1);
    fflush(stdout);
    give_back(1, out);
    give_back(2, err);
    return code;
}

/* The bytes of a small file; the caller frees them.  Null if it does not exist. */
static char *bytes_of(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "rb");
    char *bytes = file ? malloc(1 << 24) : NULL;
    *size_out = bytes ? fread(bytes, 1, 1 << 24, file) : 0;
    if (file)
        fclose(file);
    return bytes;
}

static int holds(const char *path, const char *wanted, size_t size)
{
    size_t found;
    char *bytes = bytes_of(path, &found);
    int same = bytes && found == size && memcmp(bytes, wanted, size) == 0;
    free(bytes);
    return same;
}

static void make_precious(const char *path)
{
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs("precious", file) >= 0 && fclose(file) == 0);
}

/* A command, and the file that it writes; null: compare its output. */
typedef struct job {
    subcommand *run;
    const char *words[24];
    const char *result;
    int varies;     /* the result tells times */
    int is_archive; /* part of the work may be saved */
    int code;       /* when all goes well */
    long most_runs; /* of a slow command; 0: as many as it has allocations */
} job;

/* True if the command's stderr contains this. */
static void first_words(char *text, size_t size)
{
    FILE *file = fopen(scratch_file("stderr"), "rb");
    cr_assert(file);
    text[fread(text, 1, size - 1, file)] = 0;
    fclose(file);
}

/* True if every entry can be read. */
static int is_whole(const char *path)
{
    atl_npz *npz = atl_npz_open(path);
    int count = atl_npz_count(npz), whole = npz && count > 0;
    for (int i = 0; whole && i < count; i++) {
        atl_tensor *value = atl_npz_read(npz, atl_npz_name(npz, i));
        whole = value != NULL;
        atl_tensor_free(value);
    }
    atl_npz_close(npz);
    return whole;
}

static void fail_each(const job *j)
{
#ifdef __SANITIZE_ADDRESS__
    enum { MOST_RUNS = 60 };
#else
    enum { MOST_RUNS = 1000 };
#endif
    const char *result = j->result ? j->result : scratch_file("stdout");
    cr_assert_eq(call(j->run, j->words, -1), j->code);
    cr_assert_eq(call(j->run, j->words, -1), j->code); /* everything that a process initialises once exists now */
    long needed = atomic_load(&made), most = j->most_runs ? j->most_runs : MOST_RUNS, apart = needed / most + 1;
    size_t size;
    char *wanted = bytes_of(result, &size);
    cr_assert(wanted && needed > 10);
    long first = (long)(test_seed() % (unsigned long)apart);
    for (long failing = first; failing < needed; failing += apart) {
        if (j->result)
            make_precious(j->result);
        int code = call(j->run, j->words, failing),
            is_new = j->varies || holds(result, wanted, size) || (j->is_archive && is_whole(result));
        if (code == j->code)
            cr_expect(j->varies || holds(result, wanted, size), "allocation %ld of %ld: another result", failing,
                      needed);
        else {
            char text[1024];
            first_words(text, sizeof text);
            cr_expect_eq(code, 4, "allocation %ld of %ld: exit code %d: %s", failing, needed, code, text);
            cr_expect(strstr(text, "memory"), "allocation %ld of %ld: no memory is named: %s", failing, needed, text);
        }
        if (j->result && !is_new)
            cr_expect(holds(j->result, "precious", 8), "allocation %ld of %ld: the old file is lost", failing, needed);
    }
    free(wanted);
}

/* ---- the commands ------------------------------------------------------------------------------------------------ */

#define TRAIN_WORDS(data, w)                                                                                           \
    "train", "-m", "mlp", "--widths", "8,3", "-d", data, "-q", "-e", "2", "-b", "8", "--threads", "1", "-o", w

Test(failing_allocations, train, .timeout = 600)
{
    const char *data = write_data(12), *w = scratch_file("w.npz");
    const job j = {atled_train,
                   {TRAIN_WORDS(data, w), "--checkpoint", scratch_file("c.npz")},
                   .result = w,
                   .is_archive = 1};
    fail_each(&j);
}

Test(failing_allocations, eval, .timeout = 600)
{
    const char *data = write_data(12), *w = scratch_file("w.npz");
    cr_assert_eq(call(atled_train, (const char *const[]){TRAIN_WORDS(data, w), NULL}, -1), 0);
    const job j = {atled_eval, {"eval", "-m", "mlp", "-d", data, "-w", w, "--threads", "1", "-c"}};
    fail_each(&j);
}

Test(failing_allocations, fool, .timeout = 600)
{
    const char *png = scratch_file("x.png");
    const job j = {atled_fool,
                   {"fool", "-t", "cat", "-q", "--steps", "2", "--threads", "1", "-w",
                    source_file("models/cifar10.npz"), "-o", png},
                   .result = png,
                   .code = 1};
    fail_each(&j);
}

Test(failing_allocations, dot, .timeout = 600)
{
    const job j = {atled_dot,
                   {"dot", "-m", "lenet", "-g", "-o", scratch_file("x.dot")},
                   .result = scratch_file("x.dot")};
    fail_each(&j);
}

Test(failing_allocations, profile, .timeout = 600)
{
    const char *path = scratch_file("p.txt");
    const job j = {atled_profile,
                   {"profile", "-m", "lenet", "-f", "-r", "1", "--threads", "1", "-o", path},
                   .result = path,
                   .varies = 1,
                   .most_runs = 50}; /* it measures the machine in each run */
    fail_each(&j);
}
