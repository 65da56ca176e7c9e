/* Pictures that fool a network: descending a loss by its gradient with respect to the image. */
#ifndef ATLED_ATTACK_H
#define ATLED_ATTACK_H

#include "program.h"

#endif
