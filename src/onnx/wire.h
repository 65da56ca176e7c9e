/* Protocol buffers' wire format, read from a file or from memory without holding more of it than a window.
 * https://protobuf.dev/programming-guides/encoding/
 *
 * A reader walks the fields of one message.  Values of numbers and the extent of bytes are found without copying them,
 * so that a weight of gigabytes is passed over until its variable asks for it.  The first mistake stays in the
 * source. */
#ifndef ATLED_ONNX_WIRE_H
#define ATLED_ONNX_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "atled/status.h"

enum { ONNX_WINDOW = 64 << 10 };

/* The part of a model that is being read, for messages. */
typedef struct onnx_part {
    const char *kind;        /* "node" */
    int64_t number;          /* from 1 on; 0: without */
    const char *const *name; /* which may not be known yet: "" */
} onnx_part;

typedef struct onnx_source {
    FILE *stream;               /* or null, with the bytes in memory */
    const unsigned char *bytes; /* the window: all of it, or ONNX_WINDOW bytes of the file */
    unsigned char *buffer;      /* of the window, if there is a file */
    int64_t first, last;        /* what the window holds: first..last-1 */
    int64_t size;
    const char *name;      /* for messages */
    const onnx_part *part; /* or null */
    int failed;            /* a message has been set */
} onnx_source;

/* What a message of the wire format holds. */
typedef enum onnx_wire_type { ONNX_VARINT = 0, ONNX_FIXED64 = 1, ONNX_BYTES = 2, ONNX_FIXED32 = 5 } onnx_wire_type;

typedef struct onnx_reader {
    onnx_source *source;
    int64_t at, end;
} onnx_reader;

typedef struct onnx_field {
    int number;
    onnx_wire_type type;
    uint64_t value;      /* of a number, fixed or not */
    int64_t begin, size; /* of bytes */
} onnx_field;

/* `path` is kept as the name. */
atl_status onnx_source_open(onnx_source *source, const char *path, const char *what);
void onnx_source_of_memory(onnx_source *source, const void *bytes, size_t size, const char *name);
void onnx_source_close(onnx_source *source);

/* Copies size bytes from `at`; 0, with the message set, if they are not there or cannot be read. */
int onnx_read(onnx_source *source, int64_t at, int64_t size, void *to);

onnx_reader onnx_message_of(onnx_source *source);
/* The message that a field of bytes holds. */
onnx_reader onnx_inside(const onnx_reader *reader, const onnx_field *field);
/* The next field; 0 at the end or after a mistake, which source->failed tells apart. */
int onnx_next(onnx_reader *reader, onnx_field *field_out);
/* One number of a packed list of them; 0 at the end or after a mistake. */
int onnx_next_packed(onnx_reader *reader, onnx_wire_type type, uint64_t *value_out);

/* Sets the message "NAME: byte N, in node 7, 'conv1': ..."; returns 0. */
int onnx_bad_wire(const onnx_reader *reader, const char *format, ...) ATL_PRINTF(2, 3);

#endif
