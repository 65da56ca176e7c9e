/* Temporary files of running writers stay; those of ended ones are removed. */
#include "files/temporary_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "graph/memory.h"
#include "io/scratch.h"

TestSuite(temporary_file, .init = make_scratch, .fini = remove_scratch);

static int is_there(const char *name)
{
    struct stat about;
    return lstat(in_scratch(name), &about) == 0;
}

Test(temporary_file, is_hidden_and_beside_the_target)
{
    char *first, *second;
    int a = atl_create_temporary(in_scratch("w.npz"), &first), b = atl_create_temporary(in_scratch("w.npz"), &second);
    cr_assert(a >= 0 && b >= 0);
    cr_assert_str_neq(first, second);
    cr_assert_eq(strncmp(first, in_scratch(".w.npz."), strlen(in_scratch(".w.npz."))), 0, "%s", first);
    close(a);
    close(b);
    atl_release(first);
    atl_release(second);
    cr_assert_eq(atl_create_temporary(in_scratch("no/such"), &first), -1);
    atl_release(first);
}

/* A descriptor closed without unlinking: what a killed process leaves. */
Test(temporary_file, of_the_dead_is_removed)
{
    char *dead, *alive;
    int a = atl_create_temporary(in_scratch("w.npz"), &dead), b = atl_create_temporary(in_scratch("w.npz"), &alive);
    close(a);
    atl_remove_dead_temporaries(in_scratch("w.npz"));
    cr_assert_neq(access(dead, F_OK), 0);
    cr_assert_eq(access(alive, F_OK), 0);
    close(b);
    atl_remove_dead_temporaries(in_scratch("w.npz"));
    cr_assert_eq(files_in_scratch(), 0);
    atl_release(dead);
    atl_release(alive);
}

Test(temporary_file, a_duplicate_of_the_descriptor_keeps_it_alive)
{
    char *path;
    int a = atl_create_temporary(in_scratch("w.npz"), &path), b = dup(a);
    close(a);
    atl_remove_dead_temporaries(in_scratch("w.npz"));
    cr_assert_eq(access(path, F_OK), 0);
    close(b);
    atl_release(path);
}

Test(temporary_file, of_a_long_name_is_removed)
{
    char name[256], *path;
    memset(name, 'n', 255);
    name[255] = 0;
    close(atl_create_temporary(in_scratch(name), &path));
    cr_assert_eq(files_in_scratch(), 1);
    atl_remove_dead_temporaries(in_scratch(name));
    cr_assert_eq(files_in_scratch(), 0);
    atl_release(path);
}

/* Files with other names, and files whose names only resemble ours. */
Test(temporary_file, others_are_left_alone)
{
    static const char *const names[] = {"w.npz",       ".w.npz",     ".w.npz.1",  ".w.npz.1-",  ".w.npz.-2",
                                        ".w.npz.1-2x", ".w.npz.x-2", "w.npz.1-2", ".v.npz.1-2", ".w.npz.backup"};
    enum { COUNT = sizeof names / sizeof *names };
    for (int i = 0; i < COUNT; i++)
        write_file(in_scratch(names[i]), "x", 1);
    cr_assert_eq(symlink("w.npz", in_scratch(".w.npz.3-4")), 0);
    cr_assert_eq(mkdir(in_scratch(".w.npz.5-6"), 0700), 0);
    cr_assert_eq(mkfifo(in_scratch(".w.npz.7-8"), 0600), 0);
    write_file(in_scratch(".w.npz.9-10"), "x", 1);
    atl_remove_dead_temporaries(in_scratch("w.npz"));
    for (int i = 0; i < COUNT; i++)
        cr_expect(is_there(names[i]), "%s", names[i]);
    cr_expect(is_there(".w.npz.3-4") && is_there(".w.npz.5-6") && is_there(".w.npz.7-8"));
    cr_expect_not(is_there(".w.npz.9-10"));
    atl_remove_dead_temporaries("no/such/folder/w.npz");
}
