/* What is odd about an attack, in words: signs that a network hides its gradient, or that the attack is not what it
 * should be, as Carlini et al. 2019 (On evaluating adversarial robustness) and AutoAttack list them. */
#include "attack/remarks.h"

#include <math.h>

void atl_attempt_remark(atl_attempt *a, const char *text)
{
    if (!a->remark)
        a->remark = text;
}

void atl_remark_on_scores(atl_attempt *a, const float *scores)
{
    double sum = 0;
    for (int i = 0; i < a->task.classes; i++) {
        if (scores[i] < 0)
            return;
        sum += (double)scores[i];
    }
    if (fabs(sum - 1) < 1e-4)
        atl_attempt_remark(a, "the scores add up to 1: they look like probabilities; give the attack the logits before "
                              "the softmax, whose gradient does not vanish");
}

void atl_remark_on_margins(atl_attempt *a, const float *scores, double first, double second)
{
    double largest = 0;
    for (int i = 0; i < a->task.classes; i++)
        largest = fmax(largest, fabs((double)scores[i]));
    if (isfinite(first) && fabs(first - second) > 1e-3 * largest)
        atl_attempt_remark(a, "the network answers differently when it sees the same picture twice: its results cannot "
                              "be relied on (is it random, or does it depend on the other pictures of a batch?)");
}

void atl_remark_on_ascent(atl_attempt *a, double first_loss, double last_loss)
{
    if (!a->met && last_loss < first_loss - 1e-3 * fmax(fabs(first_loss), 1e-3))
        atl_attempt_remark(a, "more steps made it worse: the loss was lower after the last step than before the first; "
                              "the gradient misleads, or the step size is too large");
}

void atl_remark_on_black_box(atl_attempt *a)
{
    if (a->met)
        atl_attempt_remark(a,
                           "an attack without gradients succeeded where those with gradients had failed: the network "
                           "may hide its gradient, and its robust accuracy may be lower than measured");
}
