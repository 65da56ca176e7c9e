/* Minutes: 5 */
/* atled verify: every certificate holds, and none after one byte of what it is about has changed. */
#include "attacked.h"

#include "tools/digest.c"

enum { PICTURES = 50 };

/* The commands take no more words than a test can give: PICTURES certificates at once. */
static command_run verify_all(const char *out)
{
    static char path[PICTURES][4096];
    const char *words[PICTURES + 2] = {"verify"};
    for (int i = 0; i < PICTURES; i++) {
        snprintf(path[i], sizeof path[i], "%s/%06d.json", out, i);
        words[i + 1] = path[i];
    }
    return run_command(words);
}

static long size_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    cr_assert(file && fseek(file, 0, SEEK_END) == 0, "%s", path);
    long size = ftell(file);
    fclose(file);
    return size;
}

/* What is said about this certificate; null if nothing is. */
static const char *verdict_on(const char *said, const char *out, int i)
{
    const char *line = strstr(said, ATL_NAME("%s/%06d.json: FAILS: ", out, i));
    return line ? strstr(line, "FAILS") : NULL;
}

Test(verify, one_changed_byte_is_found_and_named, .timeout = 280)
{
    static const char *const suffix[] = {".original.png", ".png", ".json"};
    static const char *const says[] = {"the unchanged picture", "the changed picture", "its own digest is wrong"};
    const char *data = write_data(PICTURES), *weights = trained(data), *out = scratch_file("many");
    command_run run = ATTACK(data, weights, "-o", out, "--eps", "40/255", "-q");
    cr_assert(run.code == 0 || run.code == 1, "%s", run.err);
    run = verify_all(out);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, ATL_NAME("%d of %d hold", PICTURES, PICTURES));
    atl_tensor *chance = random_tensor(ATL_SHAPE(PICTURES), 0, 1);
    for (int i = 0; i < PICTURES; i++) {
        const char *path = in(out, ATL_NAME("%06d%s", i, suffix[i % 3]));
        change_byte(path, (long)(atl_floats(chance)[i] * (float)size_of(path)));
    }
    run = verify_all(out);
    cr_assert_code(run, 1);
    cr_assert_mentions(run.out, ATL_NAME("0 of %d hold", PICTURES));
    for (int i = 0; i < PICTURES; i++) {
        const char *verdict = verdict_on(run.out, out, i);
        cr_assert(verdict, "nothing is said about %d", i);
        cr_assert(strncmp(verdict + strlen("FAILS: "), says[i % 3], strlen(says[i % 3])) == 0, "%d: %.200s", i,
                  verdict);
        const char *path = in(out, ATL_NAME("%06d%s", i, suffix[i % 3])); /* and back */
        change_byte(path, (long)(atl_floats(chance)[i] * (float)size_of(path)));
    }
    atl_tensor_free(chance);
    run = verify_all(out);
    cr_assert_code(run, 0);
}

/* A certificate with a right digest of its own that tells something else: each number is computed again. */
Test(verify, a_certificate_of_another_model_or_cut_or_missing_fails, .timeout = 280)
{
    const char *data = write_data(3), *weights = trained(data), *out = scratch_file("one");
    (void)ATTACK(data, weights, "-o", out, "--eps", "40/255", "-q");
    const char *certificate = in(out, "000001.json");
    cr_assert_code(RUN("verify", certificate), 0);
    cr_assert_code(RUN("verify", certificate, "--weights", data), 1);
    command_run run = RUN("verify", certificate, in(out, "999999.json"));
    cr_assert_code(run, 1);
    cr_assert_mentions(run.out, "1 of 2 hold");
    cr_assert_mentions(run.out, "missing, empty or cannot be read");
    char *text = strdup(whole_file(certificate));
    for (size_t length = 0; length < strlen(text); length += 97) {
        FILE *file = fopen(certificate, "wb");
        cr_assert(fwrite(text, 1, length, file) == length && fclose(file) == 0);
        cr_assert_code(RUN("verify", certificate), 1);
    }
    free(text);
    run = RUN("verify", weights, in(out, "000000.png"));
    cr_assert_code(run, 1);
    cr_assert_mentions(run.out, "0 of 2 hold");
}

/* The certificate with other words in it, and a digest of its own that is right. */
static void forge(const char *path, const char *from, const char *to)
{
    char text[16384], digest[DIGEST_TEXT];
    const char *old = whole_file(path), *at = strstr(old, from), *seal = strstr(old, ",\n  \"seal\"");
    cr_assert(at && seal && at < seal, "%s", old);
    int length = snprintf(text, sizeof text, "%.*s%s%.*s", (int)(at - old), old, to,
                          (int)(seal - at) - (int)strlen(from), at + strlen(from));
    digest_of_bytes(text, (size_t)length, digest);
    FILE *file = fopen(path, "wb");
    fprintf(file, "%s,\n  \"seal\": \"%s\"\n}\n", text, digest);
    fclose(file);
}

Test(verify, a_forged_certificate_of_jpeg_fails, .timeout = 280)
{
    const char *data = write_data(4), *weights = trained(data), *out = scratch_file("jpeg");
    (void)ATTACK(data, weights, "-o", out, "--eps", "60/255", "--jpeg", "85", "-q");
    command_run run = RUN("verify", in(out, "000002.json"));
    cr_assert_code(run, 0);
    forge(in(out, "000002.json"), "\"jpeg\": 85", "\"jpeg\": 85");
    run = RUN("verify", in(out, "000002.json"));
    cr_assert_code(run, 0);
    forge(in(out, "000002.json"), "\"jpeg\": 85", "\"jpeg\": 84");
    run = RUN("verify", in(out, "000002.json"));
    cr_assert_code(run, 1);
    cr_assert_mentions(run.out, "000002.jpg is no JPEG file of quality 84");
    forge(in(out, "000002.json"), "\"jpeg\": 84", "\"jpeg\": 500");
    run = RUN("verify", in(out, "000002.json"));
    cr_assert_code(run, 1);
    cr_assert_mentions(run.out, "its quality of JPEG, 500");
}
