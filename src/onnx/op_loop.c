/* Importer of Loop.  Its body is read once for each turn, so that how often it runs must be known when the graph is
 * built.  https://onnx.ai/onnx/operators/onnx__Loop.html */
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/importer.h"
#include "onnx/tensor_data.h"

enum { MOST_TURNS = 10000 };

typedef struct loop {
    const onnx_graph *body;
    int64_t carried, scanned, turns;
    onnx_value **given; /* of the body: number of the turn, condition, what is carried over */
    onnx_value **made;  /* condition, what is carried over, what is collected */
    atl_node ***part;   /* what is collected, by output and turn */
    onnx_type *type;    /* of these */
} loop;

/* The number of a value that does not depend on inputs of the model; 0 with the reason. */
static int number_of(onnx_op *op, onnx_value *value, double *to)
{
    onnx_value *input[] = {value};
    onnx_op view = *op;
    view.input = input;
    view.inputs = 1;
    return onnx_one(&view, 0, to) || onnx_reject(op, "%s", view.why);
}

static onnx_value *number_value(onnx_op *op, int64_t number, onnx_type type)
{
    onnx_value *value = onnx_room(op, 1, sizeof *value);
    onnx_known *known = onnx_new_known(op->importer, 0, ATL_SCALAR);
    if (!value || !known)
        return NULL;
    known->at[0].value = (long double)number;
    *value = (onnx_value){.name = "", .type = type, .known = known, .is_constant = 1};
    return value;
}

static int begin_loop(onnx_op *op, loop *l)
{
    const onnx_attribute *body = onnx_attribute_of(op, "body", ONNX_ATTRIBUTE_GRAPH);
    if (!body)
        return onnx_reject(op, "it needs a body");
    l->body = body->graph;
    l->carried = op->inputs > 2 ? op->inputs - 2 : 0;
    l->scanned = l->body->outputs - 1 - l->carried;
    if (l->body->inputs != 2 + l->carried || l->scanned < 0)
        return onnx_reject(op, "its body has %lld input%s and %lld output%s, for %lld value%s that are carried over",
                           (long long)l->body->inputs, atl_plural(l->body->inputs), (long long)l->body->outputs,
                           atl_plural(l->body->outputs), (long long)l->carried, atl_plural(l->carried));
    l->given = onnx_room(op, l->body->inputs, sizeof *l->given);
    l->made = onnx_room(op, l->body->outputs, sizeof *l->made);
    l->part = onnx_room(op, l->scanned + 1, sizeof *l->part);
    l->type = onnx_room(op, l->scanned + 1, sizeof *l->type);
    for (int64_t i = 0; l->part && i < l->scanned; i++)
        if (!(l->part[i] = onnx_room(op, MOST_TURNS, sizeof **l->part)))
            return 0;
    for (int64_t i = 0; l->given && i < l->carried; i++)
        if (!(l->given[2 + i] = op->input[2 + i]))
            return onnx_reject(op, "its input %lld is missing", (long long)(2 + i));
    return l->given && l->made && l->part && l->type;
}

/* Reads the body once more; what it makes is what the next turn is given. */
static int turn(onnx_op *op, loop *l)
{
    onnx_op inner = *op;
    l->given[0] = number_value(op, l->turns, ONNX_INT64);
    l->given[1] = number_value(op, 1, ONNX_BOOL);
    for (int64_t i = 0; i < l->body->outputs; i++)
        if (!(l->made[i] = onnx_room(op, 1, sizeof **l->made)))
            return 0;
    inner.outputs = l->body->outputs;
    inner.output = l->made;
    if (!l->given[0] || !l->given[1] || !onnx_import_subgraph(&inner, l->body, l->given))
        return onnx_reject(op, "%s", *inner.why ? inner.why : "out of memory");
    for (int64_t i = 0; i < l->carried; i++)
        l->given[2 + i] = l->made[1 + i];
    for (int64_t i = 0; i < l->scanned; i++) {
        l->part[i][l->turns] = onnx_node_in(op->importer, l->made[1 + l->carried + i], ONNX_AS_WRITTEN);
        l->type[i] = l->made[1 + l->carried + i]->type;
        if (!l->part[i][l->turns])
            return onnx_reject(op, "%s", atl_error());
    }
    l->turns++;
    return 1;
}

/* What a loop that never runs collects: nothing, of the shape that the body declares. */
static int give_nothing(onnx_op *op, const loop *l, int64_t i)
{
    const onnx_port *port = &l->body->output[1 + l->carried + i];
    atl_shape shape = {.rank = port->rank + 1};
    for (int k = 0; k < port->rank && shape.rank <= ATL_MAX_RANK; k++)
        shape.size[k + 1] = port->size[k];
    if (port->rank < 0 || shape.rank > ATL_MAX_RANK || atl_shape_count(shape) != 0)
        return onnx_reject(op, "it never runs, and what it would collect has no known shape");
    return onnx_give_known(op, l->carried + i, onnx_new_known(op->importer, onnx_is_float(port->type), shape),
                           port->type);
}

static int give_results(onnx_op *op, const loop *l)
{
    for (int64_t i = 0; i < l->carried; i++)
        onnx_give_value(op, i, l->given[2 + i]);
    for (int64_t i = 0; i < l->scanned; i++) {
        if (l->carried + i >= op->outputs || !op->output[l->carried + i])
            continue;
        if (l->turns == 0) {
            if (!give_nothing(op, l, i))
                return 0;
        } else if (!onnx_give_type(op, l->carried + i, atl_stack_with(0, (atl_nodes){l->turns, l->part[i]}),
                                   l->type[i]))
            return 0;
    }
    return 1;
}

static int import_loop(onnx_op *op)
{
    loop l = {0};
    double most = MOST_TURNS + 1.0, goes_on = 1;
    if (!begin_loop(op, &l) || (onnx_has(op, 0) && !number_of(op, op->input[0], &most)) ||
        (onnx_has(op, 1) && !number_of(op, op->input[1], &goes_on)))
        return 0;
    while (goes_on != 0 && (double)l.turns < most) {
        if (l.turns >= MOST_TURNS)
            return onnx_reject(op, "more than %d turns", MOST_TURNS);
        if (!turn(op, &l) || !number_of(op, l.made[0], &goes_on))
            return 0;
    }
    return give_results(op, &l);
}

const onnx_entry onnx_loops[] = {{"Loop", 1, import_loop, .most_outputs = 10000, .takes_sequences = 1}, {0}};
