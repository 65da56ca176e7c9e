/* Completion scripts: accepted by their shells, and right where a person presses the tab key. */
#include "command.h"

static int has(const char *shell)
{
    char line[64];
    snprintf(line, sizeof line, "%s --version > /dev/null 2>&1", shell);
    return system(line) == 0;
}

/* What the shell's command line prints; $script is the completion script. */
static const char *printed_by(const char *shell, const char *words)
{
    const char *script = scratch_file("completion"), *out = scratch_file("printed"), *program = scratch_file("words");
    command_run made = RUN("completion", shell);
    cr_assert_code(made, 0);
    FILE *file = fopen(script, "w");
    cr_assert(file && fputs(made.out, file) >= 0 && fclose(file) == 0);
    file = fopen(program, "w");
    cr_assert(file && fprintf(file, words, script) >= 0 && fclose(file) == 0);
    char line[4096];
    snprintf(line, sizeof line, "%s '%s' > '%s' 2>&1", shell, program, out);
    cr_assert_eq(system(line), 0, "%s: %s", line, whole_file(out));
    return whole_file(out);
}

#define PRESS(words)                                                                                                   \
    "source '%s'\nCOMP_WORDS=(" words ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_atled\necho \"${COMPREPLY[*]}\"\n"

Test(completion, bash)
{
    if (!has("bash"))
        cr_skip_test("bash is not installed");
    cr_assert_str_eq(printed_by("bash", PRESS("atled ev")), "eval\n");
    cr_assert_str_eq(printed_by("bash", PRESS("atled fool --los")), "--loss\n");
    cr_assert_str_eq(printed_by("bash", PRESS("atled fool --loss lo")), "logit\n");
    cr_assert_str_eq(printed_by("bash", PRESS("atled eval -m vg")), "vgg16\n");
    cr_assert_str_eq(printed_by("bash", PRESS("atled fool --iterations 1")), "\n");
    cr_assert_str_eq(printed_by("bash", PRESS("atled manual fo")), "fool\n");
    cr_assert_str_eq(printed_by("bash", PRESS("atled completion z")), "zsh\n");
    cr_assert_str_eq(printed_by("bash", PRESS("atled info vg")), "vgg16\n");
    cr_assert_str_eq(printed_by("bash", PRESS("atled eval --model = vg")), "vgg16\n"); /* three words of --model=vg */
    cr_assert_str_eq(printed_by("bash", PRESS("atled dot --without cse,ar")), "cse,arena\n");
    char line[512];
    snprintf(line, sizeof line, "touch '%s'\n" PRESS("atled predict '%s'") "echo ${#COMPREPLY[@]}\n",
             scratch_file("a b.png"), "%s", scratch_file("a b"));
    cr_assert_mentions(printed_by("bash", line), "a b.png\n1\n");
}

Test(completion, zsh)
{
    if (!has("zsh"))
        cr_skip_test("zsh is not installed");
    cr_assert_str_eq(printed_by("zsh", "zsh -n '%s'\n"), "");
    command_run made = RUN("completion", "zsh"); /* --model=NAME is completed, --gradient takes nothing */
    cr_assert_mentions(made.out, "'(-m --model)'{-m+,--model=}'[");
    cr_assert_mentions(made.out, "'(-g --gradient)'{-g,--gradient}'[");
}

Test(completion, fish)
{
    if (!has("fish"))
        cr_skip_test("fish is not installed");
    const char *told = printed_by("fish", "source '%s'\ncomplete -C 'atled eva'\ncomplete -C 'atled fool --loss m'\n"
                                          "complete -C 'atled manual ver'\ncomplete -C 'atled info squ'\n"
                                          "complete -C 'atled dot --without cse,ar'\n");
    cr_assert_mentions(told, "eval\t");
    cr_assert_mentions(told, "margin\t");
    cr_assert_mentions(told, "verify");
    cr_assert_mentions(told, "squeezenet");
    cr_assert_mentions(told, "cse,arena");
    cr_assert(!strstr(told, "logit\t"));
}

Test(completion, another_shell_is_refused)
{
    cr_assert_refused(2, "'tcsh'", "completion", "tcsh");
    cr_assert_refused(2, "is missing", "completion");
}
