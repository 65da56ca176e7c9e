/* Attributes, nodes, graphs, functions, models. */
#include "onnx/model.h"

#include <inttypes.h>
#include <string.h>

#include "onnx/parse.h"

/* ---- lists of names ---------------------------------------------------------------------------------------------- */

/* All fields of that number as texts. */
static int read_names(onnx_parser *parser, onnx_reader message, int number, int64_t *count_out, const char ***names_out)
{
    onnx_field field;
    int64_t at = 0;
    *count_out = onnx_count(message, number);
    if (!onnx_make_room(parser, &message, *count_out, sizeof **names_out, names_out))
        return 0;
    while (*count_out && onnx_next(&message, &field))
        if (field.number == number && !onnx_take_text(parser, &message, &field, &(*names_out)[at++]))
            return 0;
    return !message.source->failed;
}

/* All fields of that number as structs of `size` bytes, each by the function. */
static int read_each(onnx_parser *parser, onnx_reader message, int number, size_t size,
                     int (*read)(onnx_parser *parser, onnx_reader message, void *one), int64_t *count_out,
                     void *array_out)
{
    onnx_field field;
    onnx_reader inner;
    char *array;
    int64_t at = 0;
    *count_out = onnx_count(message, number);
    if (!onnx_make_room(parser, &message, *count_out, size, array_out))
        return 0;
    memcpy(&array, array_out, sizeof array);
    while (*count_out && onnx_next(&message, &field))
        if (field.number == number &&
            (!onnx_take_message(&message, &field, &inner) || !read(parser, inner, array + size * (size_t)at++)))
            return 0;
    return !message.source->failed;
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

/* The numbers of a list, packed or one by one: counted if the arrays are null. */
static int read_numbers(onnx_reader message, int number, int64_t *integers, float *numbers, int64_t *count_out)
{
    onnx_wire_type type = number == 7 ? ONNX_FIXED32 : ONNX_VARINT;
    onnx_field field;
    *count_out = 0;
    while (onnx_next(&message, &field)) {
        onnx_reader list = {.source = message.source};
        uint64_t value = field.value;
        if (field.number != number)
            continue;
        if (field.type != ONNX_BYTES && field.type != type)
            return onnx_bad_wire(&message, "a list of numbers is of the wrong type");
        if (field.type == ONNX_BYTES)
            list = onnx_inside(&message, &field);
        while (field.type != ONNX_BYTES || onnx_next_packed(&list, type, &value)) {
            uint32_t bits = (uint32_t)value;
            if (integers)
                integers[*count_out] = (int64_t)value;
            if (numbers)
                memcpy(&numbers[*count_out], &bits, sizeof bits);
            ++*count_out;
            if (field.type != ONNX_BYTES)
                break;
        }
    }
    return !message.source->failed;
}

static int read_integers(onnx_parser *parser, onnx_reader message, onnx_attribute *a)
{
    return read_numbers(message, 8, NULL, NULL, &a->count) &&
           onnx_make_room(parser, &message, a->count, sizeof *a->integers, &a->integers) &&
           read_numbers(message, 8, a->integers, NULL, &a->count);
}

static int read_floats(onnx_parser *parser, onnx_reader message, onnx_attribute *a)
{
    return read_numbers(message, 7, NULL, NULL, &a->count) &&
           onnx_make_room(parser, &message, a->count, sizeof *a->numbers, &a->numbers) &&
           read_numbers(message, 7, NULL, a->numbers, &a->count);
}

static int read_own_tensor(onnx_parser *parser, onnx_reader message, onnx_attribute *a)
{
    a->tensor = onnx_allocate(parser->arena, 1, sizeof *a->tensor);
    return a->tensor ? onnx_read_tensor(parser, message, a->tensor)
                     : onnx_bad_wire(&message, "out of memory for a tensor");
}

static int read_own_graph(onnx_parser *parser, onnx_reader message, onnx_attribute *a)
{
    a->graph = onnx_allocate(parser->arena, 1, sizeof *a->graph);
    if (!a->graph)
        return onnx_bad_wire(&message, "out of memory for a graph");
    if (++parser->depth > ONNX_DEEPEST)
        return onnx_bad_wire(&message, "graphs within graphs, more than %d deep, which is the limit", ONNX_DEEPEST);
    int fine = onnx_read_graph(parser, message, a->graph);
    parser->depth--;
    return fine;
}

/* One field of the message, but for lists. */
static int read_attribute_field(onnx_parser *parser, const onnx_reader *message, const onnx_field *field,
                                onnx_attribute *a)
{
    onnx_reader inner;
    int64_t type = 0;
    uint32_t bits = (uint32_t)field->value;
    switch (field->number) {
    case 1:
        return onnx_take_text(parser, message, field, &a->name);
    case 2:
        if (field->type != ONNX_FIXED32)
            return onnx_bad_wire(message, "the attribute '%s' should be a float", a->name);
        memcpy(&a->number, &bits, sizeof bits);
        return 1;
    case 3:
        return onnx_take_integer(message, field, &a->integer);
    case 4: /* may be any bytes: kept if it is a name */
        return field->size > ONNX_LONGEST_NAME || onnx_take_text(parser, message, field, &a->text);
    case 5:
        return onnx_take_message(message, field, &inner) && read_own_tensor(parser, inner, a);
    case 6:
        return onnx_take_message(message, field, &inner) && read_own_graph(parser, inner, a);
    case 20:
        if (!onnx_take_integer(message, field, &type))
            return 0;
        a->type = type >= 0 && type <= ONNX_ATTRIBUTE_STRINGS ? (onnx_attribute_type)type : ONNX_ATTRIBUTE_OTHER;
        return 1;
    case 21:
        return onnx_take_text(parser, message, field, &a->reference);
    default:
        return 1;
    }
}

/* Files of IR version 1 do not say the type: it is that of the field which is there. */
static onnx_attribute_type type_of_field(int number)
{
    static const onnx_attribute_type of[] = {
        [2] = ONNX_ATTRIBUTE_FLOAT,  [3] = ONNX_ATTRIBUTE_INT,    [4] = ONNX_ATTRIBUTE_STRING,
        [5] = ONNX_ATTRIBUTE_TENSOR, [6] = ONNX_ATTRIBUTE_GRAPH,  [7] = ONNX_ATTRIBUTE_FLOATS,
        [8] = ONNX_ATTRIBUTE_INTS,   [9] = ONNX_ATTRIBUTE_STRINGS};
    return number >= 2 && number <= 9 ? of[number] : ONNX_ATTRIBUTE_NONE;
}

int onnx_read_attribute(onnx_parser *parser, onnx_reader message, onnx_attribute *a)
{
    onnx_reader again = message;
    onnx_field field;
    onnx_attribute_type seen = ONNX_ATTRIBUTE_NONE;
    *a = (onnx_attribute){.name = "", .reference = "", .text = ""};
    while (onnx_next(&message, &field)) {
        if (!read_attribute_field(parser, &message, &field, a))
            return 0;
        if (type_of_field(field.number))
            seen = type_of_field(field.number);
    }
    if (message.source->failed)
        return 0;
    if (a->type == ONNX_ATTRIBUTE_NONE)
        a->type = seen;
    if ((a->type == ONNX_ATTRIBUTE_TENSOR && !a->tensor) || (a->type == ONNX_ATTRIBUTE_GRAPH && !a->graph)) {
        if (!*a->reference)
            return onnx_bad_wire(&again, "the attribute '%s' lacks its value", a->name);
    }
    if (a->type == ONNX_ATTRIBUTE_INTS)
        return read_integers(parser, again, a);
    if (a->type == ONNX_ATTRIBUTE_FLOATS)
        return read_floats(parser, again, a);
    return a->type != ONNX_ATTRIBUTE_STRINGS || read_names(parser, again, 9, &a->count, &a->texts);
}

/* ---- nodes and graphs -------------------------------------------------------------------------------------------- */

static int read_any_attribute(onnx_parser *parser, onnx_reader message, void *one)
{
    return onnx_read_attribute(parser, message, one);
}
static int read_any_node(onnx_parser *parser, onnx_reader message, void *one)
{
    return onnx_read_node(parser, message, one);
}
static int read_any_port(onnx_parser *parser, onnx_reader message, void *one)
{
    return onnx_read_port(parser, message, one);
}
static int read_any_tensor(onnx_parser *parser, onnx_reader message, void *one)
{
    return onnx_read_tensor(parser, message, one);
}

/* "ai.onnx" and "" are one domain. */
static const char *domain_of(const char *domain) { return strcmp(domain, "ai.onnx") == 0 ? "" : domain; }

/* Of what the exporter tells about a node, the scopes of its name. */
static int read_scopes(onnx_parser *parser, onnx_reader message, const char **scopes)
{
    const char *key = "", *value = "";
    onnx_field field;
    while (onnx_next(&message, &field))
        if ((field.number == 1 && !onnx_take_text(parser, &message, &field, &key)) ||
            (field.number == 2 && strcmp(key, "pkg.torch.onnx.name_scopes") == 0 &&
             !onnx_take_text(parser, &message, &field, &value)))
            return 0;
    if (*value)
        *scopes = value;
    return !message.source->failed;
}

static int read_node_fields(onnx_parser *parser, onnx_reader message, onnx_node *n)
{
    onnx_reader again = message;
    onnx_field field;
    if (parser->nodes > ONNX_MOST_NODES)
        return onnx_bad_wire(&message, "the model has more than %d nodes, which is the limit: split it",
                             ONNX_MOST_NODES);
    while (onnx_next(&message, &field)) {
        const char **text = field.number == 3   ? &n->name
                            : field.number == 4 ? &n->op
                            : field.number == 7 ? &n->domain
                                                : NULL;
        onnx_reader inner;
        if (text && !onnx_take_text(parser, &message, &field, text))
            return 0;
        if (field.number == 9 &&
            !(onnx_take_message(&message, &field, &inner) && read_scopes(parser, inner, &n->scopes)))
            return 0;
    }
    n->domain = domain_of(n->domain);
    return !message.source->failed && read_names(parser, again, 1, &n->inputs, &n->input) &&
           read_names(parser, again, 2, &n->outputs, &n->output) &&
           read_each(parser, again, 5, sizeof *n->attribute, read_any_attribute, &n->attributes, &n->attribute);
}

int onnx_read_node(onnx_parser *parser, onnx_reader message, onnx_node *n)
{
    onnx_source *source = message.source;
    const onnx_part *around = source->part, part = {"node", ++parser->nodes, &n->name};
    *n = (onnx_node){.name = "", .op = "", .domain = "", .scopes = ""};
    source->part = &part;
    int fine = read_node_fields(parser, message, n);
    source->part = around;
    return fine;
}

int onnx_read_graph(onnx_parser *parser, onnx_reader message, onnx_graph *g)
{
    onnx_reader again = message;
    onnx_field field;
    *g = (onnx_graph){.name = ""};
    while (onnx_next(&message, &field)) {
        if (field.number == 2 && !onnx_take_text(parser, &message, &field, &g->name))
            return 0;
        g->has_sparse |= field.number == 15;
    }
    return !message.source->failed &&
           read_each(parser, again, 1, sizeof *g->node, read_any_node, &g->nodes, &g->node) &&
           read_each(parser, again, 5, sizeof *g->initializer, read_any_tensor, &g->initializers, &g->initializer) &&
           read_each(parser, again, 11, sizeof *g->input, read_any_port, &g->inputs, &g->input) &&
           read_each(parser, again, 12, sizeof *g->output, read_any_port, &g->outputs, &g->output);
}

static int read_opset(onnx_parser *parser, onnx_reader message, void *one)
{
    onnx_opset *opset = one;
    onnx_field field;
    *opset = (onnx_opset){.domain = ""};
    while (onnx_next(&message, &field))
        if ((field.number == 1 && !onnx_take_text(parser, &message, &field, &opset->domain)) ||
            (field.number == 2 && !onnx_take_integer(&message, &field, &opset->version)))
            return 0;
    opset->domain = domain_of(opset->domain);
    return !message.source->failed;
}

static int read_function(onnx_parser *parser, onnx_reader message, void *one)
{
    onnx_function *f = one;
    onnx_reader again = message;
    onnx_field field;
    *f = (onnx_function){.name = "", .domain = ""};
    while (onnx_next(&message, &field)) {
        const char **text = field.number == 1 ? &f->name : field.number == 10 ? &f->domain : NULL;
        if (text && !onnx_take_text(parser, &message, &field, text))
            return 0;
    }
    f->domain = domain_of(f->domain);
    return !message.source->failed && read_names(parser, again, 4, &f->inputs, &f->input) &&
           read_names(parser, again, 5, &f->outputs, &f->output) &&
           read_each(parser, again, 7, sizeof *f->node, read_any_node, &f->nodes, &f->node) &&
           read_each(parser, again, 9, sizeof *f->opset, read_opset, &f->opsets, &f->opset) &&
           read_each(parser, again, 11, sizeof *f->default_value, read_any_attribute, &f->defaults, &f->default_value);
}

int onnx_parse_model(onnx_source *source, onnx_arena *arena, onnx_model *m)
{
    onnx_parser parser = {.arena = arena};
    onnx_reader message = onnx_message_of(source), again = message, inner;
    onnx_field field;
    *m = (onnx_model){.producer = ""};
    while (onnx_next(&message, &field)) {
        int fine = 1;
        if (field.number == 1)
            fine = onnx_take_integer(&message, &field, &m->ir_version);
        else if (field.number == 2)
            fine = onnx_take_text(&parser, &message, &field, &m->producer);
        else if (field.number == 7) {
            if (m->has_graph)
                return onnx_bad_wire(&message, "a second graph: this is no model, or it is damaged");
            m->has_graph = 1;
            fine = onnx_take_message(&message, &field, &inner) && onnx_read_graph(&parser, inner, &m->graph);
        }
        if (!fine)
            return 0;
    }
    return !source->failed && read_each(&parser, again, 8, sizeof *m->opset, read_opset, &m->opsets, &m->opset) &&
           read_each(&parser, again, 25, sizeof *m->function, read_function, &m->functions, &m->function);
}
