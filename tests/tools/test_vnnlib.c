/* Properties in VNN-LIB: what they mean, and what is said about those that cannot be read. */
#include "tools/text.c"
#include "tools/vnnlib.c"

#include "said_error.h"

#define DECLARED                                                                                                       \
    "; a comment (with brackets\n(set-logic QF_LRA)\n(declare-const X_0 Real)\n(declare-const X_1 Real)\n"             \
    "(declare-fun Y_0 () Real)\n(declare-const Y_1 Real)\n"

static int read_text(const char *text, spec_property *p)
{
    const char *path = scratch_file("p.vnnlib");
    FILE *file = fopen(path, "wb");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
    return read_vnnlib("try", path, p);
}

/* Whether the property holds for these numbers. */
static int is_true(const spec_property *p, const double *x, const double *y)
{
    int some = 0;
    for (int c = 0; c < p->count; c++) {
        int all = 1;
        for (int i = 0; i < p->cases[c].count; i++) {
            int atom = p->cases[c].atom[i];
            double value = atom_value(p, atom, x, y);
            all &= p->atom[atom].is_strict ? value < 0 : value <= 0;
        }
        some |= all;
    }
    return some;
}

typedef struct sample {
    const char *text;
    int cases;
    double x[2], y[2];
    int expected;
} sample;

Test(vnnlib, a_property_means_what_it_says)
{
    static const sample samples[] = {
        {"(assert (<= X_0 0.5))(assert (>= X_0 -1e-1))", 1, {0.5, 0}, {0, 0}, 1},
        {"(assert (<= X_0 0.5))(assert (>= X_0 -1e-1))", 1, {0.6, 0}, {0, 0}, 0},
        {"(assert (<= X_0 0.5))(assert (>= X_0 -1e-1))", 1, {-0.2, 0}, {0, 0}, 0},
        {"(assert (< X_0 0.5))", 1, {0.5, 0}, {0, 0}, 0},
        {"(assert (or (and (<= Y_0 Y_1) (>= X_1 1)) (and (>= Y_0 3))))", 2, {0, 1}, {1, 1}, 1},
        {"(assert (or (and (<= Y_0 Y_1) (>= X_1 1)) (and (>= Y_0 3))))", 2, {0, 0}, {1, 1}, 0},
        {"(assert (or (and (<= Y_0 Y_1) (>= X_1 1)) (and (>= Y_0 3))))", 2, {0, 0}, {3, 1}, 1},
        {"(assert (or (<= X_0 0) (>= X_0 1)))(assert (or (<= Y_0 0) (>= Y_0 1)))", 4, {1, 0}, {0, 0}, 1},
        {"(assert (or (<= X_0 0) (>= X_0 1)))(assert (or (<= Y_0 0) (>= Y_0 1)))", 4, {1, 0}, {0.5, 0}, 0},
        {"(assert (>= (+ (* 2 Y_0) (* Y_1 -1) 0.5) (- X_0 X_1)))", 1, {1, 0}, {1, 1.5}, 1},
        {"(assert (>= (+ (* 2 Y_0) (* Y_1 -1) 0.5) (- X_0 X_1)))", 1, {1, 0}, {1, 1.6}, 0},
        {"(assert (<= (- Y_0) (* 3 (+ X_0 1))))", 1, {0, 0}, {-3, 0}, 1},
        {"(assert (<= (- Y_0) (* 3 (+ X_0 1))))", 1, {0, 0}, {-3.1, 0}, 0},
        {"(assert (and (<= Y_0 0) (and (<= Y_1 0) (<= X_0 0))))", 1, {0, 0}, {0, 0}, 1},
        {"(assert (and (<= Y_0 0) (and (<= Y_1 0) (<= X_0 0))))(check-sat)", 1, {0.1, 0}, {0, 0}, 0},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        char text[1024];
        spec_property p;
        snprintf(text, sizeof text, DECLARED "%s", samples[i].text);
        cr_assert_eq(read_text(text, &p), 0, "%s: %s", samples[i].text, said);
        cr_assert(p.inputs == 2 && p.outputs == 2);
        cr_assert_eq(p.count, samples[i].cases, "%s: %d cases", samples[i].text, p.count);
        cr_assert_eq(is_true(&p, samples[i].x, samples[i].y), samples[i].expected, "sample %zu", i);
        free_property(&p);
    }
}

Test(vnnlib, what_cannot_be_read_is_told_with_its_line)
{
    static const struct {
        const char *text, *words;
    } samples[] = {
        {"", "0 inputs X"},
        {DECLARED, "0 assertions"},
        {DECLARED "(assert (<= X_0 0.5)", "line 7: ')' is missing before 'the end of the file'"},
        {DECLARED "(assert (<= X_7 0.5))", "'X_7' is not declared"},
        {DECLARED "(assert (<= X_0 zero))", "'zero' is no number"},
        {DECLARED "(assert (<= X_0 nan))", "'nan' is no number"},
        {DECLARED "(assert (= X_0 0))", "'=' is not known"},
        {DECLARED "(assert (not (<= X_0 0)))", "'not' is not known"},
        {DECLARED "(assert (<= (* X_0 X_1) 0))", "not linear"},
        {DECLARED "(assert (<= (/ X_0 2) 0))", "'/' is not known in a term"},
        {DECLARED "(declare-const X_5 Real)", "where X_2 is expected"},
        {DECLARED "(declare-const Z_0 Real)", "inputs are X_0"},
        {DECLARED "(declare-const X_2 Int)", "must be Real"},
        {"(vnnlib-version <2.0>)", "version 2"},
        {"\x7f"
         "ELF\x01\x02",
         "'(' is missing"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        spec_property p;
        cr_assert_eq(read_text(samples[i].text, &p), EXIT_BAD_FILE, "%s", samples[i].text);
        cr_assert_mentions(said, samples[i].words);
        free_property(&p);
    }
}

Test(vnnlib, what_is_nested_too_deeply_or_has_too_many_cases_is_refused)
{
    spec_property p;
    char *text = calloc(200000, 1);
    strcpy(text, DECLARED "(assert ");
    for (int i = 0; i < 20000; i++)
        strcat(text + i * 5, "(and ");
    cr_assert_eq(read_text(text, &p), EXIT_BAD_FILE);
    cr_assert_mentions(said, "too deeply");
    free_property(&p);
    strcpy(text, DECLARED);
    for (int i = 0; i < 20; i++)
        strcat(text, "(assert (or (<= X_0 0) (>= X_0 1)))");
    cr_assert_eq(read_text(text, &p), EXIT_BAD_FILE);
    cr_assert_mentions(said, "4096 cases");
    free_property(&p);
    free(text);
    cr_assert_eq(read_vnnlib("try", scratch_file("none.vnnlib"), &p), EXIT_BAD_FILE);
    free_property(&p);
}
