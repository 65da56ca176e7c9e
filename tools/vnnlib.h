/* Properties of networks in VNN-LIB, the format of the verification competitions: declared constants X_i and Y_i, and
 * assertions that are made of <=, >=, <, >, and, or, and linear terms. */
#ifndef ATLED_TOOLS_VNNLIB_H
#define ATLED_TOOLS_VNNLIB_H

/* The sum of coefficient times variable, plus the constant, is at most 0; below it if strict. */
typedef struct spec_entry {
    int variable; /* i of X_i; -1 - i of Y_i */
    double coefficient;
} spec_entry;
typedef struct spec_atom {
    int first, count; /* in the property's entries */
    double constant;
    int is_strict;
} spec_atom;

/* A conjunction of atoms, by their numbers. */
typedef struct spec_case {
    int *atom, count;
} spec_case;

/* The property holds for an input if all atoms of one of the cases hold. */
typedef struct spec_property {
    int inputs, outputs; /* X_0 to X_(inputs - 1), and Y */
    spec_entry *entry;
    spec_atom *atom;
    int entries, atoms;
    spec_case *cases;
    int count; /* of cases */
} spec_property;

/* Returns 0, or the exit code after a message with the file's line; free_property is needed either way. */
int read_vnnlib(const char *command, const char *path, spec_property *property_out);
void free_property(spec_property *property);

/* The atom's sum for these inputs and outputs. */
double atom_value(const spec_property *property, int atom, const double *x, const double *y);

#endif
