/* Models for tests, byte by byte: fields of the wire format one after the other. */
#ifndef ATLED_TESTS_ONNX_MAKE_MODEL_H
#define ATLED_TESTS_ONNX_MAKE_MODEL_H

#include <stdlib.h>

#include "support.h"

/* A message that grows; the test's process frees it. */
typedef struct made {
    unsigned char *at;
    size_t size;
} made;

static inline void put_raw(made *m, const void *bytes, size_t size)
{
    m->at = realloc(m->at, m->size + size + 1);
    cr_assert(m->at);
    if (size)
        memcpy(m->at + m->size, bytes, size);
    m->size += size;
}

static inline void put_varint(made *m, uint64_t value)
{
    do {
        unsigned char byte = (unsigned char)((value & 127) | (value > 127 ? 128 : 0));
        put_raw(m, &byte, 1);
    } while (value >>= 7);
}

static inline void put_int(made *m, int field, int64_t value)
{
    put_varint(m, (uint64_t)field << 3);
    put_varint(m, (uint64_t)value);
}

static inline void put_bytes(made *m, int field, const void *bytes, size_t size)
{
    put_varint(m, (uint64_t)field << 3 | 2);
    put_varint(m, size);
    put_raw(m, bytes, size);
}

static inline void put_text(made *m, int field, const char *text) { put_bytes(m, field, text, strlen(text)); }

/* To a file; the message is freed. */
static inline void write_made(const char *path, made m)
{
    cr_assert_eq(atl_write_bytes(path, m.at, m.size), ATL_OK, "%s", atl_error());
    free(m.at);
}

/* The inner message, which is freed. */
static inline void put_made(made *m, int field, made inner)
{
    put_bytes(m, field, inner.at, inner.size);
    free(inner.at);
}

enum { TYPE_FLOAT = 1, TYPE_INT32 = 6, TYPE_INT64 = 7, TYPE_BOOL = 9 };

/* A ValueInfoProto, [1, 4], or [n, 4] with an open batch. */
static inline made make_port_of(const char *name, int type, int is_open)
{
    made port = {0}, kind = {0}, tensor = {0}, shape = {0};
    for (int i = 0; i < 2; i++) {
        made dimension = {0};
        if (i == 0 && is_open)
            put_text(&dimension, 2, "n");
        else
            put_int(&dimension, 1, i ? 4 : 1);
        put_made(&shape, 1, dimension);
    }
    put_int(&tensor, 1, type);
    put_made(&tensor, 2, shape);
    put_made(&kind, 1, tensor);
    put_text(&port, 1, name);
    put_made(&port, 2, kind);
    return port;
}

static inline made make_port(const char *name, int type) { return make_port_of(name, type, 0); }

/* "Add x w -> y": a NodeProto named `name`, with one output. */
static inline made make_node(const char *name, const char *op, const char *a, const char *b, const char *output)
{
    made node = {0};
    if (a)
        put_text(&node, 1, a);
    if (b)
        put_text(&node, 1, b);
    put_text(&node, 2, output);
    put_text(&node, 3, name);
    put_text(&node, 4, op);
    return node;
}

/* An attribute of that AttributeProto.type, whose value lies in that field; value: an encoded message, or null for the
 * integer. */
