/* What the subcommands of `atled` share.  Each stands in a file of its own, tools/NAME.c, and uses the public face only. */
#ifndef ATLED_TOOLS_TOOLS_H
#define ATLED_TOOLS_TOOLS_H

#include "atled/atled.h"
#include "options.h"

/* What the command returns to the shell. */
enum {
    EXIT_GOAL_MET = 0,
    EXIT_GOAL_NOT_MET = 1, /* the best so far is kept */
    EXIT_USAGE = 2,        /* the command line is wrong */
    EXIT_BAD_FILE = 3,     /* a model, weights, picture or data set is missing or wrong; a file cannot be written */
    EXIT_INTERNAL = 4      /* a fault of atled, or no memory */
};

/* The exit code that goes with the status of a library call. */
int exit_code_of(atl_status status);

/* Prints "atled NAME: ..." and a newline on stderr; returns code.  Control characters are not printed as they are. */
int report_error(const char *command, int code, const char *format, ...) ATL_PRINTF(3, 4);
/* Prints the message of the library's last failure; returns the exit code that goes with it. */
int report_failure(const char *command);
/* The same with what is recorded on the graph, if anything is: the first mistake, of which later failures follow. */
int report_graph_failure(const char *command, const atl_graph *graph);
/* Says that memory is what failed; returns the exit code. */
int report_no_memory(const char *command);

/* Sends what was printed on its way; end_output tells if that failed. */
void flush_output(void);
/* After the last word on standard output: returns code, or another one after a complaint if a part of it was lost. */
int end_output(const char *command, int code);

/* Puts the text in the place of the file; if that fails, the file is as it was.  0, or an exit code with the complaint written. */
int write_whole(const char *command, const char *path, const char *text, size_t size);

/* The subcommands: argv[0] is the subcommand's name.  They return an exit code. */
int atled_check(int argc, char **argv);
int atled_dot(int argc, char **argv);
int atled_eval(int argc, char **argv);
int atled_fool(int argc, char **argv);
int atled_grad(int argc, char **argv);
int atled_info(int argc, char **argv);
int atled_profile(int argc, char **argv);
int atled_run(int argc, char **argv);
int atled_train(int argc, char **argv);

#endif
