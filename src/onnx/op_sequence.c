/* Importers of sequences: lists of values whose lengths and places are known when the graph is built.  No node is made
 * of a list; its elements are values of the file as others.
 * https://onnx.ai/onnx/operators/onnx__SequenceAt.html and the like */
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/importer.h"

enum { MOST_ELEMENTS = 10000 };

/* Null with the reason. */
static const onnx_sequence *sequence_of(onnx_op *op, int64_t i)
{
    const onnx_sequence *sequence = onnx_has(op, i) ? op->input[i]->sequence : NULL;
    if (!sequence)
        onnx_reject(op, "its input %lld is no sequence", (long long)i);
    return sequence;
}

static onnx_sequence *new_sequence(onnx_op *op, int64_t count)
{
    onnx_sequence *sequence = NULL;
    if (count > MOST_ELEMENTS)
        onnx_reject(op, "a sequence of %lld elements; the limit is %d", (long long)count, MOST_ELEMENTS);
    else
        sequence = onnx_room(op, 1, sizeof *sequence);
    if (!sequence || !(sequence->element = onnx_room(op, count + 1, sizeof *sequence->element)))
        return NULL;
    sequence->count = count;
    return sequence;
}

static int give_sequence(onnx_op *op, int64_t i, const onnx_sequence *sequence)
{
    onnx_value *value = i < op->outputs ? op->output[i] : NULL;
    if (!sequence)
        return 0;
    if (value) {
        value->type = sequence->count ? sequence->element[0]->type : ONNX_FLOAT;
        value->sequence = sequence;
    }
    return 1;
}

/* A place 0..last, or counted from the end; -1 with the reason. */
static int64_t place_of(onnx_op *op, int64_t i, int64_t count, int64_t last, int64_t otherwise)
{
    int64_t place = otherwise;
    if (onnx_has(op, i) && !onnx_one_whole(op, i, &place))
        return -1;
    int64_t at = place < 0 ? place + count : place;
    if (at >= 0 && at <= last)
        return at;
    onnx_reject(op, "place %lld of a sequence of %lld element%s", (long long)place, (long long)count,
                atl_plural(count));
    return -1;
}

static int import_construct(onnx_op *op)
{
    onnx_sequence *sequence = new_sequence(op, op->inputs);
    for (int64_t i = 0; sequence && i < op->inputs; i++)
        if (!(sequence->element[i] = op->input[i]))
            return onnx_reject(op, "it needs an input %lld", (long long)i);
    return give_sequence(op, 0, sequence);
}

static int import_empty(onnx_op *op) { return give_sequence(op, 0, new_sequence(op, 0)); }

static int import_at(onnx_op *op)
{
    const onnx_sequence *from = sequence_of(op, 0);
    int64_t at = from ? place_of(op, 1, from->count, from->count - 1, -1) : -1;
    return at >= 0 && onnx_give_value(op, 0, from->element[at]);
}

static int import_length(onnx_op *op)
{
    const onnx_sequence *from = sequence_of(op, 0);
    onnx_known *known = from ? onnx_new_known(op->importer, 0, ATL_SCALAR) : NULL;
    if (!from)
        return 0;
    if (known)
        known->at[0].value = (long double)from->count;
    return onnx_give_known(op, 0, known, ONNX_INT64);
}

/* The elements before a place, what is put there or null, and those from `next` on. */
static int give_changed(onnx_op *op, const onnx_sequence *from, int64_t place, onnx_value *put, int64_t next)
{
    onnx_sequence *to = new_sequence(op, place + (put != NULL) + from->count - next);
    int64_t count = 0;
    if (!to)
        return 0;
    for (int64_t i = 0; i < place; i++)
        to->element[count++] = from->element[i];
    if (put)
        to->element[count++] = put;
    for (int64_t i = next; i < from->count; i++)
        to->element[count++] = from->element[i];
    return give_sequence(op, 0, to);
}

static int import_insert(onnx_op *op)
{
    const onnx_sequence *from = sequence_of(op, 0);
    int64_t at = from ? place_of(op, 2, from->count, from->count, from->count) : -1;
    if (at < 0)
        return 0;
    return onnx_has(op, 1) ? give_changed(op, from, at, op->input[1], at) : onnx_reject(op, "it needs an input 1");
}

static int import_erase(onnx_op *op)
{
    const onnx_sequence *from = sequence_of(op, 0);
    int64_t at = from ? place_of(op, 1, from->count, from->count - 1, -1) : -1;
    return at >= 0 && give_changed(op, from, at, NULL, at + 1);
}

/* ---- to and from tensors ----------------------------------------------------------------------------------------- */

/* Sizes of the parts: of each, of all but the last one, or 1.  Their number, or -1 with the reason. */
static int64_t part_sizes(onnx_op *op, int64_t whole, int64_t *size)
{
    int64_t each = 1, count = 0, sum = 0;
    if (onnx_has(op, 1) && onnx_rank(op, 1) == 1) {
        count = onnx_whole(op, 1, MOST_ELEMENTS, size);
        for (int64_t i = 0; i < count; sum += size[i++])
            if (size[i] < 1 || size[i] > whole - sum)
                return onnx_reject(op, "its part %lld has the size %lld; 1 to %lld are left", (long long)i,
                                   (long long)size[i], (long long)(whole - sum)),
                       -1;
        if (count < 0 || sum == whole)
            return count;
        onnx_reject(op, "its parts do not add up to %lld", (long long)whole);
        return -1;
    }
    if (onnx_has(op, 1) && !onnx_one_whole(op, 1, &each))
        return -1;
    if (each < 1 || whole / each >= MOST_ELEMENTS) {
        onnx_reject(op, "parts of %lld element%s of %lld", (long long)each, atl_plural(each), (long long)whole);
        return -1;
    }
    for (; sum < whole; sum += each)
        size[count++] = each < whole - sum ? each : whole - sum;
    return count;
}

