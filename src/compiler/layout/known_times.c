/* Measured times of the algorithms that compute a node, by a description of the node.  A file of times has the same
 * content as text: a first line that names the format, then one line per time. */
#include "compiler/layout/known_times.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h> /* strtoll */
#include <string.h>

#include "atled/program.h"
#include "graph/graph.h" /* uthash that does not exit when memory runs out */
#include "graph/memory.h"
#include "files/atomic_file.h"
#include "files/input_file.h"

typedef struct known_time {
    double seconds;
    int unhashed; /* set by uthash when memory runs out */
    UT_hash_handle hh;
    char key[];
} known_time;

/* Lives until the process ends. */
static struct {
    pthread_mutex_t lock;
    known_time *times; /* uthash by key, in the order of insertion */
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static known_time *find(const char *key)
{
    known_time *found;
    HASH_FIND_STR(known.times, key, found);
    return found;
}

double atl_known_time(const char *key)
{
    pthread_mutex_lock(&known.lock);
    const known_time *found = find(key);
    double seconds = found ? found->seconds : -1;
    pthread_mutex_unlock(&known.lock);
    return seconds;
}

static int add(const char *key, double seconds)
{
    size_t length = strlen(key);
    known_time *added = atl_allocate(1, sizeof *added + length + 1);
    if (!added)
        return 0;
    added->seconds = seconds;
    memcpy(added->key, key, length + 1);
    HASH_ADD_KEYPTR(hh, known.times, added->key, length, added);
    int failed = added->unhashed;
    if (failed)
        atl_release(added);
    return !failed;
}

int atl_remember_time(const char *key, double seconds)
{
    pthread_mutex_lock(&known.lock);
    int ok = find(key) != NULL || add(key, seconds);
    pthread_mutex_unlock(&known.lock);
    if (!ok)
        atl_out_of_memory();
    return ok;
}

void atl_forget_times(void)
{
    known_time *time, *next;
    pthread_mutex_lock(&known.lock);
    HASH_ITER(hh, known.times, time, next)
    {
        HASH_DEL(known.times, time);
        atl_release(time);
    }
    pthread_mutex_unlock(&known.lock);
}

enum { LONGEST = 1000000000 }; /* seconds */

/* ---- files ------------------------------------------------------------------------------------------------------- */

static const char first_line[] = "atled timing 1: nanoseconds, op, attributes, shapes, threads, algorithm";

/* Reads the next line without its end, "\n" or "\r\n".  Returns 0 at the end of the file or if reading fails.  A line
 * that does not fit into `line` is cut, which makes it too long for a key. */
static int read_line(FILE *file, char *line, int size)
{
    if (!fgets(line, size, file))
        return 0;
    size_t length = strlen(line);
    if (length && line[length - 1] == '\n')
        line[--length] = '\0';
    if (length && line[length - 1] == '\r')
        line[--length] = '\0';
    return 1;
}

/* Parses "1234 conv2d ..." and returns the key, or null if the line has another form. */
static const char *parse_time(const char *line, double *seconds_out)
{
    char *end;
    long long nanoseconds = strtoll(line, &end, 10);
    if (end == line || *end != ' ' || nanoseconds < 0)
        return NULL;
    const char *key = end + strspn(end, " ");
    *seconds_out = (double)nanoseconds * 1e-9;
    return *key && *seconds_out < LONGEST && strlen(key) < ATL_LONGEST_TIME_KEY ? key : NULL;
}

static atl_status read_times(FILE *file, const char *path)
{
    char line[ATL_LONGEST_TIME_KEY + 64];
    double seconds;
    if (!read_line(file, line, sizeof line) || strcmp(line, first_line) != 0)
        return atl_set_error(ATL_BAD_FILE, "'%s' holds no times: its first line is not \"%s\"", path, first_line);
    for (int64_t number = 2; read_line(file, line, sizeof line); number++) {
        const char *key = parse_time(line, &seconds);
        if (!key)
            return atl_set_error(ATL_BAD_FILE,
                                 "'%s': line %" PRId64 ", \"%.40s\", is no time: remove the line, or the file", path,
                                 number, line);
        if (!atl_remember_time(key, seconds))
            return ATL_OUT_OF_MEMORY;
    }
    return ferror(file) ? atl_set_error(ATL_BAD_FILE, "'%s' could not be read to its end", path) : ATL_OK;
}

atl_status atl_read_timing(const char *path)
{
    FILE *file;
    int64_t size;
    atl_status status = atl_open_input(path, "a file of times", &file, &size);
    if (status)
        return status;
    status = read_times(file, path);
    fclose(file);
    return status;
}

atl_status atl_write_timing(const char *path)
{
    atl_atomic_file *file;
    known_time *time, *next;
    atl_status status = atl_atomic_open(&file, path);
    if (status)
        return status;
    FILE *stream = atl_atomic_stream(file);
    fprintf(stream, "%s\n", first_line);
    pthread_mutex_lock(&known.lock);
    HASH_ITER(hh, known.times, time, next)
    if (time->seconds < LONGEST) /* skips algorithms that could not be timed: their time is infinite */
        fprintf(stream, "%lld %s\n", llround(time->seconds * 1e9), time->key);
    pthread_mutex_unlock(&known.lock);
    return atl_atomic_commit(file);
}
