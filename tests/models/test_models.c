#include "support.h"

Test(models, are_found_by_name_in_alphabetical_order)
{
    int64_t count;
    const atl_model *const *models = atl_models(&count);
    cr_assert(count >= 5);
    for (int i = 0; i < count; i++) {
        cr_assert_eq(atl_model_find(models[i]->name), models[i]);
        if (i)
            cr_assert(strcmp(models[i - 1]->name, models[i]->name) < 0);
    }
    cr_assert_null(atl_model_find("vgg17"));
    cr_assert_null(atl_model_find(NULL));
}

/* Every network as published, for an unknown batch: pixels to logits. */
Test(models, all_build_and_say_what_they_return)
{
    int64_t count;
    const atl_model *const *models = atl_models(&count);
    for (int i = 0; i < count; i++) {
        atl_graph *g = atl_graph_new();
        atl_model_size size;
        cr_assert(atl_model_size_of(models[i], NULL, &size) == ATL_OK);
        atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, size.height, size.width, 3));
        atl_node *logits = models[i]->build(&(atl_model_args){.image = image});
        cr_assert(logits, "%s: %s", models[i]->name, atl_graph_error(g));
        cr_assert(atl_shape_equal(atl_shape_of(logits), ATL_SHAPE(ATL_ANY, size.classes)));
        cr_assert(strstr(atl_name_of(logits), "logits"), "%s", atl_name_of(logits));
        cr_assert(atl_find(g, "preprocess/result"));
        int layers = strcmp(models[i]->name, "mlp") == 0 ? 2 : ATL_MODEL_LAYERS; /* by default */
        for (int k = 0; k < layers && models[i]->layers[k]; k++)
            cr_assert(atl_find(g, ATL_NAME("%s/weights", models[i]->layers[k])), "%s has no layer %s", models[i]->name,
                      models[i]->layers[k]);
        cr_assert(atl_gradient(atl_sum(logits), image), "%s: %s", models[i]->name, atl_graph_error(g));
        atl_graph_free(g);
    }
}

Test(models, a_null_image_passes_quietly)
{
    int64_t count;
    const atl_model *const *models = atl_models(&count);
    for (int i = 0; i < count; i++)
        cr_assert_null(models[i]->build(&(atl_model_args){.image = NULL}));
}

Test(models, grey_pictures_are_refused_in_words)
{
    atl_graph *g = atl_graph_new();
    cr_assert_null(atl_squeezenet(atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 224, 224))));
    cr_assert_mentions(atl_graph_error(g), "[1, 224, 224]");
    atl_graph_free(g);
    g = atl_graph_new();
    cr_assert_null(atl_vgg16(atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 224, 224, 4))));
    cr_assert_mentions(atl_graph_error(g), "[1, 224, 224, 4]");
    atl_graph_free(g);
}

/* Written under the library's own names and read back: the widths are found, and the values are the same. */
Test(models, own_archives_are_read_back)
{
    const char *path = scratch_file("narrow.npz");
    const atl_model *model = atl_model_find("vgg16");
    atl_model_args args = {.widths = {2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 8, 9}};
    atl_graph *g = atl_graph_new(), *again = atl_graph_new();
    args.image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 96, 96, 3));
    cr_assert(model->build(&args), "%s", atl_graph_error(g));
    cr_assert(atl_save_npz(g, path) == ATL_OK, "%s", atl_error());

    atl_model_size size;
    cr_assert(atl_model_size_of(model, path, &size) == ATL_OK);
    cr_assert_eq(size.height, 96);
    cr_assert_eq(size.width, 96);
    cr_assert_eq(size.classes, 9);
    cr_assert_arr_eq(size.widths, args.widths, sizeof args.widths);
    args.image = atl_input(again, "image", ATL_FLOAT32, ATL_SHAPE(1, 96, 96, 3));
    cr_assert(model->build(&args));
    atl_set_seed(again, 7);
    cr_assert(atl_model_load(model, again, path) == ATL_OK, "%s", atl_error());
    cr_assert_close(atl_variable_value(atl_find(again, "fc7/weights")), atl_variable_value(atl_find(g, "fc7/weights")),
                    0);
    atl_graph_free(g);
    atl_graph_free(again);
}

Test(models, a_missing_archive_is_an_error)
{
    atl_model_size size;
    cr_assert(atl_model_size_of(atl_model_find("vgg16"), "/nowhere/weights.npz", &size) == ATL_BAD_FILE);
    cr_assert_mentions(atl_error(), "/nowhere/weights.npz");
}
