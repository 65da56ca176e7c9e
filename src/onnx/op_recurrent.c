/* Importers of recurrent networks, unrolled over the length of the sequence, which must be known. */
#include <string.h>
#include <strings.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

enum { MOST_STEPS = 4096, MOST_GATES = 4, MOST_DIRECTIONS = 2 };
enum kind { RNN, GRU, LSTM };

typedef atl_node *activation(atl_node *x);

typedef struct cell {
    int kind, gates, linear_before_reset;
    int64_t hidden, directions, steps, inputs;
    atl_node *x;       /* [steps, n, inputs] */
    atl_node *lengths; /* [n, 1], float; or null */
    activation *f, *g, *h;
} cell;

/* One direction's weights: [inputs, gates * hidden] and so on; the biases are null if there are none. */
typedef struct weights {
    atl_node *w, *r, *w_bias, *r_bias, *peephole;
} weights;

typedef struct memory {
    atl_node *h, *c; /* [n, hidden] */
} memory;

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static activation *activation_of(onnx_op *op, const onnx_attribute *names, int64_t i, activation *otherwise)
{
    static const struct {
        const char *name;
        activation *function;
    } known[] = {{"Sigmoid", atl_sigmoid},
                 {"Tanh", atl_tanh},
                 {"Relu", atl_relu},
                 {"Softsign", atl_softsign},
                 {"Softplus", atl_softplus}};
    if (!names)
        return otherwise;
    for (size_t k = 0; i < names->count && k < sizeof known / sizeof *known; k++)
        if (strcasecmp(names->texts[i], known[k].name) == 0)
            return known[k].function;
    onnx_reject(op, "an activation of it is not read: Sigmoid, Tanh, Relu, Softsign and Softplus are");
    return otherwise;
}

/* [1, ...] of an input, without the first dimension. */
static atl_node *of_direction(onnx_op *op, int64_t input, int64_t direction)
{
    atl_node *x = onnx_has(op, input) ? onnx_float(op, input) : NULL;
    return x ? atl_squeeze(atl_slice(x, .begin = {direction}, .end = {direction + 1}), 0) : NULL;
}

static weights weights_of(onnx_op *op, const cell *c, int64_t direction)
{
    weights w = {.w = atl_transpose(of_direction(op, 1, direction)),
                 .r = atl_transpose(of_direction(op, 2, direction))};
    int64_t half = c->gates * c->hidden;
    atl_node *bias = of_direction(op, 3, direction);
    if (bias) {
        w.w_bias = atl_slice(bias, .end = {half});
        w.r_bias = atl_slice(bias, .begin = {half});
    }
    w.peephole = c->kind == LSTM ? of_direction(op, 7, direction) : NULL;
    return w;
}

/* The sequences as [steps, n, inputs]; sizes, activations. */
static int read_cell(onnx_op *op, cell *c)
{
    static const int gates[] = {[RNN] = 1, [GRU] = 3, [LSTM] = 4};
    const char *direction = onnx_attr_text(op, "direction", "forward");
    atl_shape w = onnx_shape(op, 1);
    c->kind = op->entry->kind;
    c->gates = gates[c->kind];
    c->x = onnx_float(op, 0);
    if (!c->x || !onnx_has(op, 1) || !onnx_has(op, 2) || onnx_rank(op, 0) != 3 || w.rank != 3 || onnx_rank(op, 2) != 3)
        return onnx_reject(op, "it takes a sequence [steps, batch, inputs] and weights of three dimensions");
    if (onnx_attr_int(op, "layout", 0))
        c->x = atl_transpose(c->x, .order = {1, 0, 2});
    c->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
    c->hidden = onnx_attr_int(op, "hidden_size", w.size[1] / c->gates);
    c->steps = atl_shape_of(c->x).size[0];
    c->inputs = w.size[2];
    c->linear_before_reset = onnx_attr_int(op, "linear_before_reset", 0) != 0;
    if (c->steps < 1 || c->steps > MOST_STEPS)
        return onnx_reject(op,
                           "a sequence of %lld steps; it is unrolled, so their number must be known, and at most %d",
                           (long long)c->steps, MOST_STEPS);
    if (c->hidden < 1 || w.size[1] != c->gates * c->hidden || w.size[0] != c->directions)
        return onnx_reject(op, "its weights do not fit a hidden size of %lld", (long long)c->hidden);
    atl_shape r = onnx_shape(op, 2);
    if (r.size[1] != w.size[1] || r.size[2] != c->hidden)
        return onnx_reject(op,
                           "its recurrent weights are for a state of %lld number%s, not of hidden_size %lld: ONNX has "
                           "no LSTM with a projection",
                           (long long)r.size[2], atl_plural(r.size[2]), (long long)c->hidden);
    const onnx_attribute *clip = onnx_attribute_of(op, "clip", ONNX_ATTRIBUTE_FLOAT);
    if (clip || onnx_attr_int(op, "input_forget", 0))
        return onnx_reject(op, "clip and input_forget are not read");
    if (onnx_has(op, 4)) {
        atl_node *lengths = onnx_float(op, 4);
        c->lengths = lengths ? atl_reshape(lengths, ATL_SHAPE(ATL_ANY, 1)) : NULL;
    }
    return !*op->why;
}

