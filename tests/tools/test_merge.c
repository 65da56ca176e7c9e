/* Minutes: 5 */
/* --shard and atled merge: the bytes of one process, interrupted shards, and shards that do not belong together. */
#include "command.h"
#include "few_pictures.h"

#include <dirent.h>
#include <sys/stat.h>

/* The code is the same for each number of shards. */
enum { FEWEST_SHARDS = FEWER(1, 3), MOST_SHARDS = 3, MOST_WORDS = 40 };

/* A network for the few pictures, trained by the command. */
static const char *trained_for(const char *steps, const char *data)
{
    const char *weights = scratch_file("weights.npz");
    command_run run = RUN("train", "--model", "mlp", "--data", data, "--steps", steps, "-o", weights, "--quiet");
    cr_assert_code(run, 0);
    return weights;
}

static const char *trained(const char *data) { return trained_for("60", data); }

/* A name that no other file has. */
static const char *fresh(void)
{
    static int count;
    char name[32];
    snprintf(name, sizeof name, "fresh-%d", ++count);
    return scratch_file(name);
}

static const char *in(const char *folder, const char *name)
{
    static char paths[256][4096];
    static int at;
    char *path = paths[at++ % 256];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void cr_assert_same_file(const char *a, const char *b)
{
    FILE *one = fopen(a, "rb"), *two = fopen(b, "rb");
    cr_assert(one && two, "%s or %s is missing", a, b);
    for (int x = 0; x != EOF;) {
        x = getc(one);
        cr_assert_eq(x, getc(two), "%s and %s differ", a, b);
    }
    fclose(one);
    fclose(two);
}

/* Each file of the folder is in the other one, with the same bytes; returns how many there are, without records. */
static int cr_assert_same_folder(const char *a, const char *b)
{
    DIR *folder = opendir(a);
    int count = 0;
    cr_assert(folder, "%s", a);
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && strncmp(entry->d_name, "shard-", 6) != 0) {
            cr_assert_same_file(in(a, entry->d_name), in(b, entry->d_name));
            count++;
        }
    closedir(folder);
    return count;
}

/* Without the lines with times. */
static const char *without_seconds(char *text)
{
    char *line = strstr(text, "\nseconds "), *end = line ? strchr(line + 1, '\n') : NULL;
    if (end)
        memmove(line, end, strlen(end) + 1);
    return text;
}

/* The words with --shard I/N -o FOLDER. */
static command_run run_shard(const char *const *words, int shard, int shards, const char *folder)
{
    const char *all[MOST_WORDS + 8];
    char text[32];
    int count = 0;
    snprintf(text, sizeof text, "%d/%d", shard, shards);
    for (; words[count]; count++)
        all[count] = words[count];
    all[count++] = "--shard";
    all[count++] = text;
    if (folder) {
        all[count++] = "-o";
        all[count++] = folder;
    }
    all[count] = NULL;
    return run_command(all);
}

/* The records of all shards, or of those in bits, are joined. */
static command_run merge(const char *const *folder, int shards, unsigned bits, const char *output)
{
    const char *words[MOST_SHARDS + 4] = {"merge"};
    char name[64];
    int count = 1;
    if (output) {
        words[count++] = "-o";
        words[count++] = output;
    }
    for (int i = 0; i < shards; i++)
        if (bits >> i & 1) {
            snprintf(name, sizeof name, "shard-%d-of-%d.jsonl", i + 1, shards);
            words[count++] = in(folder[i], name);
        }
    return run_command(words);
}

/* ---- attack ------------------------------------------------------------------------------------------------------ */

