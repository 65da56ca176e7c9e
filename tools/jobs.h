/* Jobs that threads of their own do while the caller goes on.  Writing a file waits for the disk, so several threads
 * wait at the same time; but only some of them use a processor. */
#ifndef ATLED_TOOLS_JOBS_H
#define ATLED_TOOLS_JOBS_H

typedef struct job_queue job_queue;

/* Does a job, and frees it. */
typedef void do_job(void *context, void *job);

/* So many jobs may compute at the same time (between begin_computing and end_computing).  Null without memory or
 * threads: the error message is the caller's. */
job_queue *start_jobs(int computing, do_job *run, void *context);
/* Takes the job over; waits while many others have not been begun. */
void add_job(job_queue *q, void *job);
/* Waits until all jobs are done, ends the threads, and frees the queue; null is allowed. */
void finish_jobs(job_queue *q);

/* Around the part of a job that needs a processor. */
void begin_computing(job_queue *q);
void end_computing(job_queue *q);

#endif
