/* atled attack: changes pictures so little that nobody sees it, until a network errs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack_session.h"
#include "attack_spec.h"
#include "html_report.h"
#include "photograph.h"
#include "ranks.h"

static int poll_interrupt(void *context)
{
    (void)context;
    return was_interrupted();
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* The tensors and lists of the tasks that are not done. */
typedef struct open_tasks {
    int64_t count;
    atl_tensor *pictures;
    int32_t *labels, *targets;
    int64_t *indices;
} open_tasks;

/* Of the first `count_now` of s->task. */
static int gather(attack_session *s, int64_t count_now, open_tasks *t)
{
    const attack_pictures *p = &s->pictures;
    int64_t each = p->count ? s->tasks / p->count : 1, elements = p->height * p->width * p->channels;
    *t = (open_tasks){.count = count_now};
    size_t count = (size_t)(t->count ? t->count : 1);
    t->pictures = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(t->count, p->height, p->width, p->channels));
    t->labels = malloc(count * sizeof *t->labels);
    t->targets = malloc(count * sizeof *t->targets);
    t->indices = malloc(count * sizeof *t->indices);
    if (!t->pictures || !t->labels || !t->targets || !t->indices)
        return report_no_memory("attack");
    for (int64_t k = 0; k < t->count; k++) {
        int64_t picture = s->task[k] / each;
        memcpy(atl_floats(t->pictures) + k * elements, p->pixels + picture * elements,
               (size_t)elements * sizeof(float));
        t->labels[k] = p->label[picture];
        t->targets[k] = s->targets ? s->targets[s->task[k]] : 0;
        t->indices[k] = p->index[picture];
    }
    return 0;
}

static void free_tasks(open_tasks *t)
{
    atl_tensor_free(t->pictures);
    free(t->labels);
    free(t->targets);
    free(t->indices);
}

/* The first `count` of s->task. */
static int run_tasks(attack_session *s, int64_t count)
{
    const attack_options *set = &s->set;
    open_tasks t;
    int code = gather(s, count, &t);
    atl_status status =
        code ? ATL_OK
             : atl_attack(s->attacker, .method = set->method, .pictures = t.pictures, .labels = t.labels,
                          .targets = t.targets, .goal = s->goal, .norm = (atl_norm)set->norm, .eps = set->eps,
                          .indices = t.indices, .seed = (uint64_t)set->seed, .steps = (int)set->steps,
                          .restarts = (int)set->restarts, .step_size = set->step_size, .confidence = set->confidence,
                          .at_once = set->at_once, .jpeg = (int)set->jpeg, .unrounded = set->unrounded,
                          .watch = finish_result, .poll = poll_interrupt, .context = s);
    free_tasks(&t);
    if (code || !status || status == ATL_STOPPED)
        return note_failure(s, code);
    int unfinished = end_finishing(s); /* first the progress line ends */
    return unfinished                 ? unfinished
           : status == ATL_NOT_FINITE ? report_error("attack", EXIT_GOAL_NOT_MET, "%s", atl_error())
                                      : report_failure("attack");
}

static int run(attack_session *s)
{
    enum { LEAST = 16 }; /* so that batches are full */
    int64_t least = s->set.at_once ? s->set.at_once : LEAST, count = 0;
    int code = start_finishing(s);
    s->start = seconds_now();
    if (code)
        return code;
    if (atl_attack_method_find(s->set.method)->is_shared) { // one change of all pictures, done or not
        for (int64_t i = 0; i < s->tasks; i++)
            s->task[i] = i;
        code = s->done_count < s->tasks ? run_tasks(s, s->tasks) : 0;
    } else {
        while (!code && (count = take_tasks(&s->work, least, s->tasks, s->task)) > 0)
            code = run_tasks(s, count);
    }
    int unfinished = end_finishing(s);
    code = code ? code : unfinished;
    code = stop_tasks(&s->work, count < 0 ? EXIT_INTERNAL : code);
    return code ? code : add_results_of_others(s);
}

int atled_attack(int argc, char **argv)
{
    attack_session s = {.set = {.method = "pgd", .part = ATL_TEST}};
    int code;
    char command[4096];
    shell_command(argc, argv, command, sizeof command);
    if (!read_attack_options(&s.set, argc, argv, &code)) {
        end_work(&s.work, &s.set.shard);
        return code;
    }
    if (s.set.spec) {
        end_work(&s.work, &s.set.shard);
        return attack_spec(&s.set);
    }
    s.progress = start_progress(s.set.quiet || this_rank());
    code = start_attacking(&s);
    if (!code)
        catch_interrupts();
    if (!code)
        code = run(&s);
    int closed = close_results(&s);
    code = code ? code : closed;
    if (!code)
        code = end_compiling("attack", &s.set.compile);
    if (!code && !shows_results(&s.work))
        code = close_work(&s.work);
    else if (!code) {
        if (s.set.report)
            code = write_attack_report(&s, command);
        print_table(&s);
        if (!code)
            code = s.met_count == s.tasks ? EXIT_GOAL_MET : EXIT_GOAL_NOT_MET;
    }
    if (!this_rank())
        code = end_without_pictures("attack", code, s.pictures.unread);
    end_attacking(&s);
    return code;
}
