/* Faults from outside: each allocation of any library that reads a file fails, and writes fail at any byte.  Every
 * time there is a status and a message, and existing files stay. */
#include "../allocations.h"

#include "../io/jpeg_file.h"
#include "../io/scratch.h"

#include <signal.h>
#include <sys/resource.h>
#include <zlib.h>

#include "atled/atled.h"
#include "compiler/layout/known_times.h"
#include "graph/memory.h"

TestSuite(faults, .init = make_scratch, .fini = remove_scratch);

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* 1 if the file could be read. */
typedef int reader(void);

static int read_npy(void)
{
    atl_tensor *x = atl_read_npy(in_scratch("a.npy"));
    atl_tensor_free(x);
    return x != NULL;
}

static int read_npz(void)
{
    atl_npz *npz = atl_npz_open(in_scratch("a.npz"));
    int all = npz != NULL;
    for (int i = 0; i < atl_npz_count(npz) && all; i++) {
        atl_tensor *x = atl_npz_read(npz, atl_npz_name(npz, i));
        all = x != NULL;
        atl_tensor_free(x);
    }
    atl_npz_close(npz);
    return all;
}

static int read_png(void)
{
    atl_tensor *x = atl_read_image(in_scratch("a.png"));
    atl_tensor_free(x);
    return x != NULL;
}

static int read_jpeg(void)
{
    atl_tensor *x = atl_read_image(in_scratch("a.jpg"));
    atl_tensor_free(x);
    return x != NULL;
}

static int read_folder(void)
{
    atl_dataset *data = atl_dataset_open(scratch, ATL_TRAINING);
    atl_dataset_free(data);
    return data != NULL;
}

static int read_archive_of_images(void)
{
    atl_dataset *data = atl_dataset_open(in_scratch("d.npz"), ATL_TRAINING);
    atl_dataset_free(data);
    return data != NULL;
}

static int read_times(void)
{
    atl_status status = atl_read_timing(in_scratch("times"));
    atl_forget_times();
    return status == ATL_OK;
}

/* Fails each allocation in turn: that one alone, and that one with all later ones. */
static void fail_each(const char *what, reader *read)
{
    skip_without_own_malloc();
    watch_allocations(-1, 0);
    int could = read();
    stop_watching();
    int64_t needed = allocations_made();
    cr_assert(could, "%s: %s", what, atl_error());
    cr_assert_gt(needed, 0);
    for (int64_t i = 0; i < 2 * needed; i++) {
        atl_set_error(ATL_OK, "%s", "");
        watch_allocations(i / 2, i % 2);
        could = read();
        stop_watching();
        if (!could) /* some can be done without */
            cr_expect(strstr(atl_error(), "out of memory"), "%s, allocation %lld of %lld: \"%s\"", what,
                      (long long)i / 2, (long long)needed, atl_error());
    }
    cr_expect(read(), "%s, afterwards: %s", what, atl_error());
}

Test(faults, memory_while_arrays_are_read)
{
    atl_tensor *x = random_tensor(ATL_SHAPE(3, 5), -1, 1);
    atl_write_npy(in_scratch("a.npy"), x);
    atl_write_npz(in_scratch("a.npz"), 2, (const atl_npz_entry[]){{"first", x}, {"second", x}});
    atl_tensor_free(x);
    fail_each("npy", read_npy);
    fail_each("npz", read_npz);
}

Test(faults, memory_while_pictures_are_read)
{
    atl_tensor *x = random_tensor(ATL_SHAPE(6, 5, 3), 0, 255);
    atl_write_png(in_scratch("a.png"), x);
    atl_tensor_free(x);
    write_jpeg(in_scratch("a.jpg"), 16, 16, JCS_RGB, 1);
    fail_each("PNG", read_png);
    fail_each("JPEG", read_jpeg);
}

static void write_packed(const char *name, const void *bytes, unsigned size)
{
    gzFile stream = gzopen(in_scratch(name), "wb");
    cr_assert_eq(gzwrite(stream, bytes, size), (int)size);
    gzclose(stream);
}

Test(faults, memory_while_idx_files_are_read)
{
    write_packed("train-images-idx3-ubyte.gz", "\0\0\x8\3\0\0\0\2\0\0\0\1\0\0\0\2abcd", 20);
    write_packed("train-labels-idx1-ubyte.gz", "\0\0\x8\1\0\0\0\2\3\4", 10);
    fail_each("idx", read_folder);
}

Test(faults, memory_while_records_are_read)
{
    static const char record[3073] = {5};
    write_file(in_scratch("data_batch_1.bin"), record, sizeof record);
    fail_each("CIFAR-10", read_folder);
}

Test(faults, memory_while_an_archive_of_images_is_read)
{
    atl_tensor *images = random_tensor(ATL_SHAPE(2, 3, 3), 0, 255), *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(2));
    atl_write_npz(in_scratch("d.npz"), 2, (const atl_npz_entry[]){{"images", images}, {"labels", labels}});
    atl_tensor_free(images);
    atl_tensor_free(labels);
    fail_each("npz data set", read_archive_of_images);
}

Test(faults, memory_while_times_are_read)
{
    atl_remember_time("a", 1);
    atl_remember_time("b", 2);
    atl_write_timing(in_scratch("times"));
    atl_forget_times();
    fail_each("times", read_times);
}

/* ---- training and drawing: the library's own allocations --------------------------------------------------------- */

