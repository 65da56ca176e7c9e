/* Importer of Scan.  Its body is read once for each element of the scanned inputs, so that their length must be known
 * when the graph is built.  https://onnx.ai/onnx/operators/onnx__Scan.html */
#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/importer.h"

enum { MOST_TURNS = 10000, MOST_PORTS = 256 };

typedef struct scan {
    const onnx_graph *body;
    int first;                       /* input of the op that is the body's first: version 8 has one before it */
    int64_t states, inputs, outputs; /* carried over; scanned; collected */
    int64_t turns, in_axis[MOST_PORTS], out_axis[MOST_PORTS], backwards_in[MOST_PORTS], backwards_out[MOST_PORTS];
    onnx_value **given, **made; /* of the body */
    atl_node ***part;           /* what is collected, by output and turn */
} scan;

/* A list of zeros, or of the attribute's numbers; 0 with the reason. */
static int read_list(onnx_op *op, const char *name, int64_t count, int64_t *to)
{
    int given = onnx_attr_ints(op, name, MOST_PORTS, to);
    for (int64_t i = 0; given == 0 && i < count; i++)
        to[i] = 0;
    if (given > 0 && given != count)
        return onnx_reject(op, "its attribute '%s' has %d number%s for %lld value%s", name, given, atl_plural(given),
                           (long long)count, atl_plural(count));
    return given >= 0;
}

static int read_lists(onnx_op *op, scan *s)
{
    if (s->first) { /* version 8: the batch is dimension 0, the sequence dimension 1 */
        for (int64_t i = 0; i < MOST_PORTS; i++)
            s->in_axis[i] = s->out_axis[i] = 1;
        return read_list(op, "directions", s->inputs, s->backwards_in);
    }
    return read_list(op, "scan_input_axes", s->inputs, s->in_axis) &&
           read_list(op, "scan_output_axes", s->outputs, s->out_axis) &&
           read_list(op, "scan_input_directions", s->inputs, s->backwards_in) &&
           read_list(op, "scan_output_directions", s->outputs, s->backwards_out);
}

static int begin_scan(onnx_op *op, scan *s)
{
    const onnx_attribute *body = onnx_attribute_of(op, "body", ONNX_ATTRIBUTE_GRAPH);
    int64_t scanned = onnx_attr_int(op, "num_scan_inputs", 0);
    s->first = op->version < 9;
    int64_t inputs = op->inputs - s->first;
    if (!body || scanned < 1 || scanned > inputs || inputs > MOST_PORTS || body->graph->outputs > MOST_PORTS)
        return onnx_reject(op, "it needs a body, and at least one input that is scanned");
    *s = (scan){.body = body->graph, .first = s->first, .states = inputs - scanned, .inputs = scanned};
    s->outputs = s->body->outputs - s->states;
    if (s->body->inputs != inputs || s->outputs < 0)
        return onnx_reject(op, "its body has %lld input%s and %lld output%s, for %lld value%s that are carried over",
                           (long long)s->body->inputs, atl_plural(s->body->inputs), (long long)s->body->outputs,
                           atl_plural(s->body->outputs), (long long)s->states, atl_plural(s->states));
    if (s->first && (onnx_has(op, 0) || onnx_shape(op, 1).rank < 1 || onnx_shape(op, 1).size[0] != 1))
        return onnx_reject(op, "before version 9 it is read for one sequence, of no given length");
    for (int64_t i = 0; i < inputs; i++)
        if (!onnx_has(op, s->first + i))
            return onnx_reject(op, "its input %lld is missing", (long long)(s->first + i));
    s->given = onnx_room(op, inputs, sizeof *s->given);
    s->made = onnx_room(op, s->body->outputs + 1, sizeof *s->made);
    s->part = onnx_room(op, s->outputs + 1, sizeof *s->part);
    return s->given && s->made && s->part && read_lists(op, s);
}

