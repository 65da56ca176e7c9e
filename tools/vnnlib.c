/* Reads VNN-LIB: S-expressions of constants and assertions, as cases of atoms (disjunctive normal form). */
#include "vnnlib.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "tools.h"

enum { WORD = 128, DEEPEST = 100, MOST_CASES = 4096, MOST_VARIABLES = 10000000 };

typedef struct parser {
    const char *command, *path;
    FILE *file;
    int line, code;  /* code: 0 until the first error */
    char word[WORD]; /* the current token: "(", ")", a word, or "" at the end */
    spec_property *p;
    int entry_room, atom_room;
    int declared[2]; /* X, Y */
} parser;

static void fail(parser *r, const char *format, ...) ATL_PRINTF(2, 3);
static void fail(parser *r, const char *format, ...)
{
    char text[400];
    va_list arguments;
    if (r->code)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    r->code = report_error(r->command, EXIT_BAD_FILE, "%s, line %d: %s", r->path, r->line, text);
    r->word[0] = 0;
}

/* Room for one more element; 0 without memory. */
static int grow(parser *r, void **array, int count, int *room, size_t size)
{
    if (count < *room)
        return 1;
    int wanted = *room ? 2 * *room : 256;
    void *more = wanted < (1 << 28) ? realloc(*array, (size_t)wanted * size) : NULL;
    if (more) {
        *array = more;
        *room = wanted;
    } else if (!r->code)
        r->code = report_no_memory(r->command);
    return more != NULL;
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

static int next_letter(parser *r)
{
    int c = fgetc(r->file);
    if (c == ';')
        while (c != '\n' && c != EOF)
            c = fgetc(r->file);
    r->line += c == '\n';
    return c;
}

static void next(parser *r)
{
    int c = next_letter(r), length = 0;
    r->word[0] = 0;
    while (c != EOF && isspace(c))
        c = next_letter(r);
    if (c == EOF || r->code)
        return;
    r->word[length++] = (char)c;
    while (c != '(' && c != ')' && length < WORD - 1) {
        c = fgetc(r->file);
        if (c == EOF || isspace(c) || c == '(' || c == ')' || c == ';') {
            ungetc(c, r->file);
            break;
        }
        r->word[length++] = (char)c;
    }
    r->word[length] = 0;
    if (length == WORD - 1)
        fail(r, "the word '%.40s...' is too long: is this a file of VNN-LIB?", r->word);
}

static int is(const parser *r, const char *word) { return strcmp(r->word, word) == 0; }

static void expect(parser *r, const char *word)
{
    if (!is(r, word))
        fail(r, "'%s' is missing before '%.40s'", word, r->word[0] ? r->word : "the end of the file");
    next(r);
}

/* ---- terms ------------------------------------------------------------------------------------------------------- */

/* X_12 is 12, Y_3 is -4; returns 0 for another word. */
static int read_variable(const char *word, int *variable)
{
    char *end;
    if ((word[0] != 'X' && word[0] != 'Y') || word[1] != '_' || !isdigit((unsigned char)word[2]))
        return 0;
    long i = strtol(word + 2, &end, 10);
    *variable = word[0] == 'X' ? (int)i : -1 - (int)i;
    return !*end && i < MOST_VARIABLES;
}

static int read_number(const char *word, double *to)
{
    char *end;
    *to = strtod(word, &end);
    return word[0] && !*end && isfinite(*to);
}

static void add_variable(parser *r, int variable, double factor)
{
    spec_property *p = r->p;
    int i = variable < 0 ? -1 - variable : variable, count = variable < 0 ? p->outputs : p->inputs;
    if (i >= count)
        fail(r, "'%s' is not declared", r->word);
    else if (grow(r, (void **)&p->entry, p->entries, &r->entry_room, sizeof *p->entry))
        p->entry[p->entries++] = (spec_entry){variable, factor};
}

static void read_term(parser *r, double factor, double *constant, int depth);

/* A product has one factor that is a number. */
static void read_product(parser *r, double factor, double *constant, int depth)
{
    double c, sum = 0;
    int first = r->p->entries;
    read_term(r, factor, &sum, depth);
    if (r->p->entries == first)
        read_term(r, sum, constant, depth);
    else {
        if (!read_number(r->word, &c))
            fail(r, "'%.40s' is no number: the product of two variables is not linear", r->word);
        for (int i = first; i < r->p->entries && !r->code; i++)
            r->p->entry[i].coefficient *= c;
        *constant += r->code ? 0 : c * sum;
        next(r);
    }
}

/* Adds factor times the term to the atom that is being read. */
static void read_term(parser *r, double factor, double *constant, int depth)
{
    double number;
    int variable;
    if (depth > DEEPEST)
        fail(r, "it is nested too deeply");
    if (r->code)
        return;
    if (read_variable(r->word, &variable)) {
        add_variable(r, variable, factor);
        next(r);
        return;
    }
    if (read_number(r->word, &number)) {
        *constant += factor * number;
        next(r);
        return;
    }
    if (!is(r, "(")) {
        fail(r, "'%.40s' is no number, X_i or Y_i", r->word[0] ? r->word : "the end of the file");
        return;
    }
    next(r);
    char op = r->word[0];
    if (!(is(r, "+") || is(r, "-") || is(r, "*"))) {
        fail(r, "'%.40s' is not known in a term: +, - and * are", r->word);
        return;
    }
    next(r);
    if (op == '*')
        read_product(r, factor, constant, depth + 1);
    for (int i = 0; op != '*' && !is(r, ")") && r->word[0]; i++) {
        int first = r->p->entries;
        double sum = 0;
        read_term(r, op == '-' && i ? -factor : factor, &sum, depth + 1);
        int is_negation = op == '-' && i == 0 && is(r, ")");
        for (int k = first; k < r->p->entries && is_negation; k++)
            r->p->entry[k].coefficient = -r->p->entry[k].coefficient;
        *constant += is_negation ? -sum : sum;
    }
    expect(r, ")");
}

/* ---- formulas ---------------------------------------------------------------------------------------------------- */

/* Cases, while they are being made. */
typedef struct case_list {
    spec_case *item;
    int count;
} case_list;

static void free_cases(case_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->item[i].atom);
    free(list->item);
    *list = (case_list){0};
}

