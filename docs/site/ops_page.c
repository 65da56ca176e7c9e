/* Writes a page about every op, op_NAME.md, so that the search finds it by its name; the list of them, ops.md; and a
 * curve of each element-wise one.  The formula comes from a list, shapes from the op's samples, the gradient from its
 * own rules.  It uses public headers only.  usage: ops_page LIST FOLDER */
#include <atled/atled.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 241, WIDE = 320, TALL = 200, DEEPEST = 12 };

/* ---- formulas ---------------------------------------------------------------------------------------------------- */

/* The formula of the op in the list; the text lives until the next call.  Null: it has none. */
static const char *formula_of(const char *path, const char *op)
{
    static char line[512];
    FILE *list = fopen(path, "rb");
    size_t length = strlen(op);
    const char *found = NULL;
    while (list && !found && fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, op, length) == 0 && line[length] == ' ')
            found = line + length + strspn(line + length, " ");
    }
    if (list)
        fclose(list);
    return found;
}

/* ---- a gradient as text ------------------------------------------------------------------------------------------ */

typedef struct names {
    const atl_node *y, *dy;
} names;

static const char *infix_of(const char *op)
{
    static const char *const table[][2] = {{"add", " + "}, {"sub", " - "}, {"mul", " * "}, {"div", " / "}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(op, table[i][0]) == 0)
            return table[i][1];
    return NULL;
}

static void print_node(FILE *out, const atl_node *node, const names *n, int depth);

static void print_call(FILE *out, const atl_node *node, const names *n, int depth)
{
    char about[128] = "";
    const atl_op *op = atl_op_of(node);
    if (op->describe)
        op->describe(node, about, sizeof about);
    if (op->flags & ATL_OP_CONSTANT) {
        fprintf(out, "%s", *about ? about : "constant");
        return;
    }
    fprintf(out, "%s(", op->name);
    for (int64_t i = 0; i < atl_input_count(node); i++) {
        fprintf(out, "%s", i ? ", " : "");
        print_node(out, atl_input_of(node, i), n, depth + 1);
    }
    fprintf(out, "%s%s)", *about ? "; " : "", about);
}

static void print_node(FILE *out, const atl_node *node, const names *n, int depth)
{
    const char *infix = infix_of(atl_op_of(node)->name);
    for (int64_t i = 0; i < atl_input_count(n->y); i++)
        if (node == atl_input_of(n->y, i)) {
            fprintf(out, atl_input_count(n->y) == 1 ? "x" : "x%d", (int)i + 1);
            return;
        }
    if (node == n->y || node == n->dy)
        fprintf(out, "%s", node == n->y ? "y" : "dy");
    else if (depth > DEEPEST)
        fprintf(out, "...");
    else if (infix && atl_input_count(node) == 2) {
        fprintf(out, "%s", depth ? "(" : "");
        print_node(out, atl_input_of(node, 0), n, depth + 1);
        fprintf(out, "%s", infix);
        print_node(out, atl_input_of(node, 1), n, depth + 1);
        fprintf(out, "%s", depth ? ")" : "");
    } else
        print_call(out, node, n, depth);
}

