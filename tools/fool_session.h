/* The state of atled fool: prepared in fool_start.c, used in fool.c. */
#ifndef ATLED_TOOLS_FOOL_SESSION_H
#define ATLED_TOOLS_FOOL_SESSION_H

#include "fool_options.h"
#include "html_report.h"
#include "labels.h"
#include "network.h"
#include "progress.h"
#include "sheet.h"

/* The classification of the written file, read back. */
typedef struct file_verdict {
    int met, top;
    double probability, top_probability;
} file_verdict;

/* A target of several. */
typedef struct fool_record {
    double *course; /* of its probability, by iteration */
    int count, room;
    atl_fool_result result; /* without its pixels */
    file_verdict verdict;
    atl_tensor *file; /* the picture, until the verdict is told */
    int is_done;
} fool_record;

typedef struct fool_session {
    fool_options set;
    loaded_network network;
    class_names labels;
    atl_fooler *fooler;
    atl_tensor *start; /* [1, h, w, 3] */
    int *targets;
    int target_count;
    progress_line progress;
    char weights_path[4096]; /* of the bundled weights */
    sheet_tile *tiles;       /* the pictures as written, for the sheet, by position; null: not done */
    html_report *report;     /* null: none is wanted */
    /* For the current target. */
    double *probability;   /* after each iteration, for the panel's curve */
    int iterations_before; /* of the earlier attempts, if rounding undid them */
    int target;
    /* For all targets so far. */
    int met, *iterations_of_met;
    /* For several targets (fool_many.c). */
    work work;             /* a task is a target */
    fool_record *records;  /* by position */
    int64_t *task;         /* the positions of the targets that run now */
    int *chosen;           /* these targets */
    int64_t running, told; /* how many they are; the verdicts on the first ones that are told */
    int done, code;        /* code: of a failure in a callback */
    int64_t iterations_in_all;
    double begun;
} fool_session;

/* Everything before the first iteration.  Returns 0, or the exit code after an error message; call end_fooling either
 * way. */
int start_fooling(fool_session *session);
void end_fooling(fool_session *session);

/* Several targets at once.  Returns 0, or the exit code after an error message. */
int fool_many(fool_session *session);

/* ---- fool.c ---- */

extern const atl_descent fool_descents[]; /* in the order of --method */
/* Reads the file back, and classifies it. */
int read_fooled(fool_session *session, const char *path, atl_tensor **picture_out, file_verdict *verdict_out);
/* Goes on from the file, which has lost what the loop had reached, after result->iterations iterations. */
int descend_from(fool_session *session, const char *path, atl_fool_result *result, atl_tensor **file,
                 file_verdict *verdict);
/* Draws the panel of the current target, if one is wanted. */
int draw_fooled(fool_session *session, const atl_fool_result *result, const atl_tensor *file,
                const file_verdict *verdict);
/* Tells the verdict on the current target, and adds it to the sheet.  Takes over the file's picture. */
void keep_fooled(fool_session *session, int position, const char *path, const atl_fool_result *result, atl_tensor *file,
                 const file_verdict *verdict);

/* ---- fool_work.c: return 0, or the exit code after an error message ---- */

/* The part of this process, of several targets. */
int begin_fool_work(fool_session *session);
/* The record of a target that is done here. */
json_t *record_of_target(const fool_session *session, int position);
/* Tells what the record of a target holds. */
int recall_target(fool_session *session, int position);

/* ---- fool_start.c ---- */

/* "out.png" -> "out-130.png", if there are several targets. */
void path_for_target(const fool_session *session, int target, const char *path, char *text, size_t size);

/* ---- fool_report.c ---- */

/* Adds the current target to the report: the file at `path`, read back.  Returns 0, or the exit code after an error
 * message. */
int add_to_fool_report(fool_session *session, const char *path, const atl_fool_result *result, const atl_tensor *file,
                       const file_verdict *verdict);

#endif
