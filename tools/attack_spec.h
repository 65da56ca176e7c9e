/* atled attack --spec: looks for an input that a property in VNN-LIB describes. */
#ifndef ATLED_TOOLS_ATTACK_SPEC_H
#define ATLED_TOOLS_ATTACK_SPEC_H

#include "attack_options.h"

/* Prints the counterexample as the verification competitions write it, ((X_0 1) ... (Y_0 2)), after the conditions
 * were found to hold in float and in double precision.  Returns 0, EXIT_GOAL_NOT_MET if none was found, or another exit
 * code after an error message. */
int attack_spec(const attack_options *set);

#endif
