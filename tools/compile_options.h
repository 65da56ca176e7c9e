/* How a network is compiled: the options that all commands which run one have in common. */
#ifndef ATLED_TOOLS_COMPILE_OPTIONS_H
#define ATLED_TOOLS_COMPILE_OPTIONS_H

#include "tools.h"
#include "used_files.h"

typedef struct compile_options {
    int64_t threads;
    int bfloat16, timing;
    unsigned disabled_passes; /* bit i: the i-th pass is left out */
    const char *times;        /* the file that measured times are kept in */
} compile_options;

/* Their rows, for command_line.shared; ends with {0}. */
enum { COMPILE_OPTIONS = 5 };
typedef command_option compile_option_table[COMPILE_OPTIONS + 1];
void list_compile_options(compile_options *set, compile_option_table rows);

/* What the command has to give to check_files for them. */
#define TIMING_FILE(set)                                                                                               \
    {                                                                                                                  \
        "timing-file", (set)->times, FILE_UPDATED, ANY_FORMAT, NULL                                                    \
    }

/* Before the first network is compiled: reads the times, if there are any yet.  These return 0, or the exit code after a complaint. */
int begin_compiling(const char *command, const compile_options *set);
/* Whatever there is to compile is put into .graph and .wanted. */
atl_compile_args compile_args_of(const compile_options *set);
/* After the last run: writes the times. */
int end_compiling(const char *command, const compile_options *set);

#endif
