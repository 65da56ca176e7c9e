/* A network by its name, with or without its weights. */
#include "network.h"
#include "weight_names.h"

#include <math.h>
#include <string.h>

const char *const *network_names(void)
{
    enum { MOST = 32 };
    static const char *names[MOST + 1];
    int64_t count;
    const atl_model *const *models = atl_models(&count);
    for (int i = 0; i < count && i < MOST; i++)
        names[i] = models[i]->name;
    return names;
}

static int build(const char *command, int64_t batch, int64_t channels, int training, loaded_network *n)
{
    n->graph = atl_graph_new();
    if (!n->graph)
        return report_failure(command);
    n->image = atl_input(n->graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, n->size.height, n->size.width, channels));
    atl_model_args args = {.image = n->image, .training = training};
    memcpy(args.widths, n->size.widths, sizeof args.widths);
    n->logits = n->model->build(&args);
    if (!n->logits)
        return report_error(command, exit_code_of(atl_graph_status(n->graph)), "%s: %s", n->model->name,
                            atl_graph_error(n->graph));
    return 0;
}

int open_network(const char *command, const char *name, const char *weights, loaded_network *network_out)
{
    return open_network_for(command, name, weights, 1, 0, network_out);
}

int open_network_for(const char *command, const char *name, const char *weights, int64_t batch, int training,
                     loaded_network *network_out)
{
    return open_network_for_pictures(command, name, weights, batch, ATL_SCALAR, training, NULL, network_out);
}

int open_network_for_pictures(const char *command, const char *name, const char *weights, int64_t batch,
                              atl_shape pictures, int training, const char *names, loaded_network *n)
{
    *n = (loaded_network){.model = atl_model_find(name)};
    /* with other names, the sizes in the file are not known to be those of the layers */
    atl_status status = atl_model_size_of(n->model, names ? NULL : weights, &n->size);
    if (status)
        return report_failure(command);
    int is_known = pictures.rank == 3 && pictures.size[2] != ATL_ANY;
    if (is_known && strcmp(n->model->name, "mlp") == 0) { /* any size */
        n->size.height = pictures.size[0];
        n->size.width = pictures.size[1];
    }
    int code = build(command, batch, is_known ? pictures.size[2] : 3, training, n);
    return code || !weights ? code : load_network_weights(command, n->model, n->graph, weights, names);
}

const char *first_non_finite_variable(const atl_graph *graph)
{
    int64_t count = atl_variables(graph).count;
    atl_node *const *variable = atl_variables(graph).node;
    for (int64_t i = 0; i < count; i++) {
        const atl_tensor *value = atl_variable_value(variable[i]);
        const float *x = value ? atl_floats(value) : NULL;
        for (int64_t k = 0; x && k < atl_tensor_count(value); k++)
            if (!isfinite(x[k]))
                return atl_name_of(variable[i]);
    }
    return NULL;
}

int check_loaded(const char *command, const atl_graph *graph, const char *path, int allowed)
{
    const char *name = allowed ? NULL : first_non_finite_variable(graph);
    if (!name)
        return 0;
    return report_error(command, EXIT_BAD_FILE,
                        "%s: '%s' holds a value that is NaN or infinite: was it saved by a training that failed? "
                        "(--allow-non-finite takes it as it is)",
                        path, name);
}

void close_network(loaded_network *network)
{
    atl_onnx_free(network->net);
    network->net = NULL;
    atl_graph_free(network->graph);
    network->graph = NULL;
}
