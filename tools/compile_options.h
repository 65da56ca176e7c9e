/* The options for compiling a network, shared by all commands that run one. */
#ifndef ATLED_TOOLS_COMPILE_OPTIONS_H
#define ATLED_TOOLS_COMPILE_OPTIONS_H

#include "tools.h"
#include "used_files.h"

typedef struct compile_options {
    int64_t threads;
    int bfloat16, timing;
    unsigned disabled_passes; /* bit i: the i-th pass is disabled */
    const char *times;        /* the file of measured times */
} compile_options;

/* Their rows, for command_line.shared; ends with {0}. */
enum { COMPILE_OPTIONS = 5 };
typedef command_option compile_option_table[COMPILE_OPTIONS + 1];
void list_compile_options(compile_options *set, compile_option_table rows);

/* The entry that the command passes to check_files for them. */
#define TIMING_FILE(set)                                                                                               \
    {                                                                                                                  \
        "timing-file", (set)->times, FILE_UPDATED, ANY_FORMAT, NULL                                                    \
    }

/* Call it before the first network is compiled: reads the times, if there are any.  These functions return 0, or the
 * exit code after an error message. */
int begin_compiling(const char *command, const compile_options *set);
/* The caller sets .graph and .outputs. */
atl_compile_args compile_args_of(const compile_options *set);
/* Call it after the last run: writes the times. */
int end_compiling(const char *command, const compile_options *set);

#endif
