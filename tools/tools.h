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

/* Prints "atled NAME: ..." and a newline on stderr; returns code. */
int report_error(const char *command, int code, const char *format, ...) ATL_PRINTF(3, 4);

/* 0 if a file can probably be made there, else an exit code after a complaint: better before the work than after it. */
int check_output_path(const char *command, const char *path);
/* The same for a picture: its name must not promise another format than those of these endings, such as PNG_ONLY. */
int check_picture(const char *command, const char *path, const char *endings);
#define PNG_ONLY ".png"
/* The same for what cairo draws: panels, sheets and curves. */
int check_panel(const char *command, const char *path);
#define DRAWINGS ".svg, .png, .pdf or .dot"
/* Puts the text in the place of the file; if that fails, the file is as it was.  0, or an exit code with the complaint written. */
int write_whole(const char *command, const char *path, const char *text, size_t size);

/* The subcommands: argv[0] is the subcommand's name.  They return an exit code. */
int atled_dot(int argc, char **argv);
int atled_eval(int argc, char **argv);
int atled_fool(int argc, char **argv);
int atled_profile(int argc, char **argv);
int atled_train(int argc, char **argv);

#endif
