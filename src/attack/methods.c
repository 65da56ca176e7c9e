/* The table of methods: one line for each; its file is src/attack/NAME.c. */
#include <string.h>

#include "attack/attempt.h"

enum { LINF = 1 << ATL_NORM_LINF, L2 = 1 << ATL_NORM_L2, L1 = 1 << ATL_NORM_L1, L0 = 1 << ATL_NORM_L0 };

/* name, about, norms, minimal, black box, steps, restarts, function, shared */
static const atl_attack_method methods[] = {
    {"fgsm", "one step along the gradient", LINF | L2 | L1, 0, 0, 1, 1, atl_method_fgsm},
    {"bim", "steps of eps/5 from the picture", LINF | L2 | L1, 0, 0, 10, 1, atl_method_bim},
    {"pgd", "projected gradient steps from random starts", LINF | L2 | L1, 0, 0, 40, 2, atl_method_pgd},
    {"mi-fgsm", "steps along a running sum of gradients", LINF | L2, 0, 0, 10, 1, atl_method_mi_fgsm},
    {"apgd-ce", "steps that halve when the cross entropy stops rising", LINF | L2 | L1, 0, 0, 100, 1,
     atl_method_apgd_ce},
    {"apgd-dlr", "the same with the ratio of score differences", LINF | L2 | L1, 0, 0, 100, 1, atl_method_apgd_dlr},
    {"apgd-t", "the same towards each of nine classes", LINF | L2 | L1, 0, 0, 100, 1, atl_method_apgd_t},
    {"square", "random squares; uses scores only", LINF | L2 | L1, 0, 1, 5000, 1, atl_method_square},
    {"onepixel", "differential evolution of a few pixels; scores only", L0, 0, 1, 100, 1, atl_method_onepixel},
    {"autoattack", "apgd-ce, apgd-t, fab-t, square", LINF | L2 | L1, 0, 0, 100, 1, atl_method_autoattack},
    {"universal", "one change for all pictures", LINF | L2, 0, 0, 10, 1, atl_method_universal, 1},
    {"patch", "one square that covers a part of each picture", L0, 0, 0, 20, 1, atl_method_patch, 1},
    {"noise", "random changes of size eps, as a control", LINF | L2 | L1, 0, 1, 1, 100, atl_method_noise},
    {"deepfool", "steps to the nearest linear boundary", LINF | L2, 1, 0, 50, 1, atl_method_deepfool},
    {"ddn", "a norm that grows and shrinks", L2, 1, 0, 100, 1, atl_method_ddn},
    {"fab-t", "projections onto linear boundaries", LINF | L2 | L1, 1, 0, 100, 1, atl_method_fab_t},
    {"cw", "Adam on the size and the margin", L2, 1, 0, 100, 9, atl_method_cw},
    {"ead", "the elastic net of L1 and L2", L1, 1, 0, 100, 9, atl_method_ead},
    {"fmn", "a bound that shrinks and grows", LINF | L2 | L1 | L0, 1, 0, 100, 1, atl_method_fmn},
    {"jsma", "pairs of elements by a saliency map", L0, 1, 0, 200, 1, atl_method_jsma},
    {"best", "the smallest change on 8-bit levels", LINF | L2 | L1 | L0, 1, 0, 16, 1, atl_method_best},
};

int atl_attack_method_count(void) { return (int)(sizeof methods / sizeof methods[0]); }

const atl_attack_method *atl_attack_method_at(int index)
{
    return index >= 0 && index < atl_attack_method_count() ? &methods[index] : NULL;
}

const atl_attack_method *atl_attack_method_find(const char *name)
{
    for (int i = 0; name && i < atl_attack_method_count(); i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}
