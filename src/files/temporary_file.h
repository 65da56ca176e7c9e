/* The hidden file beside a target that holds its new version until that is whole: used by atomic_file.c. */
#ifndef ATLED_FILES_TEMPORARY_FILE_H
#define ATLED_FILES_TEMPORARY_FILE_H

/* Creates and locks ".NAME.PROCESS-NUMBER" beside the target, so that a rename stays within one file system.  Gives a
 * descriptor, or -1 with errno.  *path_out is released by the caller in every case. */
int atl_create_temporary(const char *target, char **path_out);

/* Removes the temporary files of this target whose writers ended without removing them (a kill, a power cut).  The
 * kernel drops a process's locks when it ends, whatever ends it: an unlocked one has no writer. */
void atl_remove_dead_temporaries(const char *target);

#endif