Test(merge, an_attack_in_shards_gives_the_same_bytes, .timeout = 300)
{
    enum { PICTURES = FEWER(13, 7) };
    const char *data = write_data(PICTURES), *weights = trained(data), *whole = scratch_file("whole");
    const char *const words[] = {"attack", "-m",    "mlp",    "-d", data,  "-w",
                                 weights,  "--eps", "40/255", "-t", "all", NULL};
    command_run one =
        RUN("attack", "-m", "mlp", "-d", data, "-w", weights, "--eps", "40/255", "-t", "all", "-o", whole);
    for (int shards = FEWEST_SHARDS; shards <= MOST_SHARDS; shards++)
        for (int is_apart = 0; is_apart < 2; is_apart++) { /* a folder for each, or one for all */
            const char *folder[MOST_SHARDS], *joined = fresh();
            for (int i = 0; i < shards; i++) {
                folder[i] = i && !is_apart ? folder[0] : fresh();
                cr_assert_code(run_shard(words, i + 1, shards, folder[i]), 0);
                cr_assert_code(run_shard(words, i + 1, shards, folder[i]), 0); /* nothing is left to do */
            }
            command_run all = merge(folder, shards, ~0u, is_apart ? joined : NULL);
            cr_assert_code(all, one.code);
            cr_assert_str_eq(all.out, without_seconds(one.out));
            cr_assert_geq(cr_assert_same_folder(whole, is_apart ? joined : folder[0]), 3 * 2 * PICTURES + 1);
        }
}

/* Keeps the first lines of a file, and a part of the next. */
static void cut_after(const char *path, int lines)
{
    char *text = whole_file(path), *end = text;
    for (int i = 0; i < lines; i++)
        end = strchr(end, '\n') + 1;
    FILE *file = fopen(path, "w");
    cr_assert(file && fprintf(file, "%.*s", (int)(end - text) + 20, text) > 0 && fclose(file) == 0);
}

Test(merge, an_interrupted_shard_continues, .timeout = 300)
{
    const char *data = write_data(12), *weights = trained(data), *whole = scratch_file("whole");
    const char *const words[] = {"attack", "-m", "mlp", "-d", data, "-w", weights, "--eps", "40/255", NULL};
    command_run one = RUN("attack", "-m", "mlp", "-d", data, "-w", weights, "--eps", "40/255", "-o", whole);
    const char *out = scratch_file("out"), *folder[] = {out, out};
    cr_assert_code(run_shard(words, 1, 2, out), 0);
    cr_assert_code(run_shard(words, 2, 2, out), 0);
    const char *records = in(out, "shard-2-of-2.jsonl");
    cut_after(records, 3); /* as if the process had been killed: the header and two records are left */
    command_run refused = merge(folder, 2, 3, NULL);
    cr_assert_code(refused, 3);
    cr_assert_mentions(refused.err, "2 of the 6 tasks of shard 2");
    command_run again = run_shard(words, 2, 2, out);
    cr_assert_code(again, 0);
    cr_assert_mentions(again.err, "2 of 6");
    command_run all = merge(folder, 2, 3, NULL);
    cr_assert_code(all, one.code);
    cr_assert_str_eq(all.out, without_seconds(one.out));
    cr_assert_same_folder(whole, out);
}

/* ---- eval -------------------------------------------------------------------------------------------------------- */

Test(merge, an_evaluation_in_shards_says_the_same, .timeout = 300)
{
    const char *data = write_data(31), *weights = trained_for("3", data);
    const char *const words[] = {"eval", "-m", "mlp", "-d", data, "-w", weights, "-b", "4", "--confusion", NULL};
    command_run one = run_command(words);
    cr_assert_code(one, 0);
    for (int shards = 1; shards <= MOST_SHARDS; shards++) {
        char names[MOST_SHARDS][4096], part[32];
        const char *merged[MOST_SHARDS + 2] = {"merge"};
        for (int i = 0; i < shards; i++) {
            snprintf(names[i], sizeof names[i], "%s", fresh());
            snprintf(part, sizeof part, "%d/%d", i + 1, shards);
            command_run run = RUN("eval", "-m", "mlp", "-d", data, "-w", weights, "-b", "4", "--confusion", "--shard",
                                  part, "--shard-file", names[i]);
            cr_assert_code(run, 0);
            if (i == 0) { /* ended within its first record */
                cut_after(names[i], 1);
                run = RUN("eval", "-m", "mlp", "-d", data, "-w", weights, "-b", "4", "--confusion", "--shard", part,
                          "--shard-file", names[i]);
                cr_assert_code(run, 0);
            }
            merged[shards - i] = names[i]; /* in any order */
        }
        command_run all = run_command(merged);
        cr_assert_code(all, 0);
        cr_assert_str_eq(all.out, one.out);
    }
}

