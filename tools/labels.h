/* The names of a network's classes, and the class that a word on the command line means. */
#ifndef ATLED_TOOLS_LABELS_H
#define ATLED_TOOLS_LABELS_H

typedef struct class_names {
    int count;         /* 0: no names are known */
    const char **name; /* by class; without what a terminal would obey */
    char *text;        /* their memory, if they are from a file */
    char path[4096];   /* of that file; "": they are from none */
} class_names;

/* From `path`, one name a line, as many as there are classes; without it the network's own (may be null), or a file beside the
 * weights: labels.txt or imagenet_classes.txt, there or in ../labels.  Returns 0, or the exit code after a complaint. */
int read_labels(const char *command, const char *path, const char *const *own, const char *weights, int classes,
                class_names *labels_out);
void free_labels(class_names *labels);

/* The class meant by an index, a name, or the beginning of a single one; -1 after a complaint. */
int class_of(const char *command, const class_names *labels, int classes, const char *word);

/* "130 'flamingo'", or "130" without names. Returns text. */
char *class_text(const class_names *labels, int class, char *text, unsigned long size);

#endif
