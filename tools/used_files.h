/* The files that a command reads and writes.  What is wrong with them is told before the work, not after it. */
#ifndef ATLED_TOOLS_USED_FILES_H
#define ATLED_TOOLS_USED_FILES_H

enum file_role {
    FILE_READ,
    FILE_WRITTEN,
    FILE_READ_BACK, /* written, and read again by the same command */
    FILE_UPDATED,   /* read if it is there, and written */
    DATA_READ       /* a file, or a folder with the files of a data set */
};

enum file_format {
    ANY_FORMAT,
    NPZ_FORMAT,     /* the name ends in .npz */
    PNG_FORMAT,     /* .png */
    PANEL_FORMAT,   /* .png, drawn by cairo */
    DRAWING_FORMAT, /* what atl_write_dot makes of the name */
};

typedef struct used_file {
    const char *option; /* without the dashes; null ends the list */
    const char *path;   /* null: not used */
    enum file_role role;
    enum file_format format;    /* of what is written */
    const char *may_be_that_of; /* the option that may name the same file; null: none */
} used_file;

/* Refuses a name that is empty or "-", one that promises another format, a place that cannot be written to, a named pipe (the
 * command would wait for whoever is at its other end), and two options that name the same file - also through links, or a file
 * that does not exist yet - where one of them is written.  Returns 0, or the exit code after a complaint. */
int check_files(const char *command, const used_file *files);

#endif