Test(merge, refuses_other_data, .timeout = 300)
{
    const char *data = write_data(12), *weights = trained(data), *names[] = {fresh(), fresh()};
    cr_assert_code(RUN("eval", "-m", "mlp", "-d", data, "-w", weights, "--shard", "1/2", "--shard-file", names[0]), 0);
    write_data(12); /* other random numbers, in the same file */
    cr_assert_code(RUN("eval", "-m", "mlp", "-d", data, "-w", weights, "--shard", "2/2", "--shard-file", names[1]), 0);
    cr_assert_refused(3, "images_sha256", "merge", names[0], names[1]);
}

/* ---- explain ----------------------------------------------------------------------------------------------------- */

/* Each "0.12 s" becomes "? s". */
static const char *without_times(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        size_t digits = strspn(from, "0123456789.");
        int is_time = digits && strncmp(from + digits, " s", 2) == 0;
        if (is_time)
            *to++ = '?';
        else if (digits) {
            memmove(to, from, digits);
            to += digits;
        } else {
            *to++ = *from;
            digits = 1;
        }
        from += digits;
    }
    *to = 0;
    return text;
}

Test(merge, explanations_in_shards_are_the_same, .timeout = 300)
{
    NEEDS_CAIRO();
    const char *picture[3], *out = fresh(), *page = scratch_file("page.html");
    char text[64];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "picture-%d.png", i);
        picture[i] = scratch_file(text);
        atl_tensor *pixels = random_tensor(ATL_SHAPE(32, 32, 3), 0, 255);
        cr_assert(atl_write_png(picture[i], pixels) == ATL_OK);
        atl_tensor_free(pixels);
    }
#define EXPLAIN(...)                                                                                                   \
    RUN("explain", "-m", "cifar10", "--method", FEWER("gradient,grad-cam", "gradient"), "--curves", "--report", page,  \
        "--dream", "cat", "--iterations", "3", "-o", out, picture[0], picture[1], picture[2], ##__VA_ARGS__)
    command_run one = EXPLAIN();
    cr_assert_code(one, 0);
    without_times(one.out);
    const char *html = whole_file(page), *npy = in(out, "picture-2-gradient.npy"), *kept = fresh();
    cr_assert(rename(npy, kept) == 0);
    for (int shards = FEWER(1, 2); shards <= FEWER(MOST_SHARDS, 2); shards++) {
        for (int i = 0; i < shards; i++) {
            snprintf(text, sizeof text, "%d/%d", i + 1, shards);
            cr_assert_code(EXPLAIN("--shard", text), 0);
        }
        const char *folder[] = {out, out, out};
        command_run all = merge(folder, shards, ~0u, NULL);
        cr_assert_code(all, 0);
        cr_assert_str_eq(without_times(all.out), one.out);
        cr_assert_str_eq(whole_file(page), html);
        cr_assert_same_file(npy, kept);
    }
    remove(npy);
    const char *first = in(out, "shard-1-of-2.jsonl"), *second = in(out, "shard-2-of-2.jsonl");
    cr_assert_refused(3, "picture-2-gradient.npy", "merge", first, second);
}

/* ---- fool -------------------------------------------------------------------------------------------------------- */

