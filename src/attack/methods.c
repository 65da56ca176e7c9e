/* The table of methods: one line for each; its file is src/attack/NAME.c. */
#include <string.h>

#include "attack/attempt.h"

enum { LINF = 1 << ATL_NORM_LINF, L2 = 1 << ATL_NORM_L2, L1 = 1 << ATL_NORM_L1, L0 = 1 << ATL_NORM_L0 };

/* name, about, norms, minimal, black box, steps, restarts, function */
static const atl_attack_method methods[] = {
    {"fgsm", "one step along the gradient", LINF | L2 | L1, 0, 0, 1, 1, atl_method_fgsm},
    {"bim", "steps of eps/5 from the picture", LINF | L2 | L1, 0, 0, 10, 1, atl_method_bim},
    {"pgd", "projected gradient steps from random starts", LINF | L2 | L1, 0, 0, 40, 1, atl_method_pgd},
    {"mi-fgsm", "steps along a running sum of gradients", LINF | L2, 0, 0, 10, 1, atl_method_mi_fgsm},
    {"noise", "random changes of size eps, as a control", LINF | L2 | L1, 0, 1, 1, 100, atl_method_noise},
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
