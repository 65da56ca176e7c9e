/* Declarations shared by the subcommands of `atled`.  Each subcommand is in its own file, tools/NAME.c, and uses only
 * the public headers. */
#ifndef ATLED_TOOLS_TOOLS_H
#define ATLED_TOOLS_TOOLS_H

#include "atled/atled.h"
#include "options.h"

/* Exit codes. */
enum {
    EXIT_GOAL_MET = 0,
    EXIT_GOAL_NOT_MET = 1, /* the best result so far is written */
    EXIT_USAGE = 2,        /* the command line is wrong */
    EXIT_BAD_FILE = 3,     /* a model, weights, picture or data set is missing or wrong; a file cannot be written */
    EXIT_INTERNAL = 4      /* a bug in atled, or out of memory */
};

/* The exit code for the status of a library call. */
int exit_code_of(atl_status status);

/* Prints "atled NAME: ..." and a newline on stderr; returns code.  Control characters are replaced. */
int report_error(const char *command, int code, const char *format, ...) ATL_PRINTF(3, 4);
/* Prints the message of the library's last failure; returns its exit code. */
int report_failure(const char *command);
/* The same with the graph's first error, if there is one: later failures follow from it. */
int report_graph_failure(const char *command, const atl_graph *graph);
/* Reports that memory ran out; returns the exit code. */
int report_no_memory(const char *command);

/* For one of several processes: what stands before its messages (kept), and a function that returns true for a message
 * that it keeps, so that it is not printed; or null. */
void report_as(const char *prefix, int (*hold)(const char *text));

/* Flushes standard output; end_output reports a failure. */
void flush_output(void);
/* Call it after the last output: returns code, or another one after an error message if output was lost. */
int end_output(const char *command, int code);

/* The subcommands: argv[0] is the subcommand's name.  They return an exit code. */
int atled_attack(int argc, char **argv);
int atled_check(int argc, char **argv);
int atled_completion(int argc, char **argv);
int atled_dot(int argc, char **argv);
int atled_eval(int argc, char **argv);
int atled_explain(int argc, char **argv);
int atled_export(int argc, char **argv);
int atled_fool(int argc, char **argv);
int atled_grad(int argc, char **argv);
int atled_info(int argc, char **argv);
int atled_manual(int argc, char **argv);
int atled_merge(int argc, char **argv);
int atled_predict(int argc, char **argv);
int atled_profile(int argc, char **argv);
int atled_run(int argc, char **argv);
int atled_train(int argc, char **argv);
int atled_verify(int argc, char **argv);

#endif