Test(merge, targets_in_shards_are_the_same, .timeout = 300)
{
    NEEDS_CAIRO();
    const char *folder = fresh(), *picture = in(folder, "f.png"), *sheet = in(folder, "sheet.png"), *kept = fresh(),
               *kept_picture = fresh();
    char part[32];
    mkdir(folder, 0777);
#define FOOL(...) RUN("fool", "-t", "all", "--iterations", "30", "-o", picture, "--sheet", sheet, ##__VA_ARGS__)
    command_run one = FOOL();
    cr_assert(rename(sheet, kept) == 0 && rename(in(folder, "f-7.png"), kept_picture) == 0);
    for (int shards = 1; shards <= MOST_SHARDS; shards++) {
        const char *folders[] = {folder, folder, folder};
        for (int i = 0; i < shards; i++) {
            snprintf(part, sizeof part, "%d/%d", i + 1, shards);
            cr_assert_code(FOOL("--shard", part), 0);
        }
        command_run all = merge(folders, shards, ~0u, NULL);
        cr_assert_code(all, one.code);
        cr_assert_same_file(sheet, kept);
        cr_assert_same_file(in(folder, "f-7.png"), kept_picture);
        cr_assert_str_eq(strstr(all.out, " of 10 fooled"), strstr(one.out, " of 10 fooled"));
    }
    cr_assert_refused(2, "makes one change of all pictures", "attack", "-m", "cifar10", picture, "--eps", "8/255",
                      "--method", "universal", "--shard", "1/2");
    cr_assert_refused(2, "--spec does not go with --shard", "attack", "-m", "net.onnx", "--spec", "property.vnnlib",
                      "--shard", "1/2");
    cr_assert_refused(2, "one target cannot be divided", "fool", "-t", "cat", "-o", picture, "--shard", "1/2");
}

/* ---- mistakes ---------------------------------------------------------------------------------------------------- */

Test(merge, refuses_shards_that_do_not_belong_together, .timeout = 300)
{
    const char *data = write_data(12), *weights = trained(data), *out = scratch_file("out"), *folder[] = {out, out};
    const char *const words[] = {"attack", "-m", "mlp", "-d", data, "-w", weights, "--eps", "40/255", NULL},
                      *const other[] = {"attack", "-m", "mlp", "-d", data, "-w", weights, "--eps", "20/255", NULL};
    cr_assert_code(run_shard(words, 1, 2, out), 0);
    command_run run = merge(folder, 2, 1, NULL);
    cr_assert_code(run, 3);
    cr_assert_mentions(run.err, "shard 2 of 2 is missing");
    const char *first = in(out, "shard-1-of-2.jsonl"), *second = in(out, "shard-2-of-2.jsonl");
    cr_assert_refused(3, "shard 1 is there twice", "merge", first, first);
    cr_assert_refused(3, "there is no file", "merge", first, second);
    cr_assert_refused(3, "is not what atled writes with --shard", "merge", weights);
    cr_assert_code(run_shard(other, 2, 2, out), 0);
    cr_assert_refused(3, "--eps is '20/255', not '40/255'", "merge", first, second);
    cr_assert_refused(2, "--eps is '40/255', not '20/255'", "attack", "-m", "mlp", "-d", data, "-w", weights, "--eps",
                      "40/255", "-o", out, "--shard", "2/2");
    remove(second);
    cr_assert_code(run_shard(words, 2, 3, out), 0);
    cr_assert_refused(3, "the number of shards is 3, not 2", "merge", first, in(out, "shard-2-of-3.jsonl"));
    trained_for("50", data);
    cr_assert_code(run_shard(words, 2, 2, out), 0);
    cr_assert_refused(3, "weights_sha256", "merge", first, second);
    remove(first);
    cr_assert_code(run_shard(words, 1, 2, out), 0);
    command_run good = merge(folder, 2, 3, NULL);
    cr_assert(good.code <= 1, "%s", good.err);
    trained_for("40", data);
    cr_assert_refused(3, "does not belong to what is here now", "merge", first, second);
}

Test(merge, refuses_what_is_no_shard)
{
    cr_assert_refused(2, "--shard takes I/N", "attack", "-m", "lenet", "x.png", "--eps", "1/255", "--shard", "0/4");
    cr_assert_refused(2, "--shard takes I/N", "attack", "-m", "lenet", "x.png", "--eps", "1/255", "--shard", "5/4");
    cr_assert_refused(2, "--shard takes I/N", "attack", "-m", "lenet", "x.png", "--eps", "1/255", "--shard", "1/2x");
    cr_assert_refused(2, "--shard takes I/N", "attack", "-m", "lenet", "x.png", "--eps", "1/255", "--shard", "-1/2");
    cr_assert_refused(2, "goes with --shard", "attack", "-m", "lenet", "x.png", "--eps", "1/255", "--shard-file", "f");
    cr_assert_refused(2, "SHARD", "merge");
}
