/* What the commands that take an ONNX file share: opening it, telling what cannot be read, and what is fed. */
#ifndef ATLED_TOOLS_ONNX_FILE_H
#define ATLED_TOOLS_ONNX_FILE_H

#include "tools.h"
#include "used_files.h"

enum { MOST_ONNX_FEEDS = 64 };

/* Of a command_line: the only operand is such a file. */
#define ONE_ONNX_FILE .operands = "FILE.onnx", .least_operands = 1, .most_operands = 1

/* How a picture becomes what the network takes: (scale * pixel - mean) / deviation, by channel. */
typedef struct picture_settings {
    int preset;                   /* index into picture_presets */
    const char *mean, *deviation; /* numbers with commas between, one or three; null: the preset's */
    const char *scale;            /* one number */
    int bgr;
    /* Of networks from a file: the input that takes the picture, the value that holds the scores; null: the first. */
    const char *input, *logits;
    const char *names; /* --names, of the weights of any network; null: none */
} picture_settings;
extern const char *const picture_presets[]; /* ends with null */
/* Their rows in a command's table of options. */
#define PICTURE_OPTIONS(set)                                                                                           \
    {"preprocess",                                                                                                     \
     0,                                                                                                                \
     .choice = &(set)->preset,                                                                                         \
     .choices = picture_presets,                                                                                       \
     .argument = "NAME",                                                                                               \
     .help = "what pixels 0..255 become for an ONNX file, as networks for ImageNet (PyTorch), Caffe, TensorFlow or "   \
             "CIFAR-10 take them"},                                                                                    \
        {"mean", 0, .text = &(set)->mean, .argument = "X,Y,Z",                                                         \
         .help = "replaces the preset: (scale * pixel - mean) / std, for R, G, B; or one number for all three"},       \
        {"std", 0, .text = &(set)->deviation, .argument = "X,Y,Z", .help = "see --mean"},                              \
        {"scale", 0, .text = &(set)->scale, .argument = "X", .help = "see --mean; one number"},                        \
    {                                                                                                                  \
        "bgr", 0, .flag = &(set)->bgr, .help = "the network takes the channels in the order B, G, R"                   \
    }

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

void close_onnx(onnx_file *file);
/* Opens the model, and the files for its inputs, after having checked the settings and the files (null: none); calls
 * act; closes it.  Each of `words` is "NAME=FILE", or "FILE" for the first input: .npy, or an image, which is resized
 * to the input.  words may be null.  batch: that of a model that leaves it open and cannot be read like that; 0: it
 * stays open.  0, or the exit code after having said what is wrong. */
int with_onnx(const char *command, const char *path, const option_list *words, const picture_settings *picture,
              const used_file *files, int64_t batch, int (*act)(const void *settings, onnx_file *file),
              const void *settings);
/* Says why a program did not compile (null) or run, and how an input that it needs is given; returns the exit code. */
int report_failed_run(const char *command, atl_status status, const atl_program *program, const onnx_file *file);
/* The nodes that cannot be read, one a line. */
void print_problems(const atl_onnx_report *report, FILE *to);

#endif
