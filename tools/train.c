/* atled train: trains a network on labelled images. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ranks.h"
#include "train_session.h"

/* The fraction of this run's time that was spent waiting for data. */
static double share_waited(const train_session *s)
{
    double seconds = seconds_now() - s->started;
    return seconds > 0 ? s->waited / seconds : 0;
}

static void tell_step(train_session *s, const atl_batch *batch)
{
    double loss = atl_scalar_of(s->t.train, s->t.mean_loss), right = atl_scalar_of(s->t.train, s->t.mean_right);
    int64_t here = s->done - s->first;
    double keep = here < 50 ? 1 - 1 / (double)(here + 1) : 0.98;
    s->loss = keep * s->loss + (1 - keep) * loss;
    s->right = keep * s->right + (1 - keep) * right;
    s->done++;
    double speed = (double)(here + 1) / (seconds_now() - s->started);
    show_progress(&s->progress, 0,
                  "epoch %lld/%lld  step %lld/%lld  loss %.4f  right %.2f %%  %.0f images/s  %.0f s left",
                  (long long)batch->epoch + 1, (long long)((s->steps + s->per_epoch - 1) / s->per_epoch),
                  (long long)s->done, (long long)s->steps, s->loss, 100 * s->right, speed * (double)s->set.batch,
                  (double)(s->steps - s->done) / speed);
}

/* Saves the weights, and the checkpoint if requested.  A network with NaN never overwrites a file. */
static int save(train_session *s)
{
    if (hand_over(&s->t))
        return report_failure("train");
    const char *non_finite = non_finite_variable_of(&s->t);
    if (non_finite && this_rank() > 0) /* all ranks find the same */
        return EXIT_GOAL_NOT_MET;
    if (non_finite)
        return report_error("train", EXIT_GOAL_NOT_MET,
                            "stopped; '%s' has become NaN or infinite, so nothing is saved: %s is as it was",
                            non_finite, s->set.output);
    if (this_rank() > 0)
        return 0;
    int failed = save_weights(&s->t, s->set.output) || (s->set.checkpoint && save_checkpoint(&s->t, s->set.checkpoint));
    return failed ? report_failure("train") : 0;
}

static int record(train_session *s, const score *tested)
{
    epoch_record r = {(double)s->done / (double)s->per_epoch, s->loss, s->right, tested->loss, tested->right};
    double seconds = seconds_now() - s->started;
    s->records[s->record_count++] = r;
    end_progress(&s->progress);
    char ranks[64] = "";
    if (rank_count() > 1)
        snprintf(ranks, sizeof ranks, ", %.1f %% for other ranks",
                 100 * atl_all_reduce_waited(s->all_reduce) / (seconds > 0 ? seconds : 1));
    printf(
        "epoch %.4g: training loss %.4f, right %.2f %%; test loss %.4f, right %.2f %% of %lld; %.0f s, %.1f %% of it "
        "waiting for data%s\n",
        r.epoch, r.loss, 100 * r.right, r.test_loss, 100 * r.test_right, (long long)tested->count, seconds,
        100 * share_waited(s), ranks);
    flush_output();
    if (!s->log)
        return 0;
    fprintf(s->log, "%.6g,%lld,%.6g,%.6g,%.6g,%.6g,%.6g,%.1f,%.3f\n", r.epoch, (long long)s->done,
            (double)atl_scalar_of(s->t.train, s->t.rate), r.loss, r.right, r.test_loss, r.test_right, seconds,
            s->waited);
    if (fflush(s->log) == 0)
        return 0;
    return report_error("train", EXIT_BAD_FILE, "%s cannot be written: %s; the weights are in %s", s->set.log,
                        strerror(errno), s->set.output);
}

/* Draws the completed epochs of this run and of earlier ones. */
static int draw_curves(const train_session *s)
{
    if (!s->set.plot || !s->record_count)
        return 0;
    return write_curves(s->set.plot, s->set.model, s->records, s->record_count) ? report_failure("train") : 0;
}

static int end_epoch(train_session *s)
{
    score tested;
    if (this_rank() > 0) /* rank 0 tests and writes; the others are ahead by less than a step */
        return save(s);
    int code = save(s); /* first, so that nothing that follows loses anything */
    if (!code && look_at(&s->t, s->test, 250, NULL, &tested))
        code = report_failure("train");
    if (!code)
        code = record(s, &tested);
    return code ? code : draw_curves(s);
}

