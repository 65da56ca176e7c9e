/* A network in the table of networks. */
#ifndef ATLED_MODELS_MODEL_H
#define ATLED_MODELS_MODEL_H

#include "atled/models.h"

/* Enters a network in the table: write it below the definition.  The linker collects the section. */
#define ATL_MODEL(model)                                                                                               \
    static const atl_model *const model##_entry __attribute__((used, section("atl_models"))) = &(model)

/* The classes of CIFAR-10. */
extern const char *const atl_cifar10_labels[];

#endif
