/* atled completion: scripts that complete commands and options, made of the tables that --help is made of. */
#include <string.h>

#include "commands.h"

/* What may follow an option, or stand as an operand. */
static int takes_file(const command_option *o)
{
    return takes_argument(o) && o->argument && (strstr(o->argument, "FILE") || strstr(o->argument, "DIR"));
}

static int takes_file_operand(const command_line *line)
{
    return line->operands && (!line->operand_words || strstr(line->operands, "FILE"));
}

/* "a b c": the words of a null-terminated list */
static void write_words(const char *const *words)
{
    for (int i = 0; words && words[i]; i++)
        printf("%s%s", i ? " " : "", words[i]);
}

/* The text with a backslash before each of the characters `special`, and ' as the shell's quotes need it. */
static void write_quoted(const char *text, const char *special, const char *quote)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs(quote, stdout);
        else
            printf("%s%c", strchr(special, *text) ? "\\" : "", *text);
}

static void for_each_command(void (*visit)(const command_line *line, void *context))
{
    for (int i = 0; i < subcommand_count; i++)
        visit_options(subcommands[i].run, subcommands[i].name, visit, NULL);
}

/* ---- bash ---- */

/* Of a list "a,b,": the words after the last comma, each with what stands before it. */
static void write_bash_list(const char *const *words)
{
    fputs("mapfile -t COMPREPLY < <([[ $word = *,* ]] && list=${word%,*},; compgen -P \"$list\" -W '", stdout);
    write_words(words);
    fputs("' -- \"${word##*,}\") ;;\n", stdout);
}

static void write_bash_option(const command_option *o)
{
    if (!takes_argument(o))
        return;
    printf("        --%s", o->name);
    if (o->letter)
        printf(" | -%c", o->letter);
    fputs(") ", stdout);
    if (o->several) {
        write_bash_list(o->choices);
    } else if (o->choices) {
        fputs("mapfile -t COMPREPLY < <(compgen -W '", stdout);
        write_words(o->choices);
        printf("' %s-- \"$word\") ;;\n", o->or_ending ? "-f " : "");
    } else {
        fputs(takes_file(o) ? "mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n" : ";;\n", stdout);
    }
}

static void write_bash_command(const command_line *line, void *context)
{
    (void)context;
    printf("    %s)\n        case $before in\n", line->name);
    for (const command_option *o = line->options; o->name; o++)
        write_bash_option(o);
    fputs("        *) mapfile -t COMPREPLY < <(compgen -W '--help", stdout);
    for (const command_option *o = line->options; o->name; o++)
        printf(" --%s", o->name);
    fputs(line->operand_words ? " " : "", stdout);
    write_words(line->operand_words);
    printf("' %s-- \"$word\") ;;\n        esac\n        ;;\n", takes_file_operand(line) ? "-f " : "");
}

static void write_bash(void)
{
    fputs("# bash completion for atled\n_atled() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} list=\n"
          "    # --option=word is three words here\n"
          "    [ \"$word\" != = ] || word=\n"
          "    [ \"$before\" != = ] || before=${COMP_WORDS[COMP_CWORD-2]}\n"
          "    COMPREPLY=()\n    if [ \"$COMP_CWORD\" = 1 ]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W '--help --version",
          stdout);
    for (int i = 0; i < subcommand_count; i++)
        printf(" %s", subcommands[i].name);
    fputs("' -- \"$word\")\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n", stdout);
    for_each_command(write_bash_command);
    fputs("    esac\n}\ncomplete -o filenames -F _atled atled\n", stdout);
}

/* ---- zsh ---- */

static void write_zsh_argument(const command_option *o)
{
    if (!takes_argument(o))
        return;
    fputs(":", stdout);
    write_quoted(o->argument ? o->argument : "WORD", ":[]\\", "'\\''");
    if (o->choices && o->or_ending) {
        fputs(":{_alternative \"words\\:word\\:(", stdout);
        write_words(o->choices);
        printf(")\" \"files\\:file\\:_files -g \\\"*%s\\\"\"}", o->or_ending);
    } else if (o->choices) {
        fputs(o->several ? ":{_values -s , word " : ":(", stdout);
        write_words(o->choices);
        fputs(o->several ? "}" : ")", stdout);
    } else {
        fputs(takes_file(o) ? ":_files" : ":", stdout);
    }
}

static void write_zsh_option(const command_option *o)
{
    /* The argument may be a word of its own, or follow in the same word: -mNAME, --model=NAME. */
    const char *after_letter = takes_argument(o) ? "+" : "", *after_name = takes_argument(o) ? "=" : "";
    fputs("            '", stdout);
    if (o->texts)
        fputs("*", stdout);
    if (o->letter && !o->texts)
        printf("(-%c --%s)'{-%c%s,--%s%s}'", o->letter, o->name, o->letter, after_letter, o->name, after_name);
    else
        printf("--%s%s", o->name, after_name);
    fputs("[", stdout);
    write_quoted(o->help ? o->help : "", ":[]\\", "'\\''");
    fputs("]", stdout);
    write_zsh_argument(o);
    fputs("' \\\n", stdout);
}

