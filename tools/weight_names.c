/* What variables are called in a file of weights. */
#include "weight_names.h"

#include <stdlib.h>

static int check_names(const char *command, const char *path, json_t *object)
{
    const char *variable;
    json_t *key;
    if (!json_is_object(object))
        return report_error(command, EXIT_BAD_FILE, "--names: '%s' is no object {\"variable\": \"its name\", ...}",
                            path);
    json_object_foreach(object, variable, key)
    {
        if (!json_is_string(key))
            return report_error(command, EXIT_BAD_FILE, "--names: '%s' gives '%s' no text as its name", path, variable);
    }
    return 0;
}

int read_weight_names(const char *command, const char *path, weight_names *names)
{
    json_error_t error;
    const char *variable;
    json_t *key;
    size_t count = 0;
    *names = (weight_names){0};
    if (!path)
        return 0;
    names->object = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!names->object)
        return error.line > 0
                   ? report_error(command, EXIT_BAD_FILE, "--names: '%s', line %d: %s", path, error.line, error.text)
                   : report_error(command, EXIT_BAD_FILE, "--names: '%s' cannot be read: %s", path, error.text);
    int code = check_names(command, path, names->object);
    if (code)
        return code;
    names->list = calloc(json_object_size(names->object) + 1, sizeof *names->list);
    if (!names->list)
        return report_no_memory(command);
    json_object_foreach(names->object, variable, key)
    {
        names->list[count++] = (atl_weight_name){variable, json_string_value(key)};
    }
    return 0;
}

void free_weight_names(weight_names *names)
{
    free(names->list);
    json_decref(names->object);
    *names = (weight_names){0};
}

int load_network_weights(const char *command, const atl_model *model, atl_graph *graph, const char *path,
                         const char *names)
{
    weight_names map;
    atl_npz_report found = {0};
    int code = read_weight_names(command, names, &map);
    atl_status status = ATL_OK;
    if (!code && model)
        status = atl_model_load(model, graph, path, .names = map.list, .report_out = &found);
    else if (!code)
        status = atl_load_weights(graph, path, .weights_only = 1, .names = map.list, .report_out = &found);
    free_weight_names(&map);
    if (code || !status)
        return code;
    return report_error(command, exit_code_of(status), "%s%s", atl_error(),
                        !names && found.missing ? " (--names FILE.json says what variables are called there)" : "");
}
