/* Errors in the files of a command are reported before the work: one file with two uses, names, places, named pipes. */
#include "command.h"

#include <sys/stat.h>

#include "few_pictures.h"

#define TRAIN     "train", "-m", "mlp", "--widths", "8,3", "-q", "-e", "1", "-d"
#define FOOL      "fool", "-t", "cat", "-q", "--steps", "2"
#define SAME(...) cr_assert_refused(2, "are the same file", __VA_ARGS__)

/* A file of some bytes that must survive. */
static const char *precious(const char *name)
{
    const char *path = scratch_file(name);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs("precious", file) >= 0 && fclose(file) == 0);
    return path;
}

static void assert_precious(const char *path) { cr_assert_str_eq(whole_file(path), "precious"); }

static const char *linked(const char *target, const char *name)
{
    const char *path = scratch_file(name);
    unlink(path);
    cr_assert_eq(symlink(target, path), 0);
    return path;
}

static const char *second_name(const char *target, const char *name)
{
    const char *path = scratch_file(name);
    unlink(path);
    cr_assert_eq(link(target, path), 0);
    return path;
}

Test(used_files, two_results_in_one_file)
{
    const char *data = write_data(12), *w = scratch_file("w.npz"), *png = scratch_file("x.png");
    unlink(w);
    SAME(TRAIN, data, "-o", w, "--checkpoint", w);
    SAME(TRAIN, data, "-o", w, "--log", w);
    SAME(TRAIN, data, "--log", png, "--plot", png);
    SAME(TRAIN, data, "-o", w, "--timing-file", w);
    SAME(FOOL, "-o", png, "-p", png);
    SAME(FOOL, "-o", png, "--sheet", png);
    SAME("profile", "-m", "lenet", "-o", scratch_file("p.dot"), "--dot", scratch_file("p.dot"));
    cr_assert_neq(access(w, F_OK), 0, "refused, but written");
}

Test(used_files, one_file_by_two_names)
{
    const char *data = write_data(12), *w = precious("w.npz"), *absent = scratch_file("absent.npz");
    SAME(TRAIN, data, "-o", w, "--checkpoint", linked(w, "link.npz"));
    SAME(TRAIN, data, "-o", w, "--checkpoint", second_name(w, "hard.npz"));
    unlink(absent);
    SAME(TRAIN, data, "-o", absent, "--checkpoint", linked(absent, "dangling.npz"));
    char roundabout[4096];
    const char *slash = strrchr(absent, '/');
    snprintf(roundabout, sizeof roundabout, "%.*s/./absent.npz", (int)(slash - absent), absent);
    SAME(TRAIN, data, "-o", absent, "--checkpoint", roundabout);
    assert_precious(w);
    cr_assert_neq(access(absent, F_OK), 0);
}

Test(used_files, an_input_is_not_overwritten)
{
    const char *data = write_data(12), *old = whole_file(data), *start = precious("start.png");
    SAME(TRAIN, data, "-o", data);
    SAME(TRAIN, data, "-w", precious("w.npz"), "-o", scratch_file("w.npz"));
    SAME(TRAIN, data, "--resume", precious("c.npz"), "-o", scratch_file("c.npz"));
    SAME(FOOL, "-s", start, "-o", start);
    SAME(FOOL, "--labels", start, "-o", start);
    SAME(FOOL, "-w", start, "-p", start);
    SAME("eval", "-d", data, "-w", start, "-p", start);
    SAME("dot", "-m", "lenet", "-w", start, "-o", start);
    SAME("profile", "-m", "lenet", "-w", start, "-o", start);
    SAME("profile", "-m", "lenet", "-w", start, "--dot", start);
    assert_precious(start);
    cr_assert_str_eq(whole_file(data), old);
}

/* With several targets the class is added to the names. */
Test(used_files, a_picture_of_many_is_not_the_start)
{
    NEEDS_CAIRO();
    const char *three = scratch_file("out-3.png");
    atl_tensor *picture = random_tensor(ATL_SHAPE(24, 24, 3), 0, 255);
    cr_assert_eq(atl_write_png(three, picture), ATL_OK);
    atl_tensor_free(picture);
    SAME("fool", "-t", "all", "-q", "--steps", "1", "-s", three, "-o", scratch_file("out.png"));
    SAME("fool", "-t", "all", "-q", "--steps", "1", "-o", scratch_file("out.png"), "--sheet",
         scratch_file("out-9.png"));
    cr_assert_refused(3, "it is a directory", "fool", "-t", "all", "-q", "--steps", "1", "-o", ATLED_BUILD_ROOT);
}

Test(used_files, a_file_of_the_data_is_not_a_result)
{
    const char *folder = scratch_file("data"), *train = scratch_file("data/train.npz");
    const char *cats = scratch_file("data/train/cats"), *cat = scratch_file("data/train/cats/1.png");
    mkdir(folder, 0777);
    mkdir(scratch_file("data/train"), 0777);
    mkdir(cats, 0777);
    cr_assert_refused(2, "one of the files of --data", TRAIN, folder, "-o", precious("data/train.npz"));
    cr_assert_refused(2, "one of the files of --data", TRAIN, folder, "-p", precious("data/train/cats/1.png"));
    cr_assert_refused(2, "one of the files of --data", "eval", "-d", folder, "-p", cat);
    assert_precious(train);
    assert_precious(cat);
}

