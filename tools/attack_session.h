/* The state of atled attack: prepared in attack_start.c, used in attack.c. */
#ifndef ATLED_TOOLS_ATTACK_SESSION_H
#define ATLED_TOOLS_ATTACK_SESSION_H

#include <jansson.h>
#include <pthread.h>

#include "attack_options.h"
#include "digest.h"
#include "jobs.h"
#include "labels.h"
#include "progress.h"

typedef struct jpeg_file {
    void *bytes;
    size_t size;
} jpeg_file;

/* The pictures under attack, in the order of the command. */
typedef struct attack_pictures {
    int64_t count, unread; /* unread: files that were left out */
    int64_t height, width, channels;
    float *pixels;   /* [count, h, w, c], 0..255, whole numbers */
    int32_t *label;  /* what they show; -1: what the network says */
    int64_t *index;  /* in the data, or on the command line */
    char **path;     /* of a file; null for a data set */
    int *is_fitted;  /* the file had another size */
    jpeg_file *jpeg; /* with --jpeg: the files that store the pixels; else null */
} attack_pictures;

typedef struct attack_session {
    attack_options set;
    loaded_network network, transfer;
    class_names labels;
    atl_attacker *attacker, *transfer_attacker;
    attack_pictures pictures;
    int64_t tasks;    /* pictures times targets */
    int32_t *targets; /* the classes of --target all or of one class, by task; null: see goal */
    atl_attack_goal goal;
    work work;             /* the tasks of this process */
    int64_t *task;         /* the tasks that are attacked now, by position in the call */
    job_queue *jobs;       /* finished pictures, whose files are written while the network goes on */
    pthread_mutex_t mutex; /* while there are jobs: of all below */
    json_t **done;         /* the result of each task; null: not done */
    int64_t done_count, met_count, run_count;
    FILE *log; /* results.jsonl; null: none is written */
    progress_line progress;
    double start, seconds_inside; /* seconds_inside: the sum over pictures */
    int code;                     /* of a failure in a callback or a job */
    char weights_path[4096], transfer_path[4096];
    char model_digest[DIGEST_TEXT], weights_digest[DIGEST_TEXT]; /* "": there is no such file */
} attack_session;

/* Everything before the first picture.  Returns 0, or the exit code after an error message; call end_attacking either
 * way. */
int start_attacking(attack_session *session);
void end_attacking(attack_session *session);
/* Reads the pictures of the command line or of the data. */
int read_attack_pictures(const attack_options *set, const loaded_network *network, const class_names *labels,
                         attack_pictures *pictures_out);
void free_attack_pictures(attack_pictures *pictures);
/* Replaces the pixels by what JPEG files of that quality store of them. */
int store_as_jpeg(attack_pictures *pictures, int quality);
/* The shape of the data's images, [h, w, channels]; of unknown sizes for pictures. */
int read_picture_shape(const attack_options *set, atl_shape *shape_out);

/* Finished pictures (attack_finish.c).  These return 0, or the exit code after an error message.  end_finishing waits
 * for all files; a second call does nothing.  note_failure keeps the first code that is not 0, and returns it. */
int start_finishing(attack_session *session);
int end_finishing(attack_session *session);
int note_failure(attack_session *session, int code);
int finish_result(void *session, const atl_attack_result *result); /* an atl_attack_watch */

/* The folder of results (attack_results.c). */
int open_results(attack_session *session);
int add_result(attack_session *session, int64_t task, json_t *result); /* takes the result over */
int add_results_of_others(attack_session *session);                    /* of other ranks, as far as they have come */
int close_results(attack_session *session);
/* The settings that determine the results: the first line of results.jsonl, and a part of every certificate. */
json_t *settings_of(const attack_session *session);
void print_table(const attack_session *session);

/* The sums over all results (attack_table.c). */
typedef struct attack_totals {
    int64_t done, right, attacked, met, zero, transferred;
    double forwards, gradients;
    double *size[4]; /* by atl_norm: of the results that met the goal by an attack, sorted */
    int64_t sizes;
} attack_totals;
/* Returns 0, or the exit code after an error message; free_totals is needed either way. */
int add_up_results(const attack_session *session, attack_totals *totals_out);
void free_totals(attack_totals *totals);
double median_of(const double *sorted, int64_t count);
/* What is odd about the results, in words.  Returns how many. */
enum { WARNINGS = 9, WARNING_TEXT = 500 };
int list_warnings(const attack_session *session, const attack_totals *totals, char text[WARNINGS][WARNING_TEXT]);

/* The page of --report, made of the files of the output folder (attack_report.c).  Returns 0, or the exit code after an
 * error message. */
int write_attack_report(attack_session *session, const char *command);
/* "DIR/000123-t5.png": `suffix` is ".png" and so on; those of the pictures are ".original.png" and ".png", or .jpg. */
void result_path(const attack_session *session, int64_t task, const char *suffix, char *path, size_t size);
const char *original_suffix(const attack_session *session);
const char *changed_suffix(const attack_session *session);

/* Writes the pictures and the certificate of a result (attack_files.c). */
int write_result_files(attack_session *session, int64_t task, const atl_attack_result *result);
/* The command that gives this result alone. */
void command_of(const attack_session *session, int64_t task, char *text, size_t size);

#endif
