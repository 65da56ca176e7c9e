/* The boxes of a drawing, and the frames of scopes around them. */
#include <math.h>
#include <string.h>

#include "drawing/drawing.h"
#include "graph/names.h"

const struct dot_hue dot_hues[HUES] = {
    {"#4a7fc1", "#e3eefb", "#cbdff6", "#c9d8ea", "#4a7fc110"},
    {"#d9813f", "#fdeadd", "#f9d9c0", "#e9c9b0", "#e8893c14"},
    {"#8e5bb5", "#f2e8f9", "#e2cff0", "#d8c3e6", "#8e5bb512"},
    {"#b8860b", "#fbf3d5", "#f2e3a6", "#dfcf9a", "#c9a22714"},
};

/* Puts text in lines of about 24 characters, broken after a comma. */
static void put_in_lines(dot_text *text, char *string)
{
    while (string) {
        size_t length = strlen(string), at = 24;
        char *rest = length > 32 ? strstr(string + at, ", ") : NULL;
        if (rest) {
            *rest = 0;
            rest += 2;
        }
        dot_put_label(text, string);
        if (rest)
            dot_put(text, ",<br/>");
        string = rest;
    }
}

/* Puts a line with the time into a label: "1.24 ms, 12.3 %". */
static void put_time(drawing *d, double time)
{
    if (!d->args->microseconds || time <= 0)
        return;
    double share = 100 * time / d->time;
    dot_put(&d->text, "<br/><font point-size=\"9\" color=\"#7f1d1d\">");
    if (time >= 1000)
        dot_print(&d->text, "%.*f ms, ", time < 1e4 ? 2 : time < 1e5 ? 1 : 0, time / 1000);
    else
        dot_print(&d->text, "%.*f \xc2\xb5s, ", time < 10 ? 1 : 0, time);
    dot_print(&d->text, share < 0.1 ? "&lt; 0.1 %%" : "%.1f %%", share);
    dot_put(&d->text, "</font>");
}

/* Puts the fill colour for a time: from almost white to red.  It grows with the root of the time, so that a tenth of
 * the longest time is still visible. */
static void put_heat(drawing *d, double time)
{
    static const int cold[3] = {0xfd, 0xf6, 0xee}, hot[3] = {0xf8, 0x7a, 0x5a};
    double heat = d->longest > 0 ? sqrt(time / d->longest) : 0;
    int colour[3];
    for (int i = 0; i < 3; i++)
        colour[i] = (int)(cold[i] + heat * (hot[i] - cold[i]) + 0.5);
    dot_print(&d->text, ", fillcolor=\"#%02x%02x%02x\"", colour[0], colour[1], colour[2]);
}

/* Puts the last part of the name in bold; below it the op, if the name does not tell it, and the op's attributes. */
static void put_label(drawing *d, const atl_node *node)
{
    dot_text *text = &d->text;
    char detail[512] = "";
    const char *name = atl_name_of(node), *last = strrchr(name, '/'), *own = last && last[1] ? last + 1 : name;
    size_t length = 0;
    if (node->label->base) {
        snprintf(detail, sizeof detail, "%s", node->op->name);
        length = strlen(detail);
    }
    if (node->op->describe) {
        size_t at = length ? length + 1 : 0;
        detail[at] = 0;
        node->op->describe(node, detail + at, sizeof detail - at);
        if (length && detail[at])
            detail[length] = ' ';
    }
    if (node->op->flags & ATL_OP_CONSTANT && !node->label->base && detail[0])
        own = detail; /* its value tells more than "constant" */
    dot_put(text, "<<b>");
    dot_put_label(text, own);
    dot_put(text, "</b>");
    if (own != detail && detail[0]) {
        dot_put(text, "<br/><font point-size=\"9\" color=\"#5f6b78\">");
        put_in_lines(text, detail);
        dot_put(text, "</font>");
    }
    if (d->args->microseconds)
        put_time(d, d->args->microseconds[node->index]);
    dot_put(text, ">");
}

/* 1×28×28×3 */
void dot_put_shape(dot_text *text, const atl_node *node)
{
    if (node->dtype != ATL_FLOAT32)
        dot_print(text, "%s ", atl_dtype_name(node->dtype));
    if (node->shape->rank == 0)
        dot_put(text, "scalar");
    for (int i = 0; i < node->shape->rank; i++) {
        dot_put(text, i ? "\xc3\x97" : "");
        if (node->shape->size[i] == ATL_ANY)
            dot_put(text, "?");
        else
            dot_print(text, "%lld", (long long)node->shape->size[i]);
    }
}

