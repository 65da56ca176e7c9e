/* The weights that ship with atled: models/ in the sources, share/atled/models after installation. */
#include "bundled_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools.h"

static const char *file_of(const char *model)
{
    if (strcmp(model, "cifar10") == 0)
        return "cifar10.npz";
    return strcmp(model, "lenet") == 0 ? "digits.npz" : NULL;
}

/* The folder of the program itself; returns 0 if it cannot be determined. */
static int own_folder(char *folder, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    if (length <= 0)
        return 0;
    folder[length] = 0;
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    return slash != NULL;
}

const char *bundled_weights(const char *model, char *path, size_t size)
{
    static const char *const places[] = {"../share/atled/models", "../../models"};
    const char *file = file_of(model), *named = getenv("ATLED_MODELS");
    char folder[3072];
    if (!file)
        return NULL;
    if (named) {
        snprintf(path, size, "%s/%s", named, file);
        return access(path, R_OK) == 0 ? path : NULL;
    }
    for (int i = 0; i < 2 && own_folder(folder, sizeof folder); i++) {
        snprintf(path, size, "%s/%s/%s", folder, places[i], file);
        if (access(path, R_OK) == 0)
            return path;
    }
    return NULL;
}

int report_no_weights(const char *command, const char *model)
{
    const char *file = file_of(model);
    if (!file)
        return report_error(command, EXIT_USAGE, "no weights for %s come with atled: give --weights FILE", model);
    return report_error(
        command, EXIT_USAGE,
        "%s, the weights for %s that come with atled, was not found: give --weights FILE, or name its folder "
        "in the environment, ATLED_MODELS",
        file, model);
}
