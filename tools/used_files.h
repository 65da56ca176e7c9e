/* The files that a command reads and writes.  Errors in their names are reported before the work, not after it. */
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
    WEIGHTS_FORMAT, /* .npz or .safetensors */
    ONNX_FORMAT,    /* .onnx */
    PNG_FORMAT,     /* .png */
    PANEL_FORMAT,   /* .png, drawn by cairo */
    DRAWING_FORMAT, /* the format that atl_write_dot derives from the name */
};

typedef struct used_file {
    const char *option; /* without the dashes; null ends the list */
    const char *path;   /* null: not used */
    enum file_role role;
    enum file_format format;    /* of the output */
    const char *may_be_that_of; /* the option that may name the same file; null: none */
} used_file;

/* Rejects a name that is empty or "-", a name of another format, a place that cannot be written, a named pipe (the
 * command would wait for its other end), and two options that name the same file if one of them is written, also
 * through links, or if the file does not exist yet.  Returns 0, or the exit code after an error message. */
int check_files(const char *command, const used_file *files);

#endif
