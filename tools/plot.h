/* Pictures of a training and of an evaluation, drawn with cairo. */
#ifndef ATLED_TOOLS_PLOT_H
#define ATLED_TOOLS_PLOT_H

#include <stdint.h>

#include "atled/status.h"

typedef struct epoch_record {
    double epoch;                 /* counted from the beginning; not whole where a training ended within one */
    double loss, right;           /* of what was trained on */
    double test_loss, test_right; /* of the test data; right: a share, 0..1 */
} epoch_record;

/* Loss on the left, accuracy on the right, over epochs. */
atl_status write_curves(const char *path, const char *title, const epoch_record *record, int count);

enum { MOST_CONFUSION_CLASSES = 200 }; /* that can be drawn */

/* Rows are what the images are, columns what they are taken for; darker is a larger share of the row.  names may be null. */
atl_status write_confusion(const char *path, const int64_t *confusion, int classes, const char *const *names);

#endif