/* Puts the style of sources: the same in every part; square if their values come from outside. */
static void put_look(drawing *d, const atl_node *node)
{
    dot_text *text = &d->text;
    unsigned flags = node->op->flags;
    const struct dot_hue *hue = &dot_hues[d->scope_of[node->index]->hue];
    int is_source = flags & (ATL_OP_VARIABLE | ATL_OP_INPUT | ATL_OP_CONSTANT);
    if (flags & ATL_OP_VARIABLE)
        dot_put(text, ", style=filled, color=\"#4f9d5b\", fillcolor=\"#e2f3e4\"");
    else if (flags & ATL_OP_INPUT)
        dot_put(text, ", style=filled, color=\"#1d2b3a\", fillcolor=\"#ffffff\", penwidth=1.6");
    else if (flags & ATL_OP_CONSTANT)
        dot_print(text, ", color=\"%s\", fillcolor=\"#f1f2f4\"", hue == dot_hues ? "#a3abb6" : hue->line);
    else if (hue != dot_hues)
        dot_print(text, ", color=\"%s\"", hue->line);
    if (is_source)
        return;
    if (d->args->microseconds && d->args->microseconds[node->index] > 0)
        put_heat(d, d->args->microseconds[node->index]);
    else if (d->args->microseconds) /* another node's step computes it, or it is prepacked */
        dot_put(text, ", fillcolor=\"#ffffff\"");
    else if (hue != dot_hues)
        dot_print(text, ", fillcolor=\"%s\"", hue->fill);
}

static void put_node(drawing *d, const atl_node *node, int indent)
{
    dot_text *text = &d->text;
    dot_print(text, "%*sn%lld [label=", indent, "", (long long)node->index);
    put_label(d, node);
    put_look(d, node);
    if (d->is_wanted[node->index])
        dot_put(text, ", penwidth=2.4");
    dot_put(text, ", tooltip=\"");
    dot_put_quoted(text, atl_name_of(node));
    dot_put(text, " (");
    dot_put_quoted(text, node->op->name);
    dot_put(text, ") ");
    dot_put_shape(text, node);
    dot_put(text, "\"];\n");
}

/* The last part of the scope's path. */
static void put_title(dot_text *text, const dot_scope *scope)
{
    const char *title = scope->path;
    int64_t length = scope->length;
    char name[ATL_NAME_SIZE];
    if (scope->parent && scope->parent->parent) {
        title += scope->parent->length + 1;
        length -= scope->parent->length + 1;
    }
    snprintf(name, sizeof name, "%.*s", (int)(length < ATL_NAME_SIZE ? length : ATL_NAME_SIZE - 1), title);
    dot_put_label(text, name);
}

static void put_box(drawing *d, const dot_scope *scope, int indent)
{
    dot_text *text = &d->text;
    dot_print(text, "%*sb%lld [label=<<b>", indent, "", (long long)scope->id);
    put_title(text, scope);
    dot_print(text, "</b><br/><font point-size=\"9\" color=\"#5f6b78\">%lld node%s</font>", (long long)scope->nodes,
              scope->nodes == 1 ? "" : "s");
    put_time(d, scope->time);
    dot_print(text, ">, color=\"%s\", penwidth=1.6", dot_hues[scope->hue].line);
    if (d->args->microseconds)
        put_heat(d, scope->time);
    else
        dot_print(text, ", fillcolor=\"%s\"", dot_hues[scope->hue].box);
    dot_put(text, "];\n");
}

/* Frames are translucent: the deeper, the darker. */
static void open_frame(drawing *d, const dot_scope *scope, int indent)
{
    dot_text *text = &d->text;
    dot_print(text, "%*ssubgraph cluster_%lld {\n%*sgraph [", indent, "", (long long)scope->id, indent + 2, "");
    if (!scope->parent && !scope->hue) { /* keeps the forward part on one side */
        dot_put(text, "peripheries=0, label=\"\", margin=20];\n");
        return;
    }
    dot_put(text, "label=<");
    put_title(text, scope);
    dot_print(text, ">, style=\"rounded,filled\", peripheries=1, margin=9, color=\"%s\", fillcolor=\"%s\"];\n",
              dot_hues[scope->hue].frame_line, dot_hues[scope->hue].frame);
}

static void put_nodes_of(drawing *d, const dot_scope *scope, int indent)
{
    if (scope->is_box) {
        put_box(d, scope, indent);
        return;
    }
    for (int64_t i = scope->first_node; i >= 0; i = d->next_node[i])
        put_node(d, d->graph->nodes[i], indent);
}

static int indent_at(int64_t depth) { return depth < 16 ? 2 * (int)depth + 2 : 34; }

/* Puts every frame with its content, outer frames first. */
void dot_put_frames(drawing *d)
{
    int64_t depth = 0;
    const dot_scope *scope = d->first_part;
    while (scope) {
        if (!scope->is_box) {
            open_frame(d, scope, indent_at(depth));
            depth++;
        }
        put_nodes_of(d, scope, indent_at(depth));
        if (scope->first_child) {
            scope = scope->first_child;
            continue;
        }
        for (int is_left = 0; scope && !is_left;) { /* closes the frames that end here, up to one that has a sibling */
            if (!scope->is_box) {
                depth--;
                dot_print(&d->text, "%*s}\n", indent_at(depth), "");
            }
            is_left = scope->next != NULL;
            scope = is_left ? scope->next : scope->parent;
        }
    }
}
