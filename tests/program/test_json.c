/* JSON, for any locale and any bytes in a name. */
#include "program/json.h"

#include "json.h"
#include "comma_locale.h"

static const char *written_text(const char *text)
{
    static char buffer[512];
    FILE *file = fmemopen(buffer, sizeof buffer, "w");
    atl_write_json_text(file, text);
    fclose(file);
    return buffer;
}

static const char *written_number(double number, int decimals)
{
    static char buffer[512];
    FILE *file = fmemopen(buffer, sizeof buffer, "w");
    atl_write_json_number(file, number, decimals);
    fclose(file);
    return buffer;
}

Test(json, escapes)
{
    cr_expect_str_eq(written_text("conv1/weights"), "\"conv1/weights\"");
    cr_expect_str_eq(written_text("</script>"), "\"\\u003c/script>\"");
    cr_expect_str_eq(written_text("a\"b\\c"), "\"a\\\"b\\\\c\"");
    cr_expect_str_eq(written_text("\x1b[31m\n\x7f"), "\"\\u001b[31m\\u000a\\u007f\"");
    cr_expect_str_eq(written_text("\xc3\xa4\xe2\x82\xac"), "\"\xc3\xa4\xe2\x82\xac\"");
}

/* A byte that begins no character, a stray continuation byte, a truncated character, an overlong one. */
Test(json, bytes_that_are_not_utf8)
{
    cr_expect_str_eq(written_text("a\xff"), "\"a\\ufffd\"");
    cr_expect_str_eq(written_text("\x80z"), "\"\\ufffdz\"");
    cr_expect_str_eq(written_text("\xe2\x82"), "\"\\ufffd\\ufffd\"");
    cr_expect_str_eq(written_text("\xc0\xaf"), "\"\\ufffd\\ufffd\"");
}

static void check_numbers(void)
{
    cr_expect_str_eq(written_number(15941.4432, 3), "15941.443");
    cr_expect_str_eq(written_number(-0.5, 1), "-0.5");
    cr_expect_str_eq(written_number(1e15, 0), "1000000000000000");
    cr_expect_str_eq(written_number(NAN, 3), "null");
    cr_expect_str_eq(written_number(-INFINITY, 3), "null");
    cr_expect_eq(strlen(written_number(-1.7e308, 9)), 320);
}

Test(json, numbers) { check_numbers(); }

Test(json, numbers_in_a_locale_with_commas)
{
    use_comma_or_skip();
    check_numbers();
}

/* The profile of a program with a node whose name is not UTF-8, in such a locale. */
Test(json, profile_in_a_locale_with_commas)
{
    use_comma_or_skip();
    static char text[1 << 16];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x\xff", ATL_FLOAT32, ATL_SHAPE(64, 64)), *y = atl_named(atl_tanh(x), "\xe2\x28");
    atl_program *p = atl_compile(g, ATL_NODES(y));
    atl_tensor *value = random_tensor(ATL_SHAPE(64, 64), -1, 1);
    cr_assert_eq(atl_program_profile(p, ATL_FEED(x, value), 2), ATL_OK, "%s", atl_error());
    FILE *file = fmemopen(text, sizeof text, "w");
    cr_assert_eq(atl_program_write_profile(p, file, ATL_PROFILE_JSON, &(atl_machine_peak){1e9, 1.5e9}), ATL_OK);
    fclose(file);
    cr_expect(is_json(text), "%s", text);
    cr_expect_null(strchr(text, (char)0xff));
    atl_tensor_free(value);
    atl_program_free(p);
    atl_graph_free(g);
}