Test(used_files, what_may_be_one_file_is)
{
    const char *data = write_data(12), *checkpoint = scratch_file("c.npz");
    command_run run = RUN(TRAIN, data, "-o", scratch_file("w.npz"), "--checkpoint", checkpoint);
    cr_assert_code(run, 0);
    run = RUN(TRAIN, data, "-e", "2", "-o", scratch_file("w.npz"), "--checkpoint", checkpoint, "--resume", checkpoint);
    cr_assert_code(run, 0);
    run = RUN(TRAIN, data, "-o", "/dev/null", "--checkpoint", "/dev/null");
    cr_assert_code(run, 0);
}

/* There may never be anyone at the other end of the pipe: the command would wait for ever, after all the work. */
Test(used_files, a_named_pipe_is_refused, .timeout = 60)
{
    const char *pipe = scratch_file("pipe.npz"), *data = write_data(12);
    unlink(pipe);
    cr_assert_eq(mkfifo(pipe, 0666), 0);
    const char *png = linked(pipe, "pipe.png");
#define PIPE(...) cr_assert_refused(3, "named pipe", __VA_ARGS__)
    PIPE(FOOL, "--labels", pipe);
    PIPE(FOOL, "--timing-file", pipe);
    PIPE(FOOL, "-w", pipe);
    PIPE(FOOL, "-s", pipe);
    PIPE(FOOL, "-o", png);
    PIPE(FOOL, "-p", png);
    PIPE(FOOL, "--sheet", png);
    PIPE(TRAIN, data, "-o", pipe);
    PIPE(TRAIN, data, "--log", pipe);
    PIPE(TRAIN, data, "--checkpoint", pipe);
    PIPE(TRAIN, data, "--plot", png);
    PIPE(TRAIN, pipe);
    PIPE("eval", "-d", data, "-p", png);
    PIPE("dot", "-m", "lenet", "-o", pipe);
    PIPE("profile", "-m", "lenet", "-o", pipe);
    PIPE("profile", "-m", "lenet", "--dot", pipe);
#undef PIPE
}

Test(used_files, names_that_are_none)
{
    static const char *const commands[][5] = {{"fool", "-t", "cat", "-o"},
                                              {"fool", "-t", "cat", "-p"},
                                              {"fool", "-t", "cat", "--sheet"},
                                              {"fool", "-t", "cat", "-w"},
                                              {"fool", "-t", "cat", "--labels"},
                                              {"fool", "-t", "cat", "-s"},
                                              {"eval", "-d", ".", "-p"},
                                              {"eval", "-d", ".", "-w"},
                                              {"dot", "-m", "lenet", "-o"},
                                              {"dot", "-m", "lenet", "-w"},
                                              {"profile", "-m", "lenet", "-o"},
                                              {"profile", "-m", "lenet", "--dot"},
                                              {"profile", "-m", "lenet", "--timing-file"}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *const *c = commands[i];
        cr_assert_refused(2, "the name of the file is empty", c[0], c[1], c[2], c[3], "");
        cr_assert_refused(2, "'-' does not mean", c[0], c[1], c[2], c[3], "-");
    }
    static const char *const of_train[] = {"-o", "--checkpoint", "--log", "--plot", "--resume", "-w"};
    for (size_t i = 0; i < sizeof of_train / sizeof *of_train; i++) {
        cr_assert_refused(2, "the name of the file is empty", TRAIN, ".", of_train[i], "");
        cr_assert_refused(2, "'-' does not mean", TRAIN, ".", of_train[i], "-");
    }
}

Test(used_files, names_that_promise_something_else)
{
    cr_assert_refused(2, "ends in .npz", TRAIN, ".", "-o", scratch_file("w.txt"));
    cr_assert_refused(2, "ends in .npz", TRAIN, ".", "--checkpoint", scratch_file("w"));
    cr_assert_refused(2, "ends in .png", FOOL, "-o", scratch_file("x.npz"));
    cr_assert_refused(2, "ends in .png", FOOL, "-o", scratch_file(".png/x"));
    cr_assert_refused(2, ".svg, .png, .pdf or .dot", "dot", "-m", "lenet", "-o", scratch_file("x.gif"));
}

Test(used_files, places_that_are_none)
{
    const char *loop = scratch_file("loop.png");
    unlink(loop);
    cr_assert_eq(symlink(loop, loop), 0);
    cr_assert_refused(3, "symbolic links", FOOL, "-o", loop);
    cr_assert_refused(3, "symbolic links", FOOL, "--timing-file", loop);
    cr_assert_refused(3, "there is no such folder", FOOL, "-o", "/no/such/x.png");
    cr_assert_refused(3, "it is a directory", FOOL, "--timing-file", ATLED_BUILD_ROOT);
    if (access("/dev/full", W_OK) == 0) /* fool reads its image again */
        cr_assert_refused(3, "cannot be read again", FOOL, "-o", "/dev/full");
}
