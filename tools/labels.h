/* The names of a network's classes, and the lookup of a class by a word on the command line. */
#ifndef ATLED_TOOLS_LABELS_H
#define ATLED_TOOLS_LABELS_H

typedef struct class_names {
    int count;         /* 0: no names are known */
    const char **name; /* by class; without terminal control characters */
    char *text;        /* their memory, if they are from a file */
    char path[4096];   /* of that file; "": they are from none */
} class_names;

/* Reads the names from `path`, one per line, as many as there are classes.  Without a path uses the network's own (may
 * be null), or a file beside the weights: labels.txt or imagenet_classes.txt, there or in ../labels.  Returns 0, or the
 * exit code after an error message. */
int read_labels(const char *command, const char *path, const char *const *own, const char *weights, int classes,
                class_names *labels_out);
void free_labels(class_names *labels);

/* The class for an index, a name, or an unambiguous prefix of a name; -1 after an error message. */
int class_of(const char *command, const class_names *labels, int classes, const char *word);

/* "130 'flamingo'", or "130" without names. Returns text. */
char *class_text(const class_names *labels, int class, char *text, unsigned long size);

#endif
