/* What the commands that take an ONNX file share: opening it, telling what cannot be read, and what is fed. */
#ifndef ATLED_TOOLS_ONNX_FILE_H
#define ATLED_TOOLS_ONNX_FILE_H

#include "tools.h"

enum { MOST_ONNX_FEEDS = 64 };

/* How a picture becomes what the network takes: (scale * pixel - mean) / deviation, by channel. */
typedef struct picture_settings {
    int preset;                   /* index into picture_presets */
    const char *mean, *deviation; /* numbers with commas between, one or three; null: the preset's */
    double scale;                 /* NAN: the preset's */
    int bgr;
} picture_settings;
extern const char *const picture_presets[]; /* ends with null */
/* The options --preprocess, --mean, --std, --scale, --bgr: at most PICTURE_OPTIONS of them, and the end. */
enum { PICTURE_OPTIONS = 5 };
typedef command_option picture_option_table[PICTURE_OPTIONS + 1];
void list_picture_options(picture_settings *set, picture_option_table table);

typedef struct picture_numbers {
    float mean[3], factor[3]; /* (pixel - mean) * factor, in the order R, G, B */
    int bgr;                  /* the network takes the channels in the opposite order */
} picture_numbers;
/* 0, or the exit code after a complaint. */
int read_picture_settings(const char *command, const picture_settings *set, picture_numbers *to);

typedef struct onnx_file {
    atl_graph *graph;
    atl_onnx *net;
    atl_onnx_report *report;
    atl_tensor *value[MOST_ONNX_FEEDS]; /* by input of the file; null: not given */
    atl_feed feed[MOST_ONNX_FEEDS + 1];
} onnx_file;

/* Opens the model.  words: "NAME=FILE" or "FILE" for the first input: .npy, or a picture, which is fitted to the input; unless null.  0, or the
 * exit code after having said what is wrong.  close_onnx is needed either way. */
int open_onnx(const char *command, const char *path, const option_list *words, const picture_numbers *picture,
              onnx_file *file_out);
void close_onnx(onnx_file *file);
/* All inputs must have been given. */
int check_all_fed(const char *command, const onnx_file *file);
/* The nodes that cannot be read, one a line. */
void print_problems(const atl_onnx_report *report, FILE *to);

#endif
