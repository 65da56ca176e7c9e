/* The formula of an op's gradient, for the explorer: the op is differentiated on a graph of its own, by each of its
 * inputs, and the result is printed: da = dy * b.  Each op with the same options has one formula. */
#include "drawing/explorer_formula.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "atled/gradient.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { MOST_TEXT = 480, MOST_DEPTH = 24, MOST_INPUTS = 8 };

typedef struct explorer_formula {
    char *key, *text;
    int64_t number;
    int unhashed;
    UT_hash_handle hh;
} explorer_formula;

/* ---- printing ---------------------------------------------------------------------------------------------------- */

typedef struct printer {
    const atl_node *y, *dy;
    atl_node *const *input;
    int inputs;
    int is_cut;
    size_t size;
    char text[MOST_TEXT];
} printer;

static void __attribute__((format(printf, 2, 3))) put(printer *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(p->text + p->size, sizeof p->text - p->size, format, arguments);
    va_end(arguments);
    p->is_cut |= more < 0 || p->size + (size_t)more >= sizeof p->text;
    p->size = p->is_cut ? sizeof p->text - 1 : p->size + (size_t)more;
}

/* The infix sign of the op, or null; *strength_out: what binds tighter has a larger one. */
static const char *sign_of(const atl_node *node, int *strength_out)
{
    static const struct {
        const char *op, *sign;
        int strength;
    } signs[] = {{"add", " + ", 1}, {"sub", " - ", 1}, {"mul", " * ", 2}, {"div", " / ", 2}};
    for (size_t i = 0; node->input_count > 1 && i < sizeof signs / sizeof signs[0]; i++)
        if (strcmp(node->op->name, signs[i].op) == 0) {
            *strength_out = signs[i].strength;
            return signs[i].sign;
        }
    *strength_out = 3;
    return NULL;
}

static const char *input_name(const printer *p, int i)
{
    static const char *const names[MOST_INPUTS] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    return p->inputs == 1 ? "x" : names[i];
}

static const char *known_name(const printer *p, const atl_node *node)
{
    for (int i = 0; i < p->inputs; i++)
        if (node == p->input[i])
            return input_name(p, i);
    return node == p->y ? "y" : node == p->dy ? "dy" : NULL;
}

static void print_node(printer *p, const atl_node *node, int around, int depth);

static void print_call(printer *p, const atl_node *node, int depth)
{
    char options[128] = "";
    if (node->op->describe)
        node->op->describe(node, options, sizeof options);
    if (node->input_count == 0 && options[0]) { /* a constant is its value */
        put(p, "%s", options);
        return;
    }
    put(p, "%s", node->op->name);
    if (options[0])
        put(p, "[%s]", options);
    put(p, "(");
    for (int i = 0; i < node->input_count; i++) {
        put(p, "%s", i ? ", " : "");
        print_node(p, node->inputs[i], 0, depth + 1);
    }
    put(p, ")");
}

static void print_node(printer *p, const atl_node *node, int around, int depth)
{
    const char *name = known_name(p, node);
    if (p->is_cut)
        return;
    if (name || depth > MOST_DEPTH) {
        put(p, "%s", name ? name : "...");
        return;
    }
    int strength;
    const char *sign = sign_of(node, &strength);
    if (!sign) {
        print_call(p, node, depth);
        return;
    }
    put(p, "%s", strength < around ? "(" : "");
    for (int i = 0; i < node->input_count; i++) {
        put(p, "%s", i ? sign : "");
        print_node(p, node->inputs[i], strength + (i > 0), depth + 1);
    }
    put(p, "%s", strength < around ? ")" : "");
}

/* ---- differentiating --------------------------------------------------------------------------------------------- */

/* The op on inputs of its own, in the printer. */
static int repeat_node(printer *p, atl_graph *graph, const atl_node *node, atl_node **input)
{
    for (int i = 0; i < node->input_count; i++)
        input[i] = atl_input(graph, ATL_NAME("input%d", i), atl_dtype_of(node->inputs[i]), *node->inputs[i]->shape);
    atl_node *y = graph->broken ? NULL : atl_repeat(graph, node, input);
    atl_node *dy = y ? atl_input(graph, "dy", ATL_FLOAT32, *node->shape) : NULL;
    *p = (printer){.y = y, .dy = dy, .input = input, .inputs = node->input_count};
    return dy != NULL;
}

