/* --names: weights under other names. */
#include "exported.h"

TestSuite(weight_names, .init = find_shipped_weights);

/* What lenet's variables are called in another framework. */
static const char *const pairs[][2] = {
    {"conv1/weights", "features.0.weight"},    {"conv1/biases", "features.0.bias"},
    {"conv2/weights", "features.3.weight"},    {"conv2/biases", "features.3.bias"},
    {"dense1/weights", "classifier.0.weight"}, {"dense1/biases", "classifier.0.bias"},
    {"dense2/weights", "classifier.2.weight"}, {"dense2/biases", "classifier.2.bias"},
};
enum { COUNT = sizeof pairs / sizeof *pairs };

/* The weights that ship with atled, under those names. */
static const char *renamed_weights(const char *name)
{
    const char *path = scratch_file(name);
    atl_npz *own = atl_npz_open(source_file("models/digits.npz"));
    atl_npz_entry entry[COUNT];
    cr_assert(own, "%s", atl_error());
    for (int i = 0; i < COUNT; i++) {
        atl_tensor *value = atl_npz_read(own, pairs[i][0]);
        cr_assert(value, "%s", atl_error());
        entry[i] = (atl_npz_entry){pairs[i][1], value};
    }
    cr_assert(atl_is_safetensors_name(path) ? !atl_write_safetensors(path, COUNT, entry)
                                            : !atl_write_npz(path, COUNT, entry),
              "%s", atl_error());
    for (int i = 0; i < COUNT; i++)
        atl_tensor_free((atl_tensor *)(uintptr_t)entry[i].value);
    atl_npz_close(own);
    return path;
}

static const char *text_file(const char *name, const char *text)
{
    const char *path = scratch_file(name);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
    return path;
}

static const char *names_file(void)
{
    char text[2000] = "{";
    for (int i = 0; i < COUNT; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s\n  \"%s\": \"%s\"", i ? "," : "", pairs[i][0],
                 pairs[i][1]);
    strcat(text, "\n}\n");
    return text_file("names.json", text);
}

static void expect_same_files(const char *a, const char *b)
{
    FILE *one = fopen(a, "rb"), *other = fopen(b, "rb");
    cr_assert(one && other);
    int x, y;
    do {
        x = fgetc(one);
        y = fgetc(other);
    } while (x == y && x != EOF);
    cr_expect(x == y, "%s and %s differ", a, b);
    fclose(one);
    fclose(other);
}

/* A network by its name, and the same as a file: the exported model has the weights. */
Test(weight_names, are_found_by_the_map)
{
    const char *names = names_file(), *own = scratch_file("own.onnx"), *mapped = scratch_file("mapped.onnx");
    cr_assert_code(RUN("export", "--model", "lenet", "-o", own), 0);
    for (int i = 0; i < 2; i++) {
        const char *weights = renamed_weights(i ? "other.safetensors" : "other.npz");
        cr_assert_code(RUN("export", "--model", "lenet", "-w", weights, "--names", names, "-o", mapped), 0);
        expect_same_files(own, mapped);
        cr_assert_code(RUN("export", "--model", own, "-w", weights, "--names", names, "-o", mapped), 0);
        cr_assert_refused(3, "(--names FILE.json says what variables are called there)", "export", "--model", own, "-w",
                          weights, "-o", mapped);
    }
}

Test(weight_names, eval_and_train_take_them)
{
    const char *names = names_file(), *weights = renamed_weights("other.safetensors");
    cr_assert_code(RUN("dot", "--model", "lenet", "-w", weights, "--names", names, "-o", scratch_file("net.dot")), 0);
    cr_assert_code(RUN("profile", "--model", "lenet", "-w", weights, "--names", names, "--runs", "1"), 0);
}

Test(weight_names, mistakes_say_what_to_do)
{
    const char *weights = renamed_weights("other.npz"), *out = scratch_file("mapped.onnx"),
               *own = exported("lenet", NULL);
    cr_assert_refused(3, "no/such.json", "export", "--model", "lenet", "-w", weights, "--names", "no/such.json", "-o",
                      out);
    cr_assert_refused(3, "line 2: ", "export", "--model", "lenet", "-w", weights, "--names",
                      text_file("bad.json", "{\n oops}"), "-o", out);
    cr_assert_refused(3, "is no object", "export", "--model", "lenet", "-w", weights, "--names",
                      text_file("list.json", "[1, 2]"), "-o", out);
    cr_assert_refused(3, "gives 'conv1/weights' no text", "export", "--model", "lenet", "-w", weights, "--names",
                      text_file("number.json", "{\"conv1/weights\": 1}"), "-o", out);
    cr_assert_refused(3, "but the graph has no variable of that name", "export", "--model", "lenet", "-w", weights,
                      "--names", text_file("other.json", "{\"conv9/weights\": \"a\"}"), "-o", out);
    cr_assert_refused(2, "--names says what variables are called in --weights", "export", "--model", own, "--names",
                      names_file(), "-o", out);
}