/* How many elements the scanned inputs have; -1 with the reason. */
static int64_t length_of(onnx_op *op, scan *s)
{
    int64_t length = -1;
    for (int64_t i = 0; i < s->inputs; i++) {
        int64_t at = s->first + s->states + i;
        int axis = onnx_axis(op, s->in_axis[i], onnx_rank(op, at));
        int64_t size = axis < 0 ? -1 : onnx_shape(op, at).size[axis];
        s->in_axis[i] = axis;
        if (size < 1 || size > MOST_TURNS || (i && size != length)) {
            onnx_reject(op, "the lengths of what it scans must be known, equal, and at most %d", MOST_TURNS);
            return -1;
        }
        length = size;
    }
    return length;
}

/* Element `turn` of the scanned input i. */
static onnx_value *element(onnx_op *op, const scan *s, int64_t i, int64_t turn)
{
    int64_t at = s->first + s->states + i;
    atl_slice_args cut = {.x = onnx_any(op, at)};
    int axis = (int)s->in_axis[i];
    if (!cut.x)
        return NULL;
    cut.begin[axis] = s->backwards_in[i] ? s->turns - 1 - turn : turn;
    cut.end[axis] = cut.begin[axis] + 1;
    atl_node *one = atl_squeeze(atl_slice_with(&cut), axis);
    return onnx_value_with_node(op, "", s->first ? atl_squeeze(one, 0) : one, onnx_type_of(op, at));
}

static int turn(onnx_op *op, scan *s, int64_t number)
{
    onnx_op inner = *op;
    for (int64_t i = 0; i < s->inputs; i++)
        if (!(s->given[s->states + i] = element(op, s, i, number)))
            return 0;
    for (int64_t i = 0; i < s->body->outputs; i++)
        if (!(s->made[i] = onnx_room(op, 1, sizeof **s->made)))
            return 0;
    inner.outputs = s->body->outputs;
    inner.output = s->made;
    if (!onnx_import_subgraph(&inner, s->body, s->given))
        return onnx_reject(op, "%s", *inner.why ? inner.why : "out of memory");
    for (int64_t i = 0; i < s->states; i++)
        s->given[i] = s->made[i];
    for (int64_t i = 0; i < s->outputs; i++) {
        int64_t place = s->backwards_out[i] ? s->turns - 1 - number : number;
        if (!(s->part[i][place] = onnx_node_in(op->importer, s->made[s->states + i], ONNX_AS_WRITTEN)))
            return onnx_reject(op, "%s", atl_error());
    }
    return 1;
}

static int give_results(onnx_op *op, const scan *s)
{
    for (int64_t i = 0; i < s->states; i++) {
        atl_node *last = s->first ? onnx_node_in(op->importer, s->given[i], ONNX_AS_WRITTEN) : NULL;
        if (s->first ? !onnx_give_type(op, i, atl_expand_dims(last, 0), s->given[i]->type)
                     : !onnx_give_value(op, i, s->given[i]))
            return 0;
    }
    for (int64_t i = 0; i < s->outputs; i++) {
        const onnx_value *made = s->made[s->states + i];
        int axis = s->first ? 0 : onnx_axis(op, s->out_axis[i], made->shape.rank + 1);
        atl_node *all = axis < 0 ? NULL : atl_stack_with(axis, (atl_nodes){s->turns, s->part[i]});
        if (!all || !onnx_give_type(op, s->states + i, s->first ? atl_expand_dims(all, 0) : all, made->type))
            return 0;
    }
    return 1;
}

static int import_scan(onnx_op *op)
{
    scan *s = onnx_room(op, 1, sizeof *s);
    if (!s || !begin_scan(op, s) || (s->turns = length_of(op, s)) < 0)
        return 0;
    for (int64_t i = 0; i < s->outputs; i++)
        if (!(s->part[i] = onnx_room(op, s->turns, sizeof **s->part)))
            return 0;
    for (int64_t i = 0; i < s->states; i++) {
        s->given[i] = op->input[s->first + i];
        atl_node *one = s->first ? onnx_any(op, s->first + i) : NULL;
        if (s->first &&
            !(one && (s->given[i] = onnx_value_with_node(op, "", atl_squeeze(one, 0), onnx_type_of(op, s->first + i)))))
            return 0;
    }
    for (int64_t number = 0; number < s->turns; number++)
        if (!turn(op, s, number))
            return 0;
    return give_results(op, s);
}

const onnx_entry onnx_scans[] = {{"Scan", 8, import_scan, .most_outputs = 10000}, {0}};
