/* Networks that only the benchmarks know: random weights. */
#ifndef ATLED_BENCH_NETWORKS_H
#define ATLED_BENCH_NETWORKS_H

#include "atled/atled.h"

/* The logits [n, 1000] for images [n, h, w, 3]; null if there is no such network: "mobilenet_v2",
 * "mobilenet_v3_small", "efficientnet_b0", "resnet18", "densenet121" or "vit_tiny" (images of 224 x 224 only); and
 * small ones: "digits" and "mlp_512" (logits [n, 10]), "autoencoder" (an image like the one given).  Batch norm uses
 * running statistics. */
atl_node *bench_network(const char *name, atl_node *image);
/* The same with batch norm by the batch's statistics. */
atl_node *bench_network_to_train(const char *name, atl_node *image);

#endif
