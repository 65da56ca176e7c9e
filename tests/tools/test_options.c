/* Option tables: values, errors, help. */
#include "tools/closest_word.c"
#include "tools/help.c"
#include "tools/options.c"

#include <unistd.h>

#include "said_error.h"

/* ---- a command with an option of every kind ---- */

static struct values {
    int flag, other_flag, choice;
    const char *text, *shade, *needed;
    int64_t whole;
    double real;
    unsigned several;
    option_list texts;
} v;

static const char *const colours[] = {"red", "green", "grey", NULL};
static const command_option options[] = {
    {"flag", 'f', .flag = &v.flag, .help = "a flag"},
    {"flat", 0, .flag = &v.other_flag, .help = "another"},
    {"text", 't', .text = &v.text, .argument = "FILE", .help = "a text"},
    {"whole", 'w', .whole = &v.whole, .argument = "N", .lowest = -3, .highest = 1e6, .help = "a whole number"},
    {"real", 'r', .real = &v.real, .argument = "X", .highest = INFINITY, .help = "a number"},
    {"colour", 'c', .choice = &v.choice, .choices = colours, .argument = "NAME", .help = "a colour"},
    {"paints", 0, .several = &v.several, .choices = colours, .argument = "NAME,...", .help = "colours"},
    {"shade", 's', .text = &v.shade, .choices = colours, .argument = "NAME", .help = "a colour as it is written"},
    {"texts", 0, .texts = &v.texts, .argument = "WORD", .help = "some"},
    {0}};
static const command_line line = {"try", .about = "try options", .options = options};

static int operands, code;