static void print_gradients(FILE *out, atl_node *y)
{
    const atl_op *op = atl_op_of(y);
    atl_node *dy = atl_input(atl_graph_of(y), "adjoint of y", ATL_FLOAT32, atl_shape_of(y));
    names n = {y, dy};
    int told = 0;
    for (int64_t i = 0; i < atl_input_count(y) && atl_dtype_of(y) == ATL_FLOAT32; i++) {
        atl_node *dx = NULL;
        if (atl_dtype_of(atl_input_of(y, i)) != ATL_FLOAT32)
            continue;
        if (op->gradient_of)
            dx = op->gradient_of(y, dy, (int)i);
        else if (i < ATL_MAX_RULES && op->gradient[i])
            dx = op->gradient[i](y, dy);
        if (!dx)
            continue;
        if (atl_input_count(y) == 1)
            fprintf(out, "%s    dx = ", told++ ? "" : "Gradient, with dy that of the result:\n\n");
        else
            fprintf(out, "%s    dx%d = ", told++ ? "" : "Gradient, with dy that of the result:\n\n", (int)i + 1);
        print_node(out, dx, &n, 0);
        fprintf(out, "\n");
    }
    if (told)
        fprintf(out, "\n");
    else if (op->expand)
        fprintf(out, "Gradient: that of the ops of which it is made.\n\n");
    else
        fprintf(out, "No gradient flows through.\n\n");
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static atl_node *build(atl_graph *g, const atl_sample *s, atl_node **inputs)
{
    for (int i = 0; i < s->inputs; i++) {
        int64_t size[ATL_MAX_RANK];
        for (int d = 0; d < s->input[i].rank; d++)
            size[d] = s->input[i].size[d];
        atl_shape shape = atl_shape_from(s->input[i].rank, size);
        inputs[i] = atl_input(g, ATL_NAME("x%d", i + 1), s->input[i].is_int ? ATL_INT32 : ATL_FLOAT32, shape);
    }
    return s->unary ? s->unary(inputs[0]) : s->binary ? s->binary(inputs[0], inputs[1]) : s->build(inputs);
}

/* The first node of that op. */
static atl_node *node_of(atl_graph *g, const atl_op *op)
{
    for (int64_t i = 0; i < atl_graph_node_count(g); i++)
        if (atl_op_of(atl_graph_node(g, i)) == op)
            return atl_graph_node(g, i);
    return NULL;
}

static void print_shapes(FILE *out, const atl_node *y)
{
    char text[160];
    fprintf(out, "Shapes, for example: ");
    for (int64_t i = 0; i < atl_input_count(y); i++) {
        const atl_node *x = atl_input_of(y, i);
        fprintf(out, "%s`%s%s`", i ? ", " : "", atl_dtype_of(x) == ATL_INT32 ? "int32 " : "",
                atl_shape_text(atl_shape_of(x), text, sizeof text));
    }
    fprintf(out, " to `%s%s`", atl_dtype_of(y) == ATL_INT32 ? "int32 " : "",
            atl_shape_text(atl_shape_of(y), text, sizeof text));
    text[0] = 0;
    if (atl_op_of(y)->describe)
        atl_op_of(y)->describe(y, text, sizeof text);
    fprintf(out, "%s%s%s.\n\n", *text ? " (" : "", text, *text ? ")" : "");
}

/* ---- curves ------------------------------------------------------------------------------------------------------ */

/* Only where `known` is finite, too: no slope where there is no value. */
static void print_curve(FILE *svg, const float *x, const float *y, const float *known, const char *color)
{
    const float low = -4, high = 4;
    int begun = 0;
    for (int i = 0; i < POINTS; i++) {
        double v = y[i];
        if (!isfinite(v) || !isfinite(known[i]) || v < low || v > high) {
            fprintf(svg, "%s", begun ? "\"/>\n" : "");
            begun = 0;
            continue;
        }
        if (!begun++)
            fprintf(svg, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", color);
        fprintf(svg, "%.1f,%.1f ", (x[i] + 4) * WIDE / 8, TALL - (v - low) * TALL / (high - low));
    }
    fprintf(svg, "%s", begun ? "\"/>\n" : "");
}

/* y blue and its slope orange over -4..4.  Returns 0 if it could not be drawn. */
static int draw(const char *path, atl_node *(*function)(atl_node *))
{
    float x[POINTS];
    for (int i = 0; i < POINTS; i++)
        x[i] = (float)(-4 + 8.0 * i / (POINTS - 1));
    atl_graph *g = atl_graph_new();
    atl_node *in = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, POINTS)), *y = function(in);
    atl_node *slope = y ? atl_gradient(y, in) : NULL;
    atl_program *p = slope ? atl_compile(g, ATL_NODES(y, slope)) : NULL;
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(1, POINTS), x);
    int drawn = p && value && !atl_run(p, ATL_FEED(in, value)) && atl_tensor_count(atl_value(p, y)) == POINTS;
    FILE *svg = drawn ? fopen(path, "wb") : NULL;
    if (svg) {
        fprintf(svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fbfaf7\"/>\n"
                "<path stroke=\"#c9ccd2\" d=\"M0 %d H%d M%d 0 V%d\"/>\n",
                WIDE, TALL, WIDE, TALL, TALL / 2, WIDE, WIDE / 2, TALL);
        const float *of_y = atl_floats(atl_value(p, y));
        print_curve(svg, x, atl_floats(atl_value(p, slope)), of_y, "#d9822b");
        print_curve(svg, x, of_y, of_y, "#33629c");
        fprintf(svg, "</svg>\n");
        drawn = fclose(svg) == 0;
    }
    atl_tensor_free(value);
    atl_program_free(p);
    atl_graph_free(g);
    return svg && drawn;
}

/* ---- the pages --------------------------------------------------------------------------------------------------- */

/* The page of an op, begun with its formula, and its line in the list of pages.  Null: it could not be opened. */
static FILE *begin_page(FILE *list, const char *name, const char *formula, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/op_%s.md", folder, name);
    FILE *page = fopen(path, "wb");
    if (!page) {
        perror(path);
        return NULL;
    }
    fprintf(list, "- \\subpage op_%s &ndash; `%s`\n", name, formula);
    fprintf(page, "# %s {#op_%s}\n\n    %s\n\n", name, name, formula);
    return page;
}

