/* Minutes: 5 */
/* Each kind of ONNX file that is not valid: exit code 3, and a message that names what is wrong. */
#include "command.h"

#include "onnx/bad_models.h"

/* Some commands only, so that it does not take long: each opens a file in one of these two ways. */
static void expect_refused_file(const char *path, const char *words)
{
    command_run info = RUN("info", path), fool = RUN("fool", "--model", path, "--target", "1");
    cr_expect_eq(info.code, words ? 3 : 0, "%d: %s", info.code, info.err);
    if (!words)
        return;
    fprintf(stderr, "%s", info.err);
    cr_assert_mentions(info.err, words);
    cr_expect_eq(fool.code, 3, "%d: %s", fool.code, fool.err);
    cr_assert_mentions(fool.err, words);
}

static void expect_refused_model(made model, const char *words)
{
    const char *path = scratch_file("bad.onnx");
    write_made(path, model);
    expect_refused_file(path, words);
}

Test(bad_models, no_protobuf) { no_protobuf(expect_refused_model); }
Test(bad_models, cut_short) { cut_short_model(expect_refused_model); }
Test(bad_models, unknown_versions) { unknown_versions(expect_refused_model); }
Test(bad_models, unknown_ops) { unknown_ops(expect_refused_model); }
Test(bad_models, several_problems) { several_problems(expect_refused_model); }
Test(bad_models, values_and_their_makers) { values_and_their_makers(expect_refused_model); }
Test(bad_models, sizes_and_data) { sizes_and_data(expect_refused_model); }
Test(bad_models, types_that_do_not_agree) { types_that_do_not_agree(expect_refused_model); }
Test(bad_models, attributes_of_the_wrong_type) { attributes_of_the_wrong_type(expect_refused_model); }
Test(bad_models, names) { long_and_strange_names(expect_refused_model); }
Test(bad_models, a_million_nodes) { a_million_nodes(expect_refused_model); }
Test(bad_models, nesting_of_a_thousand) { nesting_of_a_thousand(expect_refused_model); }
Test(bad_models, external_data) { external_data(expect_refused_file); }
