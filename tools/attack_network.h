/* The networks of atled attack and atled verify. */
#ifndef ATLED_TOOLS_ATTACK_NETWORK_H
#define ATLED_TOOLS_ATTACK_NETWORK_H

#include "network.h"
#include "network_file.h"

/* What determines a network: certificates hold the same. */
typedef struct network_choice {
    const char *model, *weights; /* a name or a file; null: none */
    picture_settings picture;    /* of an ONNX file */
    int allow_non_finite;
} network_choice;

/* Opens it for raw pictures [n or ATL_ANY, h, w, channels].  pictures: [h, w, channels] of what it gets, of which a
 * network of any size takes all; sizes of ATL_ANY: unknown, then with 1 channel for a file of grey pictures, else 3.
 * Returns 0, or the exit code after an error message; close_network is needed either way. */
int open_attacked_network(const char *command, const network_choice *choice, atl_shape pictures,
                          loaded_network *network_out);

/* How far the scores of a picture [h, w, c] are from the goal, in double precision by the ops' references: as
 * atl_attack_result.margin_after.  Returns 0, or the exit code after an error message. */
int margin_in_double(const char *command, const loaded_network *network, const float *pixels, int label, int target,
                     double *margin_out);

#endif