static void print_picture(FILE *out, const char *name)
{
    fprintf(out, "![%s over -4 to 4, from -4 to 4: blue; its derivative: orange](curve_%s.svg)\n\n", name, name);
}

/* Returns 0 if the page could not be written; so does print_composed. */
static int print_op(FILE *list, const atl_op *op, const char *formula, const char *folder)
{
    char path[4096];
    FILE *out = begin_page(list, op->name, formula, folder);
    if (!out)
        return 0;
    atl_node *inputs[ATL_MAX_RULES] = {0};
    const atl_sample *s = op->samples;
    int is_map = op->arity == 1 && (op->function || op->map);
    while (s && (s->unary || s->binary || s->build) && s->error)
        s++;
    atl_graph *g = s && (s->unary || s->binary || s->build) ? atl_graph_new() : NULL;
    atl_node *y = g && build(g, s, inputs) ? node_of(g, op) : NULL;
    if (y) {
        print_shapes(out, y);
        print_gradients(out, y);
    }
    atl_graph_free(g);
    snprintf(path, sizeof path, "%s/curve_%s.svg", folder, op->name);
    if (y && is_map && s->unary && draw(path, s->unary))
        print_picture(out, op->name);
    return fclose(out) == 0;
}

/* ---- what is composed of ops ------------------------------------------------------------------------------------- */

static atl_node *huber(atl_node *x) { return atl_huber_loss(x, atl_scale(x, 0), 1); }
static atl_node *hinge(atl_node *x) { return atl_hinge_loss(x, atl_fill(x, 1)); }

/* What can be drawn as a curve of one number. */
static const struct curve {
    const char *name;
    atl_node *(*function)(atl_node *x);
} curves[] = {{"hard_sigmoid", atl_hard_sigmoid}, {"huber_loss", huber}, {"hinge_loss", hinge}};

static int print_composed(FILE *list, const char *name, const char *formula, const char *folder)
{
    char path[4096];
    int is_layer_only = strcmp(name, "batch_norm_training") == 0; /* no function of its own */
    FILE *out = begin_page(list, name, formula, folder);
    if (!out)
        return 0;
    fprintf(out, "Gradient: that of the ops of which it is made.%s%s%s\n\n", is_layer_only ? "" : " In C: atl_",
            is_layer_only ? "" : name, is_layer_only ? "" : "().");
    snprintf(path, sizeof path, "%s/curve_%s.svg", folder, name);
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (strcmp(curves[i].name, name) == 0 && draw(path, curves[i].function))
            print_picture(out, name);
    return fclose(out) == 0;
}

static int is_builtin(const char *name)
{
    int64_t count;
    const atl_op *const *op = atl_builtin_ops(&count);
    for (int64_t i = 0; i < count; i++)
        if (strcmp(op[i]->name, name) == 0)
            return 1;
    return 0;
}

/* The lines of the list of formulas that are no ops of the table.  Returns how many failed. */
static int print_all_composed(FILE *out, const char *formulas, const char *folder)
{
    char line[512];
    int failed = 0;
    FILE *file = fopen(formulas, "rb");
    fprintf(out, "\n# Composed of these ops {#composed_ops}\n\nBuilders and layers that make several nodes.\n\n");
    while (file && fgets(line, sizeof line, file)) {
        size_t length = strcspn(line, " #\n");
        const char *formula = line + length + strspn(line + length, " ");
        line[strcspn(line, "\n")] = 0;
        if (length == 0)
            continue;
        line[length] = 0;
        if (!is_builtin(line))
            failed += !print_composed(out, line, formula, folder);
    }
    if (file)
        fclose(file);
    return failed;
}

int main(int argc, char **argv)
{
    char path[4096];
    int64_t count;
    int failed = 0;
    const atl_op *const *op = atl_builtin_ops(&count);
    if (argc != 3) {
        fprintf(stderr, "usage: ops_page LIST FOLDER\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/ops.md", argv[2]);
    FILE *out = fopen(path, "wb");
    if (!out) {
        perror(path);
        return 3;
    }
    fprintf(out,
            "# Every op\n\nMade from the ops themselves: shapes from their samples, gradients from their rules. What "
            "is composed of ops (layers, losses, attention, einsum) \\ref composed_ops \"comes after them\".\n\n");
    for (int64_t i = 0; i < count; i++) {
        const char *formula = formula_of(argv[1], op[i]->name);
        if (!formula) {
            fprintf(stderr, "%s has no line for the op '%s'\n", argv[1], op[i]->name);
            failed++;
            continue;
        }
        failed += !print_op(out, op[i], formula, argv[2]);
    }
    failed += print_all_composed(out, argv[1], argv[2]);
    return fclose(out) || failed ? 1 : 0;
}