/* Adds the conjunction of two cases, of which `b` may be null. */
static void add_case(parser *r, case_list *to, const spec_case *a, const spec_case *b)
{
    if (to->count == MOST_CASES) {
        fail(r, "the assertions have more than %d cases", MOST_CASES);
        return;
    }
    size_t count = (size_t)a->count + (size_t)(b ? b->count : 0);
    spec_case *more = realloc(to->item, (size_t)(to->count + 1) * sizeof *more);
    to->item = more ? more : to->item;
    int *atom = malloc((count ? count : 1) * sizeof *atom);
    if (!more || !atom) {
        free(atom);
        r->code = r->code ? r->code : report_no_memory(r->command);
        return;
    }
    if (a->count)
        memcpy(atom, a->atom, (size_t)a->count * sizeof *atom);
    if (b && b->count)
        memcpy(atom + a->count, b->atom, (size_t)b->count * sizeof *atom);
    to->item[to->count++] = (spec_case){atom, (int)count};
}

/* Replaces the list by its product with another one; takes over `other`. */
static void multiply(parser *r, case_list *list, case_list *other)
{
    if (other->count == 1 && list->count == 1) { /* most assertions: append in place */
        spec_case *a = &list->item[0], *b = &other->item[0];
        int *more = realloc(a->atom, (size_t)(a->count + b->count + 1) * sizeof *more);
        if (!more)
            r->code = r->code ? r->code : report_no_memory(r->command);
        else {
            a->atom = more;
            for (int i = 0; i < b->count; i++)
                a->atom[a->count++] = b->atom[i];
        }
        free_cases(other);
        return;
    }
    case_list product = {0};
    for (int i = 0; i < list->count && !r->code; i++)
        for (int k = 0; k < other->count && !r->code; k++)
            add_case(r, &product, &list->item[i], &other->item[k]);
    free_cases(list);
    free_cases(other);
    *list = product;
}

static void read_atom(parser *r, case_list *to)
{
    spec_property *p = r->p;
    double sign = r->word[0] == '<' ? 1 : -1, constant = 0;
    int first = p->entries, is_strict = !r->word[1], number = p->atoms;
    next(r);
    read_term(r, sign, &constant, 0);
    read_term(r, -sign, &constant, 0);
    expect(r, ")");
    if (r->code || !grow(r, (void **)&p->atom, p->atoms, &r->atom_room, sizeof *p->atom))
        return;
    p->atom[p->atoms++] = (spec_atom){first, p->entries - first, constant, is_strict};
    const spec_case one = {&number, 1};
    add_case(r, to, &one, NULL);
}

