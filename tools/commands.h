/* The subcommands of `atled`. */
#ifndef ATLED_TOOLS_COMMANDS_H
#define ATLED_TOOLS_COMMANDS_H

#include "tools.h"

typedef struct subcommand {
    const char *name;
    const char *about; /* one line for the overview */
    int (*run)(int argc, char **argv);
    int splits; /* the ranks that a launcher has started share the work; else each does all of it */
} subcommand;

enum { MOST_SUBCOMMANDS = 32 };

extern const subcommand subcommands[];
extern const int subcommand_count;

/* Their names, ending with null. */
const char *const *subcommand_names(void);

/* The subcommand of that name, or null. */
const subcommand *subcommand_of(const char *name);

#endif
