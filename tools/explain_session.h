/* The state of atled explain: prepared in explain_start.c, used in explain.c. */
#ifndef ATLED_TOOLS_EXPLAIN_SESSION_H
#define ATLED_TOOLS_EXPLAIN_SESSION_H

#include "explain_options.h"
#include "html_report.h"
#include "labels.h"
#include "network.h"
#include "progress.h"
#include "sheet.h"

typedef struct explain_session {
    explain_options set;
    loaded_network network;
    class_names labels;
    atl_explainer *explainer;
    atl_tensor *baseline; /* null: black */
    const char *file;     /* --output names this PNG file, the only output; null: it names a folder */
    int fixed_target;     /* -1: the most probable class of each picture */
    char weights_path[4096];
    progress_line progress;
    html_report *report; /* null: none is wanted */
    work work;           /* a task is a picture; the dream is the last one */
    FILE *out;           /* what is told of the results */
    int64_t unread;      /* pictures that cannot be read */
    json_t *files;       /* names of the files that the current task has written; null: nobody needs them */
    /* Of the current picture. */
    const char *path;
    int is_unread;
    char stem[256]; /* of its files' names */
    int target;
    atl_explain_method method;
    sheet_tile tiles[ATL_EXPLAIN_METHODS + 1];
    int tile_count;
    char areas[ATL_EXPLAIN_METHODS][160]; /* below the curves, in words; "" if they are not wanted */
} explain_session;

/* Everything before the first picture.  Returns 0, or the exit code after an error message; call end_explaining either
 * way. */
int start_explaining(explain_session *session);
void end_explaining(explain_session *session);

/* The name of the i-th picture's files without folder and ending, unique among the operands. */
void stem_of(const explain_session *session, int i, char *text, size_t size);
/* "DIR/STEM-WHAT", WHAT for example "grad-cam.png"; the one file if --output names one. */
void output_path(const explain_session *session, const char *stem, const char *what, char *text, size_t size);
int is_wanted(const explain_session *session, int method);

/* Tells of a part of a picture's report. */
int add_to_explain_report(explain_session *session, const atl_tensor *pixels, const atl_tensor *probabilities);
void free_tiles(explain_session *session);

/* ---- explain_work.c: return 0, or the exit code after an error message ---- */

/* The part of this process. */
int begin_explain_work(explain_session *session);
/* Call it for each file that is written. */
void note_file(explain_session *session, const char *path);
/* Around a task that is done here: keeps what it has written and told. */
int begin_task(explain_session *session);
int end_task(explain_session *session, int64_t task, int code, int is_complete);
/* Tells what a record holds. */
int recall_task(explain_session *session, int64_t task);

/* ---- explain_judge.c: return 0, or the exit code after an error message ---- */

/* Insertion and deletion by the current method's map. */
int judge_map(explain_session *session, const atl_tensor *pixels, const atl_tensor *map);
/* Explains again with shuffled weights, and prints the correlations. */
int check_sanity(explain_session *session, const atl_explain_args *how);

/* ---- explain_dream.c: likewise ---- */

/* The path of the picture. */
void dream_path(const explain_session *session, char *text, size_t size);
int dream_of_class(explain_session *session);

#endif
