/* The classic networks, built from public calls only.  Every one takes raw RGB pixels 0..255: its preprocessing is part of
 * the graph. */
#ifndef ATLED_MODELS_H
#define ATLED_MODELS_H

#include "ops.h"

#endif
