/* An early save: a launcher that is told to end may kill its ranks a second later, when a long step has not yet come to
 * its end.  So a thread of rank 0 saves the state after the last whole step as soon as the signal comes. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "ranks.h"
#include "train_session.h"

struct early_save {
    pthread_t thread;
    pthread_mutex_t variables; /* the thread may read them: held by the training but while it runs parts of a batch */
    int is_started, must_end;  /* must_end: with that mutex */
};

/* What fails here is told when the training itself saves. */
static void save_now(train_session *s)
{
    if (non_finite_variable_of(&s->t))
        return;
    if (s->set.checkpoint)
        save_checkpoint(&s->t, s->set.checkpoint);
    if (!s->t.measure) /* that takes long, and needs the batches */
        save_weights(&s->t, s->set.output);
}

static void *watch_for_signal(void *context)
{
    train_session *s = context;
    const struct timespec moment = {.tv_nsec = 20000000};
    for (int ends = 0; !ends;) {
        nanosleep(&moment, NULL);
        pthread_mutex_lock(&s->early->variables);
        ends = s->early->must_end || was_interrupted();
        if (ends && !s->early->must_end)
            save_now(s);
        pthread_mutex_unlock(&s->early->variables);
    }
    return NULL;
}

int begin_early_save(train_session *s)
{
    if (!ranks_in_use() || this_rank() > 0)
        return 0;
    s->early = calloc(1, sizeof *s->early);
    if (!s->early)
        return report_no_memory("train");
    pthread_mutex_init(&s->early->variables, NULL);
    pthread_mutex_lock(&s->early->variables);
    s->early->is_started = pthread_create(&s->early->thread, NULL, watch_for_signal, s) == 0;
    return 0;
}

void end_early_save(train_session *s)
{
    if (!s->early)
        return;
    s->early->must_end = 1;
    pthread_mutex_unlock(&s->early->variables);
    if (s->early->is_started)
        pthread_join(s->early->thread, NULL);
    pthread_mutex_destroy(&s->early->variables);
    free(s->early);
    s->early = NULL;
}

void leave_variables(train_session *s)
{
    if (s->early)
        pthread_mutex_unlock(&s->early->variables);
}

void take_variables(train_session *s)
{
    if (s->early)
        pthread_mutex_lock(&s->early->variables);
}
