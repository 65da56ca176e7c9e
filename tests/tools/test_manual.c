/* Manual pages: made of the option tables, and right in the eyes of the formatter. */
#include "command.h"

static const char *const commands[] = {"predict", "fool",   "attack", "verify",  "explain",   "train",
                                       "eval",    "merge",  "dot",    "profile", "info",      "run",
                                       "grad",    "export", "check",  "manual",  "completion"};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

Test(manual, every_command_has_a_page_with_all_its_options)
{
    for (int i = 0; i < COMMANDS; i++) {
        command_run page = RUN("manual", commands[i]), help = RUN(commands[i], "--help");
        cr_assert_code(page, 0);
        cr_assert_mentions(page.out, ".SH NAME\natled\\-");
        cr_assert_mentions(page.out, ".SH EXIT STATUS");
        int options = 0, described = 0;
        for (const char *at = strstr(help.out, "\noptions:"); (at = strstr(at, "--")); at += 2)
            options += strncmp(at - 7, "\n      ", 7) == 0 || strncmp(at - 7, "\n  -", 4) == 0;
        for (const char *at = page.out; (at = strstr(at, "\\fB\\-\\-")); at++)
            described += at[-1] == '\n' || at[-1] == ' ';
        cr_assert_geq(described, options, "%s: %d of %d options", commands[i], described, options);
    }
}

Test(manual, the_main_page_lists_the_commands)
{
    command_run page = RUN("manual");
    cr_assert_code(page, 0);
    for (int i = 0; i < COMMANDS; i++) {
        char name[64];
        snprintf(name, sizeof name, "atled\\-%s (1)", commands[i]);
        cr_assert_mentions(page.out, name);
    }
}

Test(manual, an_unknown_command_is_refused) { cr_assert_refused(2, "there is no command 'frob'", "manual", "frob"); }

Test(manual, the_formatter_finds_no_mistake)
{
    if (system("groff --version > /dev/null 2>&1") != 0)
        cr_skip_test("groff is not installed");
    for (int i = 0; i <= COMMANDS; i++) {
        char line[4096];
        const char *told = scratch_file("groff");
        snprintf(line, sizeof line, "'%s/tools/atled' manual %s | groff -man -ww -Tutf8 2>'%s' >/dev/null",
                 ATLED_BUILD_ROOT, i < COMMANDS ? commands[i] : "", told);
        cr_assert_eq(system(line), 0);
        cr_assert_str_eq(whole_file(told), "", "%s", i < COMMANDS ? commands[i] : "atled");
    }
}