static int read_words(const command_line *with, const char *const *words)
{
    char *argv[32] = {(char *)"try"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    said[0] = 0;
    said_count = 0;
    v = (struct values){.whole = 7, .real = 0.5, .choice = 1};
    /* The line after an error goes to stderr. */
    return read_options(with, argc, argv, &operands, &code);
}
#define READ(...) read_words(&line, (const char *const[]){__VA_ARGS__, NULL})

static void check_refused(int read, const char *mentions)
{
    cr_assert_eq(read, 0);
    cr_assert_eq(code, EXIT_USAGE);
    cr_assert_eq(said_count, 1);
    cr_assert_mentions(said, mentions);
}

/* ---- tests ---- */

Test(options, values_are_stored_in_either_form)
{
    cr_assert(READ("-f", "--text=a b", "-w", "-3", "--real", "2.5e3", "-cred"), "%s", said);
    cr_assert_eq(v.flag, 1);
    cr_assert_str_eq(v.text, "a b");
    cr_assert_eq(v.whole, -3);
    cr_assert_eq(v.real, 2500);
    cr_assert_eq(v.choice, 0);
    cr_assert_eq(operands, 8);
}

Test(options, what_is_not_given_keeps_its_default)
{
    cr_assert(READ("--text", ""));
    cr_assert_str_eq(v.text, "");
    cr_assert_eq(v.whole, 7);
    cr_assert_eq(v.real, 0.5);
    cr_assert_eq(v.choice, 1);
    cr_assert_eq(v.flag, 0);
}

Test(options, a_beginning_is_enough_where_it_is_clear)
{
    cr_assert(READ("--wh=12", "--col", "grey"), "%s", said);
    cr_assert_eq(v.whole, 12);
    cr_assert_eq(v.choice, 2);
    check_refused(READ("--fla"), "--fla could be --flag or --flat");
}

Test(options, some_may_be_given_again)
{
    cr_assert(READ("--texts", "a", "-w1", "--texts=b", "-w2"));
    cr_assert_eq(v.whole, 2);
    cr_assert_eq(v.texts.count, 2);
    cr_assert_str_eq(v.texts.value[0], "a");
    cr_assert_str_eq(v.texts.value[1], "b");
    free(v.texts.value);
}

Test(options, words_are_among_the_choices)
{
    cr_assert(READ("--paints", "grey,red", "--shade", "green"), "%s", said);
    cr_assert_eq(v.several, 1u << 2 | 1u << 0);
    cr_assert_str_eq(v.shade, "green");
    check_refused(READ("--paints", "red,gren"), "--paints has no 'gren'; did you mean 'green'?");
    check_refused(READ("--shade", "12345"), "--shade takes red, green or grey, not '12345'");
}

Test(options, numbers_must_be_whole_numbers_in_their_bounds)
{
    check_refused(READ("--whole", "x"), "--whole takes a whole number, not 'x'");
    check_refused(READ("--whole", "1.5"), "1.5");
    check_refused(READ("--whole", ""), "whole number");
    check_refused(READ("--whole=-4"), "between -3 and 1000000");
    check_refused(READ("--whole", "99999999999999999999"), "between");
    check_refused(READ("-r", "-1"), "at least 0");
    check_refused(READ("-r", "nan"), "--real takes a number, not 'nan'");
    check_refused(READ("-r", "1e999"), "number");
    check_refused(READ("-r", "1x"), "1x");
}

Test(options, mistakes_name_the_option_and_what_may_be_meant)
{
    check_refused(READ("--wole", "3"), "did you mean --whole?");
    check_refused(READ("--zzzzzz"), "no option --zzzzzz");
    check_refused(READ("-z"), "no option -z");
    check_refused(READ("--text"), "--text needs its FILE");
    check_refused(READ("-t"), "--text needs its FILE");
    check_refused(READ("--flag=3"), "--flag takes no value");
    check_refused(READ("--colour", "gren"), "did you mean 'green'?");
    check_refused(READ("--colour", "12345"), "red, green or grey");
    check_refused(READ("stray"), "'stray' is not expected");
}

Test(options, what_is_required_must_be_there)
{
    const command_option needs[] = {{"needed", 'n', .text = &v.needed, .argument = "FILE", .required = 1,
                                     .help = "the file"},
                                    {0}};
    const command_line strict = {"try", .about = "try", .options = needs};
    check_refused(read_words(&strict, (const char *const[]){NULL}), "--needed FILE is missing: the file");
    cr_assert(read_words(&strict, (const char *const[]){"-n", "x", NULL}));
}

Test(options, a_shared_table_is_read_after_its_own)
{
    const command_option own[] = {{"needed", 'n', .text = &v.needed, .argument = "FILE", .required = 1, .help = "it"},
                                  {0}};
    const command_line with = {"try", .about = "try", .options = own, .shared = options};
    cr_assert(read_words(&with, (const char *const[]){"-n", "x", "-w", "3", "--flat", NULL}), "%s", said);
    cr_assert_eq(v.whole, 3);
    cr_assert_eq(v.other_flag, 1);
    check_refused(read_words(&with, (const char *const[]){"-w", "3", NULL}), "--needed FILE is missing");
}

Test(options, a_required_choice_lists_the_choices)
{
    const command_option needs[] = {{"shade", 's', .text = &v.shade, .choices = colours, .argument = "NAME",
                                     .required = 1, .help = "the colour"},
                                    {0}};
    const command_line strict = {"try", .about = "try", .options = needs};
    check_refused(read_words(&strict, (const char *const[]){NULL}),
                  "--shade NAME is missing: the colour: red, green or grey");
}

Test(options, operands_are_counted)
{
    const command_line with = {
        "try", .about = "try", .options = options, .operands = "FILE...", .least_operands = 1, .most_operands = 2};
    check_refused(read_words(&with, (const char *const[]){NULL}), "FILE... is missing");
    check_refused(read_words(&with, (const char *const[]){"a", "b", "c", NULL}), "'c'");
    cr_assert(read_words(&with, (const char *const[]){"a", "-f", "--", "-b", NULL}));
    cr_assert_eq(operands, 3); /* try -f -- a -b, in some such order: two are left */
}

Test(options, help_is_wrapped_and_shows_defaults)
{
    static char text[8192];
    const char *const examples[] = {"atled try -f", "tries", NULL};
    const command_line helped = {"try", .about = "try options", .options = options, .examples = examples};
    v = (struct values){.whole = 7, .real = 0.5, .choice = 1};
    FILE *file = fmemopen(text, sizeof text, "w");
    write_help(&helped, file);
    fclose(file);
    cr_assert_mentions(text, "usage: atled try [options]\n");
    cr_assert_mentions(text, "  -w, --whole N             a whole number (default: 7)\n");
    cr_assert_mentions(text, "a colour: red, green or grey (default: green)");
    cr_assert_mentions(text, "      --flat                another\n");
    cr_assert_mentions(text, "  -h, --help");
    cr_assert_mentions(text, "  atled try -f\n      tries\n");
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
        cr_assert_leq(strcspn(at, "\n"), 80);
}

Test(options, the_closest_word_is_close)
{
    static const char *const words[] = {"squeezenet", "vgg16", "resnet20", "cifar10", NULL};
    cr_assert_str_eq(closest_word("squezenet", words), "squeezenet");
    cr_assert_str_eq(closest_word("VGG-16", words), "vgg16");
    cr_assert_str_eq(closest_word("vgg61", words), "vgg16");
    cr_assert_str_eq(closest_word("res", words), "resnet20");
    cr_assert_null(closest_word("transformer", words));
    cr_assert_null(closest_word("", words));
    cr_assert_null(closest_word("x", (const char *const[]){NULL}));
    char long_word[500];
    memset(long_word, 'v', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = 0;
    cr_assert_null(closest_word(long_word, words));
}
