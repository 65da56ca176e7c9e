/* A graph as JSON, and such a file beside the graph in the explorer's page. */
#include "drawing/explorer_compare.h"

#include <jansson.h>
#include <string.h>

#include "drawing/drawing.h"
#include "files/input_file.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/names.h"
#include "program/json.h"

static const char format_name[] = "atled graph 1";

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void write_node(FILE *file, const atl_node *node, const char *is_drawn, dot_text *shape)
{
    char options[512] = "";
    if (node->op->describe)
        node->op->describe(node, options, sizeof options);
    shape->size = 0;
    dot_put_shape(shape, node);
    dot_put_bytes(shape, "", 1);
    fputs("{\"name\":", file);
    atl_write_json_text(file, atl_name_of(node));
    fputs(",\"op\":", file);
    atl_write_json_text(file, node->op->name);
    fputs(",\"attributes\":", file);
    atl_write_json_text(file, options);
    fputs(",\"shape\":", file);
    atl_write_json_text(file, shape->status ? "" : shape->data);
    fputs(",\"inputs\":[", file);
    for (int k = 0, written = 0; k < node->input_count; k++)
        if (is_drawn[node->inputs[k]->index]) {
            fputs(written++ ? "," : "", file);
            atl_write_json_text(file, atl_name_of(node->inputs[k]));
        }
    fputs("]}", file);
}

static atl_status write_nodes(const drawing *d, FILE *file)
{
    dot_text shape = {0};
    const char *title = d->args->title ? d->args->title : "";
    fprintf(file, "{\"format\":\"%s\",\"title\":", format_name);
    atl_write_json_text(file, title);
    fputs(",\"nodes\":[", file);
    for (int64_t i = 0, written = 0; i < d->graph->count; i++)
        if (d->is_drawn[i]) {
            fputs(written++ ? ",\n" : "\n", file);
            write_node(file, d->graph->nodes[i], d->is_drawn, &shape);
        }
    fputs("\n]}\n", file);
    atl_status status = shape.status;
    atl_release(shape.data);
    return status;
}

atl_status explorer_write_json(const atl_dot_args *args, FILE *file)
{
    drawing d = {.args = args};
    atl_status status = dot_check_arguments(args, &d.graph);
    if (status)
        return status;
    size_t count = (size_t)d.graph->count + 1;
    d.is_drawn = atl_allocate(count, 1);
    d.is_wanted = atl_allocate(count, 1);
    status = d.is_drawn && d.is_wanted ? dot_select_nodes(&d) : atl_out_of_memory();
    if (!status)
        status = write_nodes(&d, file);
    atl_release(d.is_drawn);
    atl_release(d.is_wanted);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static atl_status refuse(const char *path, const char *why)
{
    return atl_set_error(ATL_BAD_FILE, "%s: it is no graph as atled writes it to a file .json: %s", path, why);
}

static json_t *read_json(const char *path)
{
    json_error_t error;
    FILE *file;
    int64_t size;
    if (atl_open_input(path, "a graph as JSON", &file, &size))
        return NULL;
    json_t *root = json_loadf(file, 0, &error);
    if (!root) {
        char why[JSON_ERROR_TEXT_LENGTH + 32];
        snprintf(why, sizeof why, "line %d: %s", error.line, error.text);
        refuse(path, why);
    }
    fclose(file);
    return root;
}

/* Name, op, attributes, shape and the names of the inputs of each node; 0 if one of them is missing. */
static int write_other_nodes(const json_t *nodes, FILE *file)
{
    static const char *const keys[] = {"name", "op", "attributes", "shape"};
    size_t i;
    json_t *node;
    json_array_foreach(nodes, i, node)
    {
        fputs(i ? ",\n[" : "[", file);
        for (int k = 0; k < 4; k++) {
            const char *text = json_string_value(json_object_get(node, keys[k]));
            if (!text)
                return 0;
            fputs(k ? "," : "", file);
            atl_write_json_text(file, text);
        }
        const json_t *inputs = json_object_get(node, "inputs"), *input;
        size_t k;
        fputs(",[", file);
        json_array_foreach(inputs, k, input)
        {
            if (!json_is_string(input))
                return 0;
            fputs(k ? "," : "", file);
            atl_write_json_text(file, json_string_value(input));
        }
        fputs("]]", file);
    }
    return 1;
}

atl_status explorer_write_other(const char *path, FILE *file)
{
    if (!path) {
        fputs("\"other\":null,\n", file);
        return ATL_OK;
    }
    json_t *root = read_json(path);
    if (!root)
        return atl_error_status();
    const char *format = json_string_value(json_object_get(root, "format"));
    const char *slash = strrchr(path, '/');
    const json_t *nodes = json_object_get(root, "nodes");
    atl_status status = ATL_OK;
    if (!format || strcmp(format, format_name) != 0 || !json_is_array(nodes))
        status = refuse(path, "it has no \"format\":\"atled graph 1\" or no \"nodes\"");
    fputs("\"other\":{\"title\":", file);
    atl_write_json_text(file, slash ? slash + 1 : path);
    fputs(",\"nodes\":[", file);
    if (!status && !write_other_nodes(nodes, file))
        status = refuse(path, "a node lacks its name, op, attributes or shape, or an input is no name");
    fputs("]},\n", file);
    json_decref(root);
    return status;
}
