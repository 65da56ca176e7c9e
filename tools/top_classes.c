/* The most likely classes of a picture, as lines of text. */
#include "top_classes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const atl_node *softmax_of(const atl_node *scores)
{
    const atl_op *op = atl_op_of(scores);
    while (op && op->flags & ATL_OP_ALIAS) { /* [n, classes, 1, 1] as [n, classes] */
        scores = atl_input_of(scores, 0);
        op = atl_op_of(scores);
    }
    return op && strcmp(op->name, "softmax") == 0 ? scores : NULL;
}

int is_softmax(const atl_node *scores) { return softmax_of(scores) != NULL; }

int print_top_classes(const char *command, const float *x, int classes, int are_probabilities, int count,
                      const class_names *labels)
{
    double sum = 0, most = -INFINITY;
    char *told = calloc(classes > 0 ? (size_t)classes : 1, 1), text[128];
    if (!told)
        return report_no_memory(command);
    for (int i = 0; i < classes; i++)
        most = x[i] > most ? (double)x[i] : most;
    for (int i = 0; i < classes; i++)
        sum += exp((double)x[i] - most);
    for (int k = 0; k < count && k < classes; k++) {
        int best = -1;
        for (int i = 0; i < classes; i++)
            if (!told[i] && (best < 0 || x[i] > x[best]))
                best = i;
        told[best] = 1;
        double probability = are_probabilities ? (double)x[best] : exp((double)x[best] - most) / sum;
        printf("%8.4g  %6.2f %%  %s\n", (double)x[best], 100 * probability,
               class_text(labels, best, text, sizeof text));
    }
    free(told);
    return 0;
}