static void print_gradient(printer *p, atl_graph *graph, int i)
{
    atl_node *dx = NULL;
    atl_node *y = graph->nodes[p->y->index], *dy = graph->nodes[p->dy->index];
    if (atl_dtype_of(p->input[i]) != ATL_FLOAT32 || graph->broken)
        return;
    if (atl_gradients(ATL_NODES(y), ATL_NODES(p->input[i]), &dx, .seeds = ATL_NODES(dy), .unused = ATL_UNUSED_NULL) ||
        !dx)
        return;
    put(p, "%sd%s = ", p->size ? "\n" : "", input_name(p, i));
    print_node(p, dx, 0, 0);
}

static int has_gradient(const atl_node *node)
{
    return !node->forward && node->input_count > 0 && node->input_count <= MOST_INPUTS && node->dtype == ATL_FLOAT32 &&
           !(node->op->flags & (ATL_OP_ASSIGN | ATL_OP_SIDE_EFFECT));
}

/* In the caller's memory; null if memory runs out, "" if there is no gradient. */
static char *make_formula(const atl_node *node)
{
    printer p = {0};
    atl_node *input[MOST_INPUTS];
    atl_graph *graph = atl_graph_new();
    if (!graph)
        return NULL;
    if (repeat_node(&p, graph, node, input))
        for (int i = 0; i < node->input_count; i++)
            print_gradient(&p, graph, i);
    int is_out_of_memory = graph->broken == ATL_OUT_OF_MEMORY;
    if (p.is_cut)
        memcpy(p.text + sizeof p.text - 4, "...", 4);
    atl_graph_free(graph);
    return is_out_of_memory ? NULL : atl_copy_text(p.text);
}

/* ---- one formula for equal ops ----------------------------------------------------------------------------------- */

static char *key_of(const atl_node *node)
{
    char options[128] = "", sizes[MOST_INPUTS + 1] = "";
    if (node->op->describe)
        node->op->describe(node, options, sizeof options);
    for (int i = 0; i < node->input_count; i++) /* a smaller operand is broadcast, and its gradient a sum */
        sizes[i] =
            atl_shape_equal(*node->inputs[i]->shape, *node->shape) ? '=' : (char)('0' + node->inputs[i]->shape->rank);
    return atl_format_text("%s %s %s", node->op->name, options, sizes);
}

/* Both texts belong to the list from then on, and are released on failure. */
static int64_t add_formula(explorer_formulas *list, char *key, char *text)
{
    explorer_formula *added = key && text ? atl_allocate(1, sizeof *added) : NULL;
    if (added && ATL_GROW(list->text, list->count, list->capacity)) {
        *added = (explorer_formula){.key = key, .text = text, .number = text[0] ? list->count : EXPLORER_NO_FORMULA};
        HASH_ADD_KEYPTR(hh, list->by_key, added->key, strlen(added->key), added);
        if (!added->unhashed) {
            if (text[0])
                list->text[list->count++] = text;
            return added->number;
        }
    }
    atl_release(added);
    atl_release(key);
    atl_release(text);
    return EXPLORER_NO_MEMORY;
}

int64_t explorer_formula_of(explorer_formulas *list, const atl_node *node)
{
    if (!has_gradient(node))
        return EXPLORER_NO_FORMULA;
    explorer_formula *found = NULL;
    char *key = key_of(node);
    if (!key)
        return EXPLORER_NO_MEMORY;
    HASH_FIND_STR(list->by_key, key, found);
    if (!found)
        return add_formula(list, key, make_formula(node));
    atl_release(key);
    return found->number;
}

void explorer_release_formulas(explorer_formulas *list)
{
    explorer_formula *each, *next;
    HASH_ITER(hh, list->by_key, each, next)
    {
        HASH_DEL(list->by_key, each);
        atl_release(each->key);
        atl_release(each->text);
        atl_release(each);
    }
    atl_release(list->text);
    *list = (explorer_formulas){0};
}
