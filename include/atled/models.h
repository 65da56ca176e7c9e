/* Classic networks, built from public functions only.
 *
 * Each takes raw pixels [n, height, width, 3], RGB, 0..255, because its preprocessing is part of the graph, and returns
 * logits [n, classes]: scores before the softmax.  The preprocessed image's node is named "preprocess/result". */
#ifndef ATLED_MODELS_H
#define ATLED_MODELS_H

#include "files.h"
#include "distributed.h"
#include "ops.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATL_MODEL_LAYERS 16

typedef struct atl_model_args {
    atl_node *image;
    /* (image - mean) * scale, per channel R, G, B, instead of the network's own preprocessing.  All scales 0: its own.
     * LeNet and the MLP have one mean and one scale for all channels: give the first, or three equal ones. */
    float mean[3], scale[3];
    /* The channels of each layer of atl_model.layers; 0: as published. */
    int widths[ATL_MODEL_LAYERS];
    /* Builds the graph for training: batch norm uses the batch's statistics (atl_batch_norm_layer).  Networks without
     * batch norm, all but ResNet-20, have the same graph for both. */
    bool training;
    /* If not null, batch norm in training uses the statistics of all parts of a batch (atl_batch_norm_layer). */
    atl_all_reduce *all_reduce;
    int end_;
} atl_model_args;

/* VGG16 (Simonyan & Zisserman 2014).  Layers conv1_1 .. conv5_3, fc6, fc7, fc8; subtracts the mean (123.68, 116.779,
 * 103.939). */
ATL_API atl_node *atl_vgg16_with(const atl_model_args *args);
#define atl_vgg16(...) atl_vgg16_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* SqueezeNet v1.1 (Iandola et al. 2016).  Subtracts the mean (123, 117, 104), then reorders channels to B, G, R.
 * Filters are [out, in, h, w], as in its weight files. */
ATL_API atl_node *atl_squeezenet_with(const atl_model_args *args);
#define atl_squeezenet(...) atl_squeezenet_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* ResNet-20 for CIFAR-10 (He et al. 2015), with running statistics: /255, minus (.485, .456, .406), over (.229, .224,
 * .225).  Filters are [out, in, h, w], the dense weights [out, in]. */
ATL_API atl_node *atl_resnet20_with(const atl_model_args *args);
#define atl_resnet20(...) atl_resnet20_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* The CIFAR-10 network of TensorFlow's tutorial, on 24 x 24 crops, each standardised: minus its mean, over its standard
 * deviation.  Layers conv1, conv2, local3, local4, softmax_linear. */
ATL_API atl_node *atl_cifar10_with(const atl_model_args *args);
#define atl_cifar10(...) atl_cifar10_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* The same, with dense layers that read both scales: pool1 concatenated with pool2.  conv1 and conv2 must have the same
 * width. */
ATL_API atl_node *atl_cifar10_multiscale_with(const atl_model_args *args);
#define atl_cifar10_multiscale(...) atl_cifar10_multiscale_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* LeNet for 28 x 28 digits, with relu and max pooling: [n, 28, 28, 1], or 3 channels, which it averages.  Layers conv1,
 * conv2, dense1, dense2. */
ATL_API atl_node *atl_lenet_with(const atl_model_args *args);
#define atl_lenet(...) atl_lenet_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* Dense layers dense1, dense2, ... of the given widths, with relu between them; default widths: 256, 10.  Any image [n,
 * h, w, channels]. */
ATL_API atl_node *atl_mlp_with(const atl_model_args *args);
#define atl_mlp(...) atl_mlp_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* The properties of a network, so that a program can take its name from a user. */
typedef struct atl_model {
    const char *name;  /* "vgg16" */
    const char *about; /* one line */
    atl_node *(*build)(const atl_model_args *args);
    int64_t height, width; /* of its input, as published */
    int64_t resize;        /* the short side of a photograph before the centre crop: see atl_fit_image */
    int classes;
    const char *const *labels; /* names of the classes; null: the weights provide them, or there are none */
    const char *suffixes[6];   /* of its usual weight file: see atl_load_npz */
    const char *const *layers; /* layers with a variable width; ends with null */
    atl_weight_order weight_order;
    int flat_layer; /* the layer that reads the flattened map: its inputs determine the size of the image; 0: none */
    int flat_area;  /* pixels per element of that map */
    bool any_depth; /* 1: it may have the first of its layers only */
} atl_model;
ATL_API const atl_model *const *atl_models(int64_t *count_out); /* in alphabetical order */
ATL_API const atl_model *atl_model_find(const char *name);      /* null if there is none with that name */

/* Properties that a weight file determines: the widths of the layers and the size of the image. */
typedef struct atl_model_size {
    int64_t height, width;
    int classes;
    int widths[ATL_MODEL_LAYERS];
} atl_model_size;
/* Reads them from the shapes in the file, .npz or .safetensors; what the shapes do not tell is as published.  path
 * null: everything is as published.  Fails if the file cannot be read; atl_model_load checks whether it fits. */
ATL_API atl_status atl_model_size_of(const atl_model *model, const char *path, atl_model_size *size_out);

/* atl_load_weights with the suffixes of the network's usual file, or the library's own if the archive uses those:
 * atl_model_load(model, graph, path), or with more of atl_npz_args. */
ATL_API atl_status atl_model_load_with(const atl_model *model, const atl_npz_args *args);
#define atl_model_load(model, ...) atl_model_load_with((model), ATL_OPTIONS_(atl_npz_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