static inline void put_attribute(made *node, const char *name, int type, int field, made *value, int64_t integer)
{
    made attribute = {0};
    put_text(&attribute, 1, name);
    if (value)
        put_made(&attribute, field, *value);
    else
        put_int(&attribute, field, integer);
    put_int(&attribute, 20, type);
    put_made(node, 5, attribute);
}
static inline void put_int_attribute(made *node, const char *name, int64_t value)
{
    put_attribute(node, name, 2, 3, NULL, value);
}
static inline void put_text_attribute(made *node, const char *name, const char *text)
{
    made value = {0};
    put_raw(&value, text, strlen(text));
    put_attribute(node, name, 3, 4, &value, 0);
}
static inline void put_float_attribute(made *node, const char *name, float value)
{
    made attribute = {0};
    put_text(&attribute, 1, name);
    put_varint(&attribute, 2 << 3 | 5);
    put_raw(&attribute, &value, sizeof value);
    put_int(&attribute, 20, 1);
    put_made(node, 5, attribute);
}
static inline void put_floats_attribute(made *node, const char *name, int count, const float *values)
{
    made attribute = {0};
    put_text(&attribute, 1, name);
    put_bytes(&attribute, 7, values, (size_t)count * sizeof *values);
    put_int(&attribute, 20, 6);
    put_made(node, 5, attribute);
}
/* A list of integers, one field each. */
static inline void put_ints_attribute(made *node, const char *name, int count, const int64_t *values)
{
    made attribute = {0};
    put_text(&attribute, 1, name);
    for (int i = 0; i < count; i++)
        put_int(&attribute, 8, values[i]);
    put_int(&attribute, 20, 7);
    put_made(node, 5, attribute);
}
static inline void put_graph_attribute(made *node, const char *name, made graph)
{
    put_attribute(node, name, 5, 6, &graph, 0);
}

/* A TensorProto of those sizes; raw: its raw_data, null: none. */
static inline made make_tensor_of(const char *name, int type, int rank, const int64_t *sizes, const void *raw,
                                  size_t size)
{
    made tensor = {0};
    for (int i = 0; i < rank; i++)
        put_int(&tensor, 1, sizes[i]);
    put_int(&tensor, 2, type);
    put_text(&tensor, 8, name);
    if (raw)
        put_bytes(&tensor, 9, raw, size);
    return tensor;
}

/* A TensorProto of one dimension. */
static inline made make_tensor(const char *name, int type, int64_t count, const void *raw, size_t size)
{
    return make_tensor_of(name, type, 1, &count, raw, size);
}

/* An initializer of those sizes. */
static inline void put_tensor(made *graph, const char *name, int type, int rank, const int64_t *sizes, const void *raw,
                              size_t size)
{
    put_made(graph, 5, make_tensor_of(name, type, rank, sizes, raw, size));
}

/* An initializer of one dimension, int64. */
static inline void put_whole(made *graph, const char *name, int count, const int64_t *numbers)
{
    put_made(graph, 5, make_tensor(name, TYPE_INT64, count, numbers, (size_t)count * sizeof *numbers));
}

/* A ModelProto: input x and output y, float32 [1, 4] or [n, 4]; `graph` has the nodes and initializers. */
static inline made make_model_of(made graph, int64_t ir_version, int64_t opset, int is_open)
{
    made model = {0}, import = {0};
    put_text(&graph, 2, "graph");
    put_made(&graph, 11, make_port_of("x", TYPE_FLOAT, is_open));
    put_made(&graph, 12, make_port_of("y", TYPE_FLOAT, is_open));
    put_int(&model, 1, ir_version);
    put_text(&import, 1, "");
    put_int(&import, 2, opset);
    put_made(&model, 8, import);
    put_made(&model, 7, graph);
    return model;
}

static inline made make_model(made graph, int64_t ir_version, int64_t opset)
{
    return make_model_of(graph, ir_version, opset, 0);
}

/* The model imports version 1 of the domain, too. */
static inline made make_model_with(made graph, const char *domain)
{
    made model = make_model(graph, 8, 17), import = {0};
    put_text(&import, 1, domain);
    put_int(&import, 2, 1);
    put_made(&model, 8, import);
    return model;
}

/* The graph of these nodes. */
static inline made make_graph(int count, const made *nodes)
{
    made graph = {0};
    for (int i = 0; i < count; i++)
        put_made(&graph, 1, nodes[i]);
    return graph;
}
#define GRAPH(...) make_graph((int)(sizeof((made[]){__VA_ARGS__}) / sizeof(made)), (made[]){__VA_ARGS__})

#endif