static void read_formula(parser *r, case_list *to, int depth)
{
    if (depth > DEEPEST)
        fail(r, "it is nested too deeply");
    expect(r, "(");
    if (r->code)
        return;
    if (is(r, "<=") || is(r, ">=") || is(r, "<") || is(r, ">")) {
        read_atom(r, to);
        return;
    }
    int is_or = is(r, "or");
    if (!is_or && !is(r, "and")) {
        fail(r, "'%.40s' is not known: <=, >=, <, >, and, or are", r->word);
        return;
    }
    next(r);
    case_list all = {0};
    const spec_case none = {NULL, 0};
    if (!is_or)
        add_case(r, &all, &none, NULL);
    while (!is(r, ")") && !r->code) {
        case_list part = {0};
        read_formula(r, &part, depth + 1);
        for (int i = 0; is_or && i < part.count && !r->code; i++)
            add_case(r, &all, &part.item[i], NULL);
        if (is_or)
            free_cases(&part);
        else
            multiply(r, &all, &part);
    }
    expect(r, ")");
    free_cases(to);
    *to = all;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static void read_declaration(parser *r, int is_function)
{
    int variable;
    next(r);
    if (!read_variable(r->word, &variable)) {
        fail(r, "'%.40s' is declared, but inputs are X_0, X_1, ..., and outputs Y_0, Y_1, ...", r->word);
        return;
    }
    int *count = variable < 0 ? &r->p->outputs : &r->p->inputs, i = variable < 0 ? -1 - variable : variable;
    if (i != *count)
        fail(r, "'%s' is declared where %c_%d is expected", r->word, r->word[0], *count);
    ++*count;
    next(r);
    if (is_function) {
        expect(r, "(");
        expect(r, ")");
    }
    if (!is(r, "Real"))
        fail(r, "the type is '%.40s', but must be Real", r->word);
    next(r);
    expect(r, ")");
}

static void skip_list(parser *r)
{
    for (int depth = 1; depth > 0 && r->word[0] && !r->code; next(r))
        depth += is(r, "(") - is(r, ")");
}

static void read_command(parser *r, case_list *all)
{
    static const char *const skipped[] = {"set-logic", "set-info", "set-option", "check-sat", "get-model", "exit"};
    expect(r, "(");
    int is_skipped = 0;
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
        is_skipped |= is(r, skipped[i]);
    if (is(r, "declare-const") || is(r, "declare-fun"))
        read_declaration(r, is(r, "declare-fun"));
    else if (is(r, "assert")) {
        case_list part = {0};
        next(r);
        read_formula(r, &part, 0);
        expect(r, ")");
        multiply(r, all, &part);
    } else if (is_skipped)
        skip_list(r);
    else
        fail(r, "'%.40s' is not known: declare-const and assert are%s", r->word,
             is(r, "vnnlib-version") || is(r, "declare-network") ? "; version 2 of the format is not read" : "");
}

int read_vnnlib(const char *command, const char *path, spec_property *p)
{
    *p = (spec_property){0};
    parser r = {.command = command, .path = path, .line = 1, .p = p, .file = fopen(path, "rb")};
    if (!r.file)
        return report_error(command, EXIT_BAD_FILE, "%s cannot be read", path);
    case_list all = {0};
    const spec_case none = {NULL, 0};
    add_case(&r, &all, &none, NULL);
    for (next(&r); r.word[0] && !r.code;)
        read_command(&r, &all);
    fclose(r.file);
    if (!r.code && (p->inputs == 0 || p->outputs == 0 || p->atoms == 0))
        r.code = report_error(command, EXIT_BAD_FILE, "%s has %d input%s X, %d output%s Y and %d assertion%s: %s", path,
                              p->inputs, plural(p->inputs), p->outputs, plural(p->outputs), p->atoms, plural(p->atoms),
                              "is it a property in VNN-LIB?");
    p->cases = all.item;
    p->count = all.count;
    return r.code;
}

void free_property(spec_property *p)
{
    case_list all = {p->cases, p->count};
    free_cases(&all);
    free(p->entry);
    free(p->atom);
    *p = (spec_property){0};
}

double atom_value(const spec_property *p, int atom, const double *x, const double *y)
{
    const spec_atom *a = &p->atom[atom];
    double sum = a->constant;
    for (int i = a->first; i < a->first + a->count; i++) {
        int v = p->entry[i].variable;
        sum += p->entry[i].coefficient * (v < 0 ? y[-1 - v] : x[v]);
    }
    return sum;
}