/* Builds, trains two steps, saves a checkpoint, loads it into another graph; 0 if anything failed. */
static int train_with_checkpoint(void)
{
    int ok = 1;
    for (int again = 0; again < 2 && ok; again++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3));
        atl_node *w = atl_variable(g, "w", ATL_SHAPE(3, 2), atl_glorot());
        atl_node *step = atl_minimize(atl_mean(atl_square(atl_matmul(x, w))), .optimizer = atl_adam());
        atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(2, 3), -1, 1, 1);
        atl_program *p = step && value ? atl_compile(g, ATL_NODES(step), .threads = 1) : NULL;
        ok = p && (!again || !atl_load_npz(g, in_scratch("check.npz")));
        for (int i = 0; i < 2 && ok; i++)
            ok = atl_run(p, ATL_FEED(x, value)) == ATL_OK;
        ok = ok && !atl_save_npz(g, in_scratch("check.npz"));
        atl_tensor_free(value);
        atl_program_free(p);
        atl_graph_free(g);
    }
    return ok;
}

static int draw(void)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3));
    atl_node *y = atl_sum(atl_relu(atl_add_scalar(x, 1)));
    int ok = y && !atl_write_dot(g, .path = in_scratch("a.dot"), .title = "a drawing");
    atl_graph_free(g);
    return ok;
}

static void fail_each_of_our_own(const char *what, int (*work)(void), const char *written)
{
    size_t size, now;
    int64_t before = atl_allocation_count();
    cr_assert(work(), "%s: %s", what, atl_error());
    int64_t needed = atl_allocation_count() - before;
    free(read_file(in_scratch(written), &size));
    for (int64_t i = 0; i < needed; i++) {
        atl_set_error(ATL_OK, "%s", "");
        atl_fail_allocations_after(i);
        int ok = work();
        atl_fail_allocations_after(-1);
        if (!ok)
            cr_expect(strstr(atl_error(), "memory"), "%s, allocation %lld of %lld: \"%s\"", what, (long long)i,
                      (long long)needed, atl_error());
        free(read_file(in_scratch(written), &now));
        cr_expect_eq(now, size, "%s, allocation %lld: the file has %zu bytes, not %zu", what, (long long)i, now, size);
        cr_expect_eq(files_in_scratch(), 1, "%s, allocation %lld: a file is left behind", what, (long long)i);
    }
}

Test(faults, memory_while_training_with_a_checkpoint, .timeout = 120)
{
    fail_each_of_our_own("training", train_with_checkpoint, "check.npz");
}

Test(faults, memory_while_drawing) { fail_each_of_our_own("drawing", draw, "a.dot"); }

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static atl_tensor *picture;

static atl_status write_an_npy(const char *path) { return atl_write_npy(path, picture); }
static atl_status write_a_png(const char *path) { return atl_write_png(path, picture); }
static atl_status write_times(const char *path) { return atl_write_timing(path); }
static atl_status write_some_bytes(const char *path) { return atl_write_bytes(path, "some bytes of a log", 19); }

static atl_status write_an_npz(const char *path)
{
    return atl_write_npz(path, 2, (const atl_npz_entry[]){{"first", picture}, {"second", picture}});
}

static atl_status write_a_drawing(const char *path)
{
    atl_graph *g = atl_graph_new();
    atl_square(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3)));
    atl_status status = atl_write_dot(g, .path = path);
    atl_graph_free(g);
    return status;
}

static atl_status (*const writers[])(const char *path) = {write_an_npy, write_an_npz,     write_a_png,
                                                          write_times,  write_some_bytes, write_a_drawing};
enum { WRITERS = sizeof writers / sizeof *writers };

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void make_something_to_write(void)
{
    picture = random_tensor(ATL_SHAPE(4, 4, 3), 0, 255);
    atl_remember_time("a", 1);
    signal(SIGXFSZ, SIG_IGN);
}

/* The disk is full after this many bytes, for all numbers below the size of the file. */
Test(faults, writes_that_fail_at_each_byte, .timeout = 120)
{
    make_something_to_write();
    for (int i = 0; i < WRITERS; i++) {
        size_t size, now;
        cr_assert_eq(writers[i](in_scratch("whole")), ATL_OK, "writer %d: %s", i, atl_error());
        free(read_file(in_scratch("whole"), &size));
        write_file(in_scratch("old"), "old", 3);
        for (size_t limit = 0; limit < size; limit++) {
            atl_set_error(ATL_OK, "%s", "");
            limit_files(limit);
            atl_status status = writers[i](in_scratch("old"));
            limit_files(RLIM_INFINITY);
            cr_expect_eq(status, ATL_BAD_FILE, "writer %d, %zu bytes: status %d", i, limit, (int)status);
            cr_expect(strstr(atl_error(), "old"), "writer %d, %zu bytes: \"%s\"", i, limit, atl_error());
            unsigned char *bytes = read_file(in_scratch("old"), &now);
            cr_expect(now == 3 && memcmp(bytes, "old", 3) == 0, "writer %d, %zu bytes: the old file is lost", i, limit);
            free(bytes);
            cr_expect_eq(files_in_scratch(), 2, "writer %d, %zu bytes: a file is left behind", i, limit);
        }
    }
    atl_forget_times();
    atl_tensor_free(picture);
}

Test(faults, devices_that_are_full)
{
    make_something_to_write();
    for (int i = 0; i < WRITERS; i++) {
        if (writers[i] == write_an_npz)
            continue; /* a zip needs a file that can be seeked */
        atl_set_error(ATL_OK, "%s", "");
        cr_expect_eq(writers[i]("/dev/full"), ATL_BAD_FILE, "writer %d", i);
        cr_expect(strstr(atl_error(), "/dev/full"), "writer %d: \"%s\"", i, atl_error());
    }
    cr_expect_eq(write_an_npz("/dev/full"), ATL_BAD_FILE);
    atl_forget_times();
    atl_tensor_free(picture);
}