static int import_split(onnx_op *op)
{
    atl_node *x = onnx_any(op, 0);
    int axis = x ? onnx_axis(op, onnx_attr_int(op, "axis", 0), onnx_rank(op, 0)) : -1;
    int64_t *size = onnx_room(op, MOST_ELEMENTS + 1, sizeof *size), whole = axis < 0 ? 0 : onnx_shape(op, 0).size[axis];
    if (axis < 0 || !size)
        return 0;
    if (whole == ATL_ANY)
        return onnx_reject(op, "the size that it splits is unknown: fix it");
    int64_t count = part_sizes(op, whole, size);
    onnx_sequence *sequence = count >= 0 ? new_sequence(op, count) : NULL;
    int drops = !onnx_has(op, 1) && !onnx_attr_int(op, "keepdims", 1);
    for (int64_t i = 0, at = 0; sequence && i < count; at += size[i++]) {
        atl_slice_args cut = {.x = x};
        cut.begin[axis] = at;
        cut.end[axis] = at + size[i];
        atl_node *part = atl_slice_with(&cut);
        if (!(sequence->element[i] = onnx_value_with_node(op, op->node->name, drops ? atl_squeeze(part, axis) : part,
                                                          onnx_type_of(op, 0))))
            return 0;
    }
    return give_sequence(op, 0, sequence);
}

static int import_concat(onnx_op *op)
{
    const onnx_sequence *from = sequence_of(op, 0);
    if (!from)
        return 0;
    if (from->count == 0)
        return onnx_reject(op, "its sequence is empty");
    int is_new = onnx_attr_int(op, "new_axis", 0) != 0, rank = from->element[0]->shape.rank;
    int axis = onnx_axis(op, onnx_attr_int(op, "axis", 0), rank + is_new);
    atl_node **part = onnx_room(op, from->count, sizeof *part);
    if (axis < 0 || !part)
        return 0;
    for (int64_t i = 0; i < from->count; i++) {
        if (from->element[i]->shape.rank != rank || from->element[i]->sequence)
            return onnx_reject(op, "the elements of its sequence must have as many dimensions");
        if (!(part[i] = onnx_node_in(op->importer, from->element[i], ONNX_AS_WRITTEN)))
            return onnx_reject(op, "%s", atl_error());
    }
    atl_nodes parts = {from->count, part};
    return onnx_give(op, 0, is_new ? atl_stack_with(axis, parts) : atl_concat_with(axis, parts));
}

/* ---- a graph for each element ------------------------------------------------------------------------------------ */

static int import_map(onnx_op *op)
{
    const onnx_attribute *body = onnx_attribute_of(op, "body", ONNX_ATTRIBUTE_GRAPH);
    const onnx_sequence *from = sequence_of(op, 0);
    if (!from || !body || body->graph->inputs != op->inputs || body->graph->outputs < op->outputs)
        return onnx_reject(op, "it needs a sequence, and a body that takes its inputs and makes its outputs");
    onnx_sequence **made = onnx_room(op, op->outputs + 1, sizeof *made);
    onnx_value **given = onnx_room(op, op->inputs, sizeof *given);
    for (int64_t i = 0; made && i < op->outputs; i++)
        if (!(made[i] = new_sequence(op, from->count)))
            return 0;
    for (int64_t k = 0; made && given && k < from->count; k++) {
        onnx_op inner = *op;
        inner.output = onnx_room(op, op->outputs, sizeof *inner.output);
        for (int64_t i = 0; i < op->inputs; i++) {
            const onnx_sequence *other = onnx_has(op, i) ? op->input[i]->sequence : NULL;
            if (!onnx_has(op, i) || (other && other->count != from->count))
                return onnx_reject(op, "its input %lld is missing, or a sequence of another length", (long long)i);
            given[i] = other ? other->element[k] : op->input[i];
        }
        for (int64_t i = 0; inner.output && i < op->outputs; i++)
            if (!(made[i]->element[k] = inner.output[i] = onnx_room(op, 1, sizeof **inner.output)))
                return 0;
        if (!inner.output || !onnx_import_subgraph(&inner, body->graph, given))
            return onnx_reject(op, "%s", *inner.why ? inner.why : "out of memory");
    }
    for (int64_t i = 0; made && i < op->outputs; i++)
        give_sequence(op, i, made[i]);
    return made && given;
}

const onnx_entry onnx_sequences[] = {{"ConcatFromSequence", 11, import_concat, .takes_sequences = 1},
                                     {"SequenceAt", 11, import_at, .takes_sequences = 1},
                                     {"SequenceConstruct", 11, import_construct},
                                     {"SequenceEmpty", 11, import_empty},
                                     {"SequenceErase", 11, import_erase, .takes_sequences = 1},
                                     {"SequenceInsert", 11, import_insert, .takes_sequences = 1},
                                     {"SequenceLength", 11, import_length, .takes_sequences = 1},
                                     {"SequenceMap", 17, import_map, .takes_sequences = 1, .most_outputs = 10000},
                                     {"SplitToSequence", 11, import_split},
                                     {0}};