/* Reports the node with the first NaN or infinity of the current step. */
static void tell_where(const train_session *s, const atl_feed *feeds)
{
    const atl_node *where = NULL;
    const atl_node *of = s->all_reduce ? s->t.trained.loss : s->t.step; /* of the last part on this rank */
    if (!s->set.find_nan)
        report_error("train", 0, "--find-nan tells at which node it began");
    else if (atl_find_non_finite((atl_node *)of, feeds, &where))
        report_error("train", 0, "--find-nan: %s", atl_error());
    else if (where)
        report_error("train", 0, "it began at '%s' (%s)", atl_name_of(where), atl_op_of(where)->name);
}

/* Prints the library's message without hints for programmers. */
static void tell_failed_step(const train_session *s)
{
    const char *text = atl_error(), *hint = strstr(text, "; atl_");
    report_error("train", 0, "step %lld: %.*s", (long long)s->done + 1, hint ? (int)(hint - text) : (int)strlen(text),
                 text);
}

/* A failed step has changed nothing, unless another rank was lost while its last gradients travelled: then nothing can
 * be saved.  The variables have the values after the previous step, which may itself have made one of them infinite. */
static int fail_step(train_session *s, atl_status status, const atl_feed *feeds)
{
    if (status == ATL_NOT_FINITE && this_rank() > 0) /* so it is on rank 0, which tells it */
        return EXIT_GOAL_NOT_MET;
    int is_nan = status == ATL_NOT_FINITE, failed = is_nan ? EXIT_GOAL_NOT_MET : exit_code_of(status);
    if (is_lost_rank(-1) && !speaks_for_all())
        return failed;
    end_progress(&s->progress);
    tell_failed_step(s);
    if (is_nan)
        tell_where(s, feeds);
    int code = save(s);
    if (!code)
        report_error("train", 0, "stopped; the weights from before that step are in %s", s->set.output);
    if (is_nan)
        report_error("train", 0, "a lower --rate helps, or --warm-up, or --clip-global-norm");
    int drawn = draw_curves(s);
    return failed != EXIT_GOAL_NOT_MET ? failed : code ? code : drawn ? drawn : failed;
}

static int stop(train_session *s)
{
    int code = save(s);
    end_progress(&s->progress);
    if (code || this_rank() > 0)
        return code ? code : EXIT_GOAL_NOT_MET;
    report_error("train", 0, "stopped after %lld of %lld steps; the weights are in %s", (long long)s->done,
                 (long long)s->steps, s->set.output);
    if (s->set.checkpoint)
        report_error("train", 0, "to go on: the same command with --resume %s", s->set.checkpoint);
    if (s->set.plot && !s->record_count)
        report_error("train", 0, "no epoch has come to its end, so there are no curves to draw");
    code = draw_curves(s);
    return code ? code : EXIT_GOAL_NOT_MET;
}

static int is_stopped(const train_session *s)
{
    int asked = s->all_reduce ? s->done > s->first && atl_scalar_of(s->t.train, s->t.mean_stop) > 0 : was_interrupted();
    return asked || (s->set.stop_after && s->done >= s->set.stop_after);
}

static int train(train_session *s)
{
    int code = 0;
    const net *n = &s->t.trained;
    s->started = seconds_now();
    while (!code && s->done < s->steps) {
        if (is_stopped(s))
            return stop(s);
        const atl_batch *batch = NULL;
        atl_status status = run_step(s, &batch);
        if (status && !batch)
            return report_failure("train");
        if (status)
            return fail_step(s, status, ATL_FEEDS({n->image, batch->images}, {n->labels, batch->labels}));
        tell_step(s, batch);
        if (batch->last || s->done == s->steps)
            code = end_epoch(s);
        else if (s->set.save_every && s->done % s->set.save_every == 0)
            code = save(s);
    }
    return code;
}

int atled_train(int argc, char **argv)
{
    train_session s = {.set = {.output = "weights.npz",
                               .epochs = 10,
                               .batch = 128,
                               .optimizer = OPTIMIZER_MOMENTUM,
                               .rate = NAN,
                               .momentum = NAN,
                               .rms_decay = 0.9,
                               .beta1 = 0.9,
                               .beta2 = 0.999,
                               .epsilon = 1e-8,
                               .schedule = SCHEDULE_COSINE,
                               .factor = 0.1,
                               .every = 10,
                               .decay = NAN,
                               .decay_all = NAN,
                               .seed = 1,
                               .deterministic = 1}};
    int code;
    if (read_train_options(&s.set, argc, argv, &code)) {
        s.progress = start_progress(s.set.quiet);
        code = start_session(&s);
        char *facts = code ? NULL : facts_of_session(&s, argc, argv);
        code = agree_on("train", code, facts);
        free(facts);
        if (!code) {
            catch_interrupts();
            code = begin_early_save(&s);
            code = code ? code : train(&s);
            end_early_save(&s);
            int end = end_compiling("train", &s.set.compile);
            code = code ? code : end;
        }
    }
    return end_session(&s, code);
}
