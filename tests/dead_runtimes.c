/* LLVM's OpenMP runtime keeps a small file in shared memory, named by its process, from its first parallel region on.
 * A process that is killed leaves it behind, perhaps empty; a later process of the same number then dies of a bus
 * error. What this finds is such a file, for it runs before the process's own runtime starts. */
#ifdef __clang__
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((constructor)) static void remove_what_a_dead_process_left(void)
{
    char name[64];
    snprintf(name, sizeof name, "/__KMP_REGISTERED_LIB_%d_%d", (int)getpid(), (int)getuid());
    shm_unlink(name);
}
#else
typedef int no_such_runtime;
#endif