static void read_activations(onnx_op *op, cell *c, int64_t direction)
{
    const onnx_attribute *names = onnx_attribute_of(op, "activations", ONNX_ATTRIBUTE_STRINGS);
    int64_t each = c->kind == LSTM ? 3 : c->kind == GRU ? 2 : 1;
    c->f = activation_of(op, names, direction * each, c->kind == RNN ? atl_tanh : atl_sigmoid);
    c->g = c->kind == RNN ? NULL : activation_of(op, names, direction * each + 1, atl_tanh);
    c->h = c->kind == LSTM ? activation_of(op, names, direction * each + 2, atl_tanh) : NULL;
}

/* ---- one step: https://onnx.ai/onnx/operators/ (RNN, GRU, LSTM) -------------------------------------------------- */

static atl_node *gate_of(atl_node *x, int gate, int64_t hidden)
{
    return atl_slice(x, .begin = {0, gate * hidden}, .end = {0, (gate + 1) * hidden});
}
static atl_node *bias_of(atl_node *bias, int gate, int64_t hidden)
{
    return atl_slice(bias, .begin = {gate * hidden}, .end = {(gate + 1) * hidden});
}

/* x + p * c */
static atl_node *peep(atl_node *x, const weights *w, int which, const cell *c, atl_node *state)
{
    return w->peephole ? atl_add(x, atl_mul(bias_of(w->peephole, which, c->hidden), state)) : x;
}

/* Gates i, o, f, c; peepholes i, o, f. */
static memory lstm_step(const cell *c, const weights *w, atl_node *z, memory m)
{
    z = atl_add(z, atl_matmul(m.h, w->r));
    atl_node *i = c->f(peep(gate_of(z, 0, c->hidden), w, 0, c, m.c)),
             *f = c->f(peep(gate_of(z, 2, c->hidden), w, 2, c, m.c));
    memory next = {.c = atl_add(atl_mul(f, m.c), atl_mul(i, c->g(gate_of(z, 3, c->hidden))))};
    atl_node *o = c->f(peep(gate_of(z, 1, c->hidden), w, 1, c, next.c));
    next.h = atl_mul(o, c->h(next.c));
    return next;
}

/* Gates z, r, h: z comes with the input's biases, and all but the last gate's recurrent one. */
static memory gru_step(const cell *c, const weights *w, atl_node *x, memory m)
{
    atl_node *recurrent = atl_matmul(m.h, w->r), *last_bias = w->r_bias ? bias_of(w->r_bias, 2, c->hidden) : NULL;
    atl_node *z = c->f(atl_add(gate_of(x, 0, c->hidden), gate_of(recurrent, 0, c->hidden)));
    atl_node *r = c->f(atl_add(gate_of(x, 1, c->hidden), gate_of(recurrent, 1, c->hidden))), *inner;
    if (c->linear_before_reset) {
        inner = gate_of(recurrent, 2, c->hidden);
        inner = atl_mul(r, last_bias ? atl_add(inner, last_bias) : inner);
    } else {
        inner = atl_matmul(atl_mul(r, m.h), gate_of(w->r, 2, c->hidden));
        inner = last_bias ? atl_add(inner, last_bias) : inner;
    }
    atl_node *h = c->g(atl_add(gate_of(x, 2, c->hidden), inner));
    return (memory){.h = atl_add(h, atl_mul(z, atl_sub(m.h, h)))};
}

static memory step(const cell *c, const weights *w, atl_node *x, memory m)
{
    if (c->kind == LSTM)
        return lstm_step(c, w, x, m);
    if (c->kind == GRU)
        return gru_step(c, w, x, m);
    return (memory){.h = c->f(atl_add(x, atl_matmul(m.h, w->r)))};
}

/* ---- all steps --------------------------------------------------------------------------------------------------- */