static void write_zsh_command(const command_line *line, void *context)
{
    (void)context;
    printf("    %s)\n        _arguments -s \\\n", line->name);
    for (const command_option *o = line->options; o->name; o++)
        write_zsh_option(o);
    write_zsh_option(&help_option);
    if (line->operand_words) {
        fputs("            '*:word:{_alternative \"words\\:word\\:(", stdout);
        write_words(line->operand_words);
        printf(")\"%s}'\n        ;;\n", takes_file_operand(line) ? " \"files\\:file\\:_files\"" : "");
    } else {
        printf("            %s\n        ;;\n", line->operands ? "'*:file:_files'" : "&& return 0");
    }
}

static void write_zsh(void)
{
    fputs("#compdef atled\n_atled() {\n    local -a commands\n    commands=(\n", stdout);
    for (int i = 0; i < subcommand_count; i++) {
        printf("        '%s:", subcommands[i].name);
        write_quoted(subcommands[i].about, ":\\", "'\\''");
        fputs("'\n", stdout);
    }
    fputs("    )\n    if ((CURRENT == 2)); then\n        _describe command commands\n        return\n    fi\n"
          "    shift words\n    ((CURRENT--))\n    case $words[1] in\n",
          stdout);
    for_each_command(write_zsh_command);
    fputs(
        "    esac\n}\nif [ \"$funcstack[1]\" = _atled ]; then\n    _atled \"$@\"\nelse\n    compdef _atled atled\nfi\n",
        stdout);
}

/* ---- fish ---- */

static void write_fish_option(const command_line *line, const command_option *o)
{
    printf("complete -c atled -n '__fish_seen_subcommand_from %s' -l %s", line->name, o->name);
    if (o->letter)
        printf(" -s %c", o->letter);
    if (takes_argument(o))
        fputs(takes_file(o) || o->or_ending ? " -r -F" : " -x", stdout);
    if (o->choices) {
        fputs(o->several ? " -a '(__fish_complete_list , \"printf %s\\\\n " : " -a '", stdout);
        write_words(o->choices);
        fputs(o->several ? "\")'" : "'", stdout);
    }
    fputs(" -d '", stdout);
    write_quoted(o->help ? o->help : "", "\\", "\\'");
    fputs("'\n", stdout);
}

static void write_fish_command(const command_line *line, void *context)
{
    (void)context;
    for (const command_option *o = line->options; o->name; o++)
        write_fish_option(line, o);
    write_fish_option(line, &help_option);
    if (takes_file_operand(line))
        printf("complete -c atled -n '__fish_seen_subcommand_from %s' -F\n", line->name);
    if (line->operand_words) {
        printf("complete -c atled -n '__fish_seen_subcommand_from %s' -a '", line->name);
        write_words(line->operand_words);
        fputs("'\n", stdout);
    }
}

static void write_fish(void)
{
    fputs("# fish completion for atled\ncomplete -c atled -f\n", stdout);
    for (int i = 0; i < subcommand_count; i++) {
        printf("complete -c atled -n __fish_use_subcommand -a %s -d '", subcommands[i].name);
        write_quoted(subcommands[i].about, "\\", "\\'");
        fputs("'\n", stdout);
    }
    for_each_command(write_fish_command);
}

int atled_completion(int argc, char **argv)
{
    static void (*const writers[])(void) = {write_bash, write_zsh, write_fish};
    static const char *const shells[] = {"bash", "zsh", "fish", NULL};
    const command_option options[] = {{0}};
    static const char *const examples[] = {"source <(atled completion bash)", "complete in this shell",
                                           "atled completion fish > ~/.config/fish/completions/atled.fish",
                                           "complete in each fish", NULL};
    const command_line line = {"completion",
                               .about = "print what completes commands and options in a shell",
                               .operands = "bash|zsh|fish",
                               .operand_words = shells,
                               .least_operands = 1,
                               .most_operands = 1,
                               .options = options,
                               .examples = examples};
    int operand, code;
    if (!read_options(&line, argc, argv, &operand, &code))
        return code;
    for (int i = 0; shells[i]; i++)
        if (strcmp(argv[operand], shells[i]) == 0) {
            writers[i]();
            return EXIT_GOAL_MET;
        }
    return report_error("completion", EXIT_USAGE, "there is no completion for '%s': bash, zsh and fish have one",
                        argv[operand]);
}
