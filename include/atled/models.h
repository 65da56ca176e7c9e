/* The classic networks, built from public calls only.
 *
 * Every one takes raw pixels [n, height, width, 3], RGB, 0..255, because its preprocessing is part of the graph, and returns
 * logits [n, classes]: scores before the softmax.  The preprocessed image's node is called "preprocess/result". */
#ifndef ATLED_MODELS_H
#define ATLED_MODELS_H

#include "files.h"
#include "ops.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATL_MODEL_LAYERS 16

typedef struct atl_model_args {
    atl_node *image;
    /* In place of the network's own preprocessing, if scale[0] is not 0: (image - mean) * scale, each by channel R, G, B. */
    float mean[3], scale[3];
    /* Channels that each layer of atl_model.layers makes; 0: as published. */
    int widths[ATL_MODEL_LAYERS];
    int training; /* ResNet-20: batch norm by the statistics of the batch, see atl_batch_norm_layer */
    int end_;
} atl_model_args;

/* VGG16 (Simonyan & Zisserman 2014).  Layers conv1_1 .. conv5_3, fc6, fc7, fc8; minus the mean (123.68, 116.779, 103.939). */
ATL_API atl_node *atl_vgg16_with(const atl_model_args *args);
#define atl_vgg16(...) atl_vgg16_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* SqueezeNet v1.1 (Iandola et al. 2016).  Minus the mean (123, 117, 104), then in the order B, G, R.  Filters are
 * [out, in, h, w], as in its weight files. */
ATL_API atl_node *atl_squeezenet_with(const atl_model_args *args);
#define atl_squeezenet(...) atl_squeezenet_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* ResNet-20 for CIFAR-10 (He et al. 2015), with kept statistics: /255, minus (.485, .456, .406), over (.229, .224, .225).
 * Filters are [out, in, h, w], the dense weights [out, in]. */
ATL_API atl_node *atl_resnet20_with(const atl_model_args *args);
#define atl_resnet20(...) atl_resnet20_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* The CIFAR-10 network of TensorFlow's tutorial, on 24 x 24 crops, each standardised: minus its mean, over its standard
 * deviation.  Layers conv1, conv2, local3, local4, softmax_linear. */
ATL_API atl_node *atl_cifar10_with(const atl_model_args *args);
#define atl_cifar10(...) atl_cifar10_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* The same, where the dense layers see both scales: pool1 beside pool2.  conv1 and conv2 must be equally wide. */
ATL_API atl_node *atl_cifar10_multiscale_with(const atl_model_args *args);
#define atl_cifar10_multiscale(...) atl_cifar10_multiscale_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* LeNet for 28 x 28 digits, with relu and maximum pooling: [n, 28, 28, 1], or 3 channels, of which it takes the mean.  Layers
 * conv1, conv2, dense1, dense2. */
ATL_API atl_node *atl_lenet_with(const atl_model_args *args);
#define atl_lenet(...) atl_lenet_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* Dense layers dense1, dense2, ... of the given widths, relu between them; none given: 256, 10.  Any image [n, h, w, channels]. */
ATL_API atl_node *atl_mlp_with(const atl_model_args *args);
#define atl_mlp(...) atl_mlp_with(ATL_OPTIONS_(atl_model_args, __VA_ARGS__))

/* What is known about each of them, so that a program can take its name from a user. */
typedef struct atl_model {
    const char *name;  /* "vgg16" */
    const char *about; /* one line */
    atl_node *(*build)(const atl_model_args *args);
    int64_t height, width; /* of its input, as published */
    int64_t resize;        /* short side of a photograph before the centre is cut out: see atl_fit_image */
    int classes;
    const char *const *labels; /* names of the classes; null: they come with the weights, or not at all */
    const char *suffixes[6];   /* in its usual weight file: see atl_load_npz */
    const char *const *layers; /* those whose width may differ; ends with null */
    atl_weight_order weight_order;
    int flat_layer; /* the layer that reads the flattened map: its inputs tell the size of the picture; 0: none */
    int flat_area;  /* picture elements to one element of that map */
} atl_model;
ATL_API const atl_model *const *atl_models(int *count_out); /* in alphabetical order */
ATL_API const atl_model *atl_model_find(const char *name);  /* null if there is none of that name */

/* What a weight file makes of a network: the widths of its layers and the size of its pictures. */
typedef struct atl_model_size {
    int64_t height, width;
    int classes;
    int widths[ATL_MODEL_LAYERS];
} atl_model_size;
/* Read off the shapes in the archive; what they do not tell is as published.  path null: everything is.  Fails if the file
 * cannot be read; whether it fits is told by atl_model_load. */
ATL_API atl_status atl_model_size_of(const atl_model *model, const char *path, atl_model_size *size_out);

/* atl_load_npz with the suffixes of the network's usual file, or the library's own if the archive has those:
 * atl_model_load(model, graph, path), or with more of atl_npz_args. */
ATL_API atl_status atl_model_load_with(const atl_model *model, const atl_npz_args *args);
#define atl_model_load(model, ...) atl_model_load_with((model), ATL_OPTIONS_(atl_npz_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