/* What the input contributes to all gates of all steps: one product. */
static atl_node *all_inputs(const cell *c, const weights *w)
{
    atl_node *x = atl_matmul(c->x, w->w);
    if (!w->w_bias)
        return x;
    x = atl_add(x, w->w_bias);
    if (c->kind != GRU)
        return atl_add(x, w->r_bias);
    atl_node *but_last = atl_slice(w->r_bias, .end = {2 * c->hidden});
    return atl_add(x, atl_pad(but_last, .after = {c->hidden}));
}

static atl_node *initial(onnx_op *op, const cell *c, int64_t input, int64_t direction)
{
    atl_node *given = onnx_has(op, input) ? onnx_float(op, input) : NULL;
    if (given && onnx_attr_int(op, "layout", 0))
        given = atl_transpose(given, .order = {1, 0, 2});
    if (given)
        return atl_squeeze(atl_slice(given, .begin = {direction}, .end = {direction + 1}), 0);
    /* zeros [n, hidden] */
    atl_node *row = atl_squeeze(atl_slice(c->x, .end = {1, 0, 1}), 0);
    return atl_broadcast_to(atl_fill(row, 0), ATL_SHAPE(ATL_ANY, c->hidden));
}

/* Keeps what was, in sequences that have ended. */
static atl_node *unless_ended(atl_node *is_on, atl_node *next, atl_node *before)
{
    return is_on && next ? atl_add(before, atl_mul(is_on, atl_sub(next, before))) : next;
}

static memory run_direction(onnx_op *op, cell *c, int64_t direction, int backwards, atl_node **output)
{
    weights w = weights_of(op, c, direction);
    memory m = {.h = initial(op, c, 5, direction), .c = c->kind == LSTM ? initial(op, c, 6, direction) : NULL};
    atl_node *x = all_inputs(c, &w);
    for (int64_t i = 0; i < c->steps; i++) {
        int64_t t = backwards ? c->steps - 1 - i : i;
        memory next = step(c, &w, atl_squeeze(atl_slice(x, .begin = {t}, .end = {t + 1}), 0), m);
        atl_node *is_on = c->lengths ? atl_greater(c->lengths, onnx_scalar(op, (double)t)) : NULL;
        m.h = unless_ended(is_on, next.h, m.h);
        m.c = unless_ended(is_on, next.c, m.c);
        output[t] = is_on ? atl_mul(is_on, next.h) : next.h;
    }
    return m;
}

static int give_states(onnx_op *op, int64_t output, atl_node *const *state, int64_t directions, int layout)
{
    if (output >= op->outputs || !op->output[output])
        return 1;
    if (!onnx_give(op, output, atl_stack_with(layout ? 1 : 0, (atl_nodes){directions, state})))
        return 0;
    onnx_batch_from(op, output, layout ? (const int[]){0, -1, -1} : (const int[]){-1, 1, -1});
    return 1;
}

/* Y [steps, directions, n, hidden], Y_h and Y_c [directions, n, hidden]; with layout 1 the batch is first. */
static int import_recurrent(onnx_op *op)
{
    cell c = {0};
    atl_node *h[MOST_DIRECTIONS], *s[MOST_DIRECTIONS], *of[MOST_DIRECTIONS];
    if (!read_cell(op, &c))
        return 0;
    int layout = onnx_attr_int(op, "layout", 0) != 0,
        reverse = strcmp(onnx_attr_text(op, "direction", "forward"), "reverse") == 0;
    atl_node **output = onnx_room(op, c.steps, sizeof *output);
    for (int64_t d = 0; output && d < c.directions; d++) {
        read_activations(op, &c, d);
        if (*op->why)
            return 0;
        memory m = run_direction(op, &c, d, reverse || d == 1, output);
        h[d] = m.h;
        s[d] = m.c;
        of[d] =
            atl_stack_with(layout ? 1 : 0, (atl_nodes){c.steps, output}); /* [steps, n, hidden] or [n, steps, hidden] */
    }
    if (!output)
        return 0;
    if (op->outputs > 0 && op->output[0]) {
        if (!onnx_give(op, 0, atl_stack_with(layout ? 2 : 1, (atl_nodes){c.directions, of})))
            return 0;
        onnx_batch_from(op, 0, layout ? (const int[]){0, -1, -1, -1} : (const int[]){-1, -1, 1, -1});
    }
    return give_states(op, 1, h, c.directions, layout) &&
           (c.kind != LSTM || give_states(op, 2, s, c.directions, layout));
}

const onnx_entry onnx_recurrent[] = {{"GRU", 7, import_recurrent, .kind = GRU, .most_outputs = 2},
                                     {"LSTM", 7, import_recurrent, .kind = LSTM, .most_outputs = 3},
                                     {"RNN", 7, import_recurrent, .kind = RNN, .most_outputs = 2},
                                     {0}};
