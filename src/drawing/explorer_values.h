/* The values of a run in the explorer's page. */
#ifndef ATLED_DRAWING_EXPLORER_VALUES_H
#define ATLED_DRAWING_EXPLORER_VALUES_H

#include "drawing/explorer_scopes.h"

/* "values":[...] from args->values: for each drawn node that has one its number, least, largest, mean, root of the mean
 * square, share of zeros, share of channels without a positive element (relus only), number of elements that are not
 * finite, a histogram, and if there is room the columns, planes, least, largest mean and digits of a picture. */
void explorer_write_values(const explorer_page *p);

#endif
