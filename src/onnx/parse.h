/* What the files that parse a model share. */
#ifndef ATLED_ONNX_PARSE_H
#define ATLED_ONNX_PARSE_H

#include "onnx/model.h"

typedef struct onnx_parser {
    onnx_arena *arena;
    int depth; /* of graphs within attributes */
    int64_t nodes;
} onnx_parser;

/* How many fields of that number the message holds; -1 on a mistake.  The reader is left at the beginning. */
int64_t onnx_count(onnx_reader message, int number);
/* Room for that many; null if there are none.  0 with the message set. */
int onnx_make_room(onnx_parser *parser, const onnx_reader *reader, int64_t count, size_t size, void *array_out);
/* Each of these takes the field, and sets the message and returns 0 if it is of another type or malformed. */
int onnx_take_text(onnx_parser *parser, const onnx_reader *reader, const onnx_field *field, const char **text_out);
int onnx_take_integer(const onnx_reader *reader, const onnx_field *field, int64_t *integer_out);
int onnx_take_message(const onnx_reader *reader, const onnx_field *field, onnx_reader *message_out);

int onnx_read_tensor(onnx_parser *parser, onnx_reader message, onnx_tensor *tensor_out);
int onnx_read_attribute(onnx_parser *parser, onnx_reader message, onnx_attribute *attribute_out);
int onnx_read_node(onnx_parser *parser, onnx_reader message, onnx_node *node_out);
int onnx_read_graph(onnx_parser *parser, onnx_reader message, onnx_graph *graph_out);
int onnx_read_port(onnx_parser *parser, onnx_reader message, onnx_port *port_out);

#endif
