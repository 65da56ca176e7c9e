/* The explorer's lists of scopes and nodes, as JSON. */
#include <string.h>

#include "drawing/explorer_formula.h"
#include "drawing/explorer_scopes.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/names.h"
#include "program/json.h"

/* ---- texts ------------------------------------------------------------------------------------------------------- */

static const char *own_name(const atl_node *node)
{
    const char *name = atl_name_of(node);
    return name + explorer_last_part(name, (int64_t)strlen(name));
}

static const char *describe(const atl_node *node, char *text, size_t size)
{
    text[0] = 0;
    if (node->op->describe)
        node->op->describe(node, text, size);
    return text;
}

static int32_t text_width(size_t characters)
{
    enum { LEAST = 6, MOST = 34 };
    return 20 + 7 * (int32_t)(characters < LEAST ? LEAST : characters > MOST ? MOST : characters);
}

int32_t explorer_node_width(const atl_node *node)
{
    char text[512];
    size_t own = strlen(own_name(node)),
           detail = strlen(node->op->name) + 1 + strlen(describe(node, text, sizeof text));
    return text_width(own > detail ? own : detail);
}

/* The name of a scope without those around it. */
static const char *scope_name(const explorer_scope *scope, char *text, size_t size)
{
    if (!scope->is_group)
        snprintf(text, size, "%.*s", (int)(scope->length - scope->own), scope->path + scope->own);
    else if (scope->first == scope->last)
        snprintf(text, size, "%s", scope->first ? own_name(scope->first) : "");
    else
        snprintf(text, size, "%s \u2026 %s", own_name(scope->first), own_name(scope->last));
    return text;
}

int32_t explorer_scope_width(const explorer_scope *scope)
{
    char name[512];
    return text_width(strlen(scope_name(scope, name, sizeof name)) + 8); /* and the number of nodes in it */
}

static const char *shape_text(const atl_node *node, dot_text *text)
{
    text->size = 0;
    dot_put_shape(text, node);
    dot_put_bytes(text, "", 1); /* the end of the string */
    return text->status ? "" : text->data;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static void write_scopes(const explorer_page *p)
{
    fputs("\"scopes\":[", p->file);
    for (int64_t k = 0; k < p->scopes; k++) {
        const explorer_scope *scope = p->scope[k];
        char name[512];
        fprintf(p->file, "%s[%lld,", k ? ",\n" : "", (long long)scope->parent);
        atl_write_json_text(p->file, scope_name(scope, name, sizeof name));
        fprintf(p->file, ",%d,\"%s\"]", explorer_scope_width(scope),
                scope->is_group                     ? ""
                : scope->path[scope->length] == '.' ? "."
                                                    : "/");
    }
    fputs("],\n", p->file);
}

/* 0 input, 1 variable, 2 constant, 3 forward, 4 gradient, 5 optimizer */
static int kind_of(const explorer_page *p, const atl_node *node)
{
    unsigned flags = node->op->flags;
    if (flags & (ATL_OP_INPUT | ATL_OP_VARIABLE | ATL_OP_CONSTANT))
        return flags & ATL_OP_INPUT ? 0 : flags & ATL_OP_VARIABLE ? 1 : 2;
    return node->forward ? 4 : p->is_optimizer[node->index] ? 5 : 3;
}

/* True if the node is in the scope that its name tells: see explorer_scopes.c. */
static int is_at_home(const explorer_page *p, const atl_node *node)
{
    const char *name = atl_name_of(node), *own = own_name(node);
    const explorer_scope *scope = p->scope[p->scope_of[node->index]];
    while (scope->is_group)
        scope = p->scope[scope->parent];
    int64_t length = own > name ? own - name - 1 : 0;
    return scope->length == length && memcmp(scope->path, name, (size_t)length) == 0;
}

static void write_node(const explorer_page *p, const atl_node *node, dot_text *shape, int64_t formula)
{
    char text[512];
    FILE *file = p->file;
    fprintf(file, "[%lld,%d,", (long long)p->scope_of[node->index], kind_of(p, node));
    /* After a slash stands the whole name: of a node that is elsewhere, or whose own name begins with a slash. */
    int length = snprintf(text, sizeof text, "/%s", atl_name_of(node));
    int is_own = is_at_home(p, node) && own_name(node)[0] != '/';
    atl_write_json_text(file, is_own || length >= (int)sizeof text ? own_name(node) : text);
    fputc(',', file);
    atl_write_json_text(file, node->op->name);
    fputc(',', file);
    atl_write_json_text(file, describe(node, text, sizeof text));
    fputc(',', file);
    atl_write_json_text(file, shape_text(node, shape));
    int64_t count = atl_shape_count(*node->shape);
    fprintf(file, ",%d,%lld,[", explorer_node_width(node),
            count < 0 ? -1LL : (long long)count * (long long)atl_dtype_size(node->dtype));
    for (int k = 0, written = 0; k < node->input_count; k++)
        if (p->d.is_drawn[node->inputs[k]->index])
            fprintf(file, "%s%lld", written++ ? "," : "", (long long)p->number[node->inputs[k]->index]);
    fprintf(file, "],%lld,%lld", node->forward ? (long long)p->number[node->forward->index] : -1LL, (long long)formula);
    if (p->d.args->microseconds) {
        fputc(',', file);
        atl_write_json_number(file, p->d.args->microseconds[node->index], 2);
    }
    fputc(']', file);
}

static atl_status write_nodes(explorer_page *p, explorer_formulas *formulas)
{
    int first = 1;
    dot_text shape = {0};
    atl_status status = ATL_OK;
    fputs("\"nodes\":[", p->file);
    for (int64_t i = 0; !status && i < p->d.graph->count; i++) {
        if (!p->d.is_drawn[i])
            continue;
        int64_t formula = explorer_formula_of(formulas, p->d.graph->nodes[i]);
        fputs(first ? "" : ",\n", p->file);
        first = 0;
        write_node(p, p->d.graph->nodes[i], &shape, formula);
        status = formula == EXPLORER_NO_MEMORY ? atl_out_of_memory() : shape.status;
    }
    fputs("],\n", p->file);
    atl_release(shape.data);
    return status;
}

atl_status explorer_write_graph(explorer_page *p)
{
    explorer_formulas formulas = {0};
    write_scopes(p);
    atl_status status = write_nodes(p, &formulas);
    fputs("\"formulas\":[", p->file);
    for (int64_t i = 0; i < formulas.count; i++) {
        fputs(i ? ",\n" : "", p->file);
        atl_write_json_text(p->file, formulas.text[i]);
    }
    fputs("],\n", p->file);
    explorer_release_formulas(&formulas);
    return status;
}
