/* A self-contained page about pictures: no network, no other file; it works from a disk. */
#ifndef ATLED_TOOLS_HTML_REPORT_H
#define ATLED_TOOLS_HTML_REPORT_H

#include <stdio.h>

#include "atled/tensor.h"
#include "labels.h"

typedef struct html_report html_report;

/* Text from elsewhere (names of classes and files) may hold anything: it is escaped. */
typedef struct html_image {
    const char *name;
    const atl_tensor *pixels; /* [h, w, 3] or [1, h, w, 3], 0..255 */
} html_image;

typedef struct html_bar {
    char name[96];
    double before, after; /* probabilities; NaN: none */
} html_bar;

typedef struct html_fact {
    const char *name, *value;
} html_fact;

typedef struct html_picture {
    const char *title, *verdict;
    int is_good; /* the verdict's colour */
    /* The first is compared with the others, one at a time, by a slider. */
    const html_image *images;
    int image_count;
    const html_bar *bars;
    int bar_count;
    const double *course; /* of the probability, by iteration; null: none */
    int course_count;
    const char *course_name, *course_end; /* null: "Probability of the target"; "12 iterations" */
    const atl_tensor *histogram;          /* of its elements; null: none */
    const char *histogram_name;
    const html_fact *facts;
    int fact_count;
    const char *const *warnings; /* ends with null; may be null */
    const char *certificate;     /* to copy; may be null */
    const char *check_command;   /* that checks the certificate */
} html_picture;

/* `command`: as typed; `pictures`: how many will follow.  Null on failure, see atl_error(). */
html_report *html_report_new(const char *title, const char *command, int pictures);
void html_report_free(html_report *report); /* null is allowed */
/* Adds a picture; its images are copied. */
atl_status html_report_add(html_report *report, const html_picture *picture);
/* What holds for all pictures: before the first of them. */
typedef struct html_curve {
    const char *title, *x_name;
    const double *x, *y; /* both rise or fall from point to point; y: 0 to 1 */
    int count;
} html_curve;
void html_report_summary(html_report *report, const html_fact *facts, int fact_count, const char *const *warnings,
                         const html_curve *curve);
/* Writes the page; below 2 MB for 20 pictures. */
atl_status html_report_write(html_report *report, const char *path);

/* "atled fool -t 'a b'": the command line, quoted for a shell. */
char *shell_command(int argc, char **argv, char *text, size_t size);

enum { HTML_TOP = 5, HTML_MOST_CLASSES = 65536 };
/* The bars of the most probable classes of both [classes] or [1, classes], 2 * HTML_TOP at most; `after` may be null.
 * Returns how many. */
int html_top_bars(const atl_tensor *before, const atl_tensor *after, const class_names *names, html_bar *bars);

void html_escaped(FILE *to, const char *text);
/* Names and values, and paragraphs in the colour of warnings; both may be empty. */
void html_facts(FILE *to, const html_fact *facts, int count);
void html_warnings(FILE *to, const char *const *warnings);
FILE *html_report_file(html_report *report);

/* ---- html_image.c ---- */

/* Writes the picture as a data URL of at most about `bytes` bytes: JPEG, of less quality, at last of half the size. */
atl_status write_image_url(FILE *to, const atl_tensor *pixels, size_t bytes);

/* ---- html_page.c ---- */

extern const char html_style[], html_script[];

#endif
