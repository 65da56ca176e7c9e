/* Files are complete or absent. */
#include "io/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "files/atomic_file.h"

TestSuite(atomic_file, .init = make_scratch, .fini = remove_scratch);

static void assert_holds(const char *path, const char *text)
{
    size_t size;
    unsigned char *bytes = read_file(path, &size);
    bytes[size] = '\0';
    cr_assert_str_eq((char *)bytes, text);
    free(bytes);
}

static atl_atomic_file *begin(const char *path)
{
    atl_atomic_file *file;
    cr_assert_eq(atl_atomic_open(&file, path), ATL_OK, "%s", atl_error());
    return file;
}

Test(atomic_file, commit_replaces)
{
    write_file(in_scratch("a"), "old", 3);
    atl_atomic_file *file = begin(in_scratch("a"));
    fputs("new and longer", atl_atomic_stream(file));
    fflush(atl_atomic_stream(file));
    assert_holds(in_scratch("a"), "old");
    cr_assert_eq(atl_atomic_commit(file), ATL_OK, "%s", atl_error());
    assert_holds(in_scratch("a"), "new and longer");
    cr_assert_eq(files_in_scratch(), 1);
}

Test(atomic_file, abandon_leaves_the_old_file)
{
    write_file(in_scratch("a"), "old", 3);
    atl_atomic_file *file = begin(in_scratch("a"));
    fputs("new", atl_atomic_stream(file));
    atl_atomic_abandon(file);
    atl_atomic_abandon(NULL);
    assert_holds(in_scratch("a"), "old");
    cr_assert_eq(files_in_scratch(), 1);
}

Test(atomic_file, two_at_once)
{
    atl_atomic_file *first = begin(in_scratch("a")), *second = begin(in_scratch("a"));
    fputs("first", atl_atomic_stream(first));
    fputs("second", atl_atomic_stream(second));
    cr_assert_eq(atl_atomic_commit(second), ATL_OK);
    cr_assert_eq(atl_atomic_commit(first), ATL_OK);
    assert_holds(in_scratch("a"), "first");
    cr_assert_eq(files_in_scratch(), 1);
}

Test(atomic_file, link_and_permissions_stay)
{
    struct stat about;
    write_file(in_scratch("real"), "old", 3);
    cr_assert_eq(chmod(in_scratch("real"), 0640), 0);
    cr_assert_eq(symlink("real", in_scratch("link")), 0);
    atl_atomic_file *file = begin(in_scratch("link"));
    fputs("new", atl_atomic_stream(file));
    cr_assert_eq(atl_atomic_commit(file), ATL_OK);
    assert_holds(in_scratch("real"), "new");
    cr_assert_eq(lstat(in_scratch("link"), &about), 0);
    cr_assert(S_ISLNK(about.st_mode));
    cr_assert_eq(stat(in_scratch("real"), &about), 0);
    cr_assert_eq(about.st_mode & 0777, 0640);
}

Test(atomic_file, long_name)
{
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    atl_atomic_file *file = begin(in_scratch(name));
    cr_assert_eq(atl_atomic_commit(file), ATL_OK, "%s", atl_error());
    assert_holds(in_scratch(name), "");
}

/* A full disk, simulated by a limit on the size of files, which needs no special disk. */
Test(atomic_file, full_disk)
{
    struct rlimit limit = {1000, 1000};
    write_file(in_scratch("a"), "old", 3);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    atl_atomic_file *file = begin(in_scratch("a"));
    for (int i = 0; i < 100000; i++)
        fputc('x', atl_atomic_stream(file));
    cr_assert_eq(atl_atomic_commit(file), ATL_BAD_FILE);
    assert_told("could not be written");
    assert_told("unchanged");
    assert_holds(in_scratch("a"), "old");
    cr_assert_eq(files_in_scratch(), 1);
}

Test(atomic_file, fail_tells_why)
{
    atl_atomic_file *file = begin(in_scratch("a"));
    cr_assert_eq(atl_atomic_fail(file, ATL_BAD_FILE, "the moon is full"), ATL_BAD_FILE);
    assert_told("the moon is full");
    cr_assert_eq(files_in_scratch(), 0);
}

Test(atomic_file, refusals)
{
    atl_atomic_file *file;
    cr_assert_eq(atl_atomic_open(&file, NULL), ATL_INVALID);
    cr_assert_null(file);
    cr_assert_eq(atl_atomic_open(&file, ""), ATL_INVALID);
    cr_assert_eq(atl_atomic_open(&file, scratch), ATL_BAD_FILE);
    assert_told("is a directory");
    cr_assert_eq(atl_atomic_open(&file, in_scratch("no/such")), ATL_BAD_FILE);
    assert_told("no such directory");
    cr_assert_null(file);
}

Test(atomic_file, write_protected)
{
    if (geteuid() == 0)
        cr_skip_test("root may write everything");
    atl_atomic_file *file;
    write_file(in_scratch("a"), "old", 3);
    cr_assert_eq(chmod(in_scratch("a"), 0400), 0);
    cr_assert_eq(atl_atomic_open(&file, in_scratch("a")), ATL_BAD_FILE);
    assert_holds(in_scratch("a"), "old");
}

/* A device is written directly: renaming over it would destroy it. */
Test(atomic_file, device)
{
    struct stat about;
    atl_atomic_file *file = begin("/dev/null");
    fputs("gone", atl_atomic_stream(file));
    cr_assert_eq(atl_atomic_commit(file), ATL_OK, "%s", atl_error());
    cr_assert_eq(stat("/dev/null", &about), 0);
    cr_assert(S_ISCHR(about.st_mode));
}

/* After a process was killed while it wrote, the next writer of that file removes its temporary file. */
Test(atomic_file, removes_what_the_killed_left_behind)
{
    write_file(in_scratch(".a.4711-0"), "half of a", 9);
    write_file(in_scratch(".b.4711-1"), "half of b", 9);
    atl_atomic_file *other = begin(in_scratch("a")), *file = begin(in_scratch("a"));
    cr_assert_neq(access(in_scratch(".a.4711-0"), F_OK), 0);
    cr_assert_eq(access(in_scratch(".b.4711-1"), F_OK), 0);
    fputs("other", atl_atomic_stream(other));
    cr_assert_eq(atl_atomic_commit(file), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_atomic_commit(other), ATL_OK, "%s", atl_error());
    assert_holds(in_scratch("a"), "other");
    cr_assert_eq(files_in_scratch(), 2);
}

static void assert_written_through(const char *link, const char *target)
{
    struct stat about;
    atl_atomic_file *file = begin(in_scratch(link));
    fputs("new", atl_atomic_stream(file));
    cr_assert_eq(atl_atomic_commit(file), ATL_OK, "%s", atl_error());
    assert_holds(in_scratch(target), "new");
    cr_assert_eq(lstat(in_scratch(link), &about), 0);
    cr_assert(S_ISLNK(about.st_mode), "%s was replaced", link);
}

/* If the target of a link is missing, it is created, and the link stays. */
Test(atomic_file, link_to_nothing)
{
    atl_atomic_file *file;
    cr_assert_eq(symlink("later", in_scratch("relative")), 0);
    cr_assert_eq(symlink("relative", in_scratch("twice")), 0);
    cr_assert_eq(symlink(in_scratch("absent"), in_scratch("absolute")), 0);
    assert_written_through("twice", "later");
    assert_written_through("absolute", "absent");
    cr_assert_eq(symlink("no/such/folder", in_scratch("astray")), 0);
    cr_assert_eq(atl_atomic_open(&file, in_scratch("astray")), ATL_BAD_FILE);
    assert_told("no such directory");
    cr_assert_eq(symlink("circle", in_scratch("circle")), 0);
    cr_assert_eq(atl_atomic_open(&file, in_scratch("circle")), ATL_BAD_FILE);
}

/* Nobody reads the pipe: waiting for a reader could take for ever. */
Test(atomic_file, pipe_without_a_reader, .timeout = 20)
{
    atl_atomic_file *file;
    char text[16] = "";
    cr_assert_eq(mkfifo(in_scratch("pipe"), 0600), 0);
    cr_assert_eq(atl_atomic_open(&file, in_scratch("pipe")), ATL_BAD_FILE);
    assert_told("nobody reads");
    int reader = open(in_scratch("pipe"), O_RDONLY | O_NONBLOCK);
    file = begin(in_scratch("pipe"));
    fputs("through", atl_atomic_stream(file));
    cr_assert_eq(atl_atomic_commit(file), ATL_OK, "%s", atl_error());
    cr_assert_eq(read(reader, text, sizeof text), 7);
    cr_assert_str_eq(text, "through");
    close(reader);
    cr_assert_eq(files_in_scratch(), 1);
}

Test(atomic_file, bytes_at_once)
{
    cr_assert_eq(atl_write_bytes(in_scratch("a"), "some", 4), ATL_OK, "%s", atl_error());
    assert_holds(in_scratch("a"), "some");
    cr_assert_eq(atl_write_bytes(in_scratch("a"), NULL, 0), ATL_OK, "%s", atl_error());
    assert_holds(in_scratch("a"), "");
    cr_assert_eq(atl_write_bytes(in_scratch("a"), NULL, 4), ATL_INVALID);
    cr_assert_eq(atl_write_bytes(NULL, "some", 4), ATL_INVALID);
    cr_assert_eq(atl_write_bytes("/dev/full", "some", 4), ATL_BAD_FILE);
    assert_told("/dev/full");
    cr_assert_eq(files_in_scratch(), 1);
}

Test(atomic_file, links_in_a_circle)
{
    atl_atomic_file *file;
    cr_assert_eq(symlink("b", in_scratch("a")), 0);
    cr_assert_eq(symlink("a", in_scratch("b")), 0);
    cr_assert_eq(atl_atomic_open(&file, in_scratch("a")), ATL_BAD_FILE);
    assert_told(strerror(ELOOP));
    cr_assert_null(file);
    cr_assert_eq(files_in_scratch(), 2);
}

Test(atomic_file, names_that_are_too_long)
{
    char name[PATH_MAX + 100];
    atl_atomic_file *file;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    cr_assert_eq(atl_atomic_open(&file, name), ATL_BAD_FILE);
    assert_told("a path of 4195 characters is too long");
    /* A link to a file that is not there, whose name is too long only behind the link's folder. */
    memset(name, '/', sizeof name - 1);
    memcpy(name, "no", 2);
    name[PATH_MAX - 2] = '\0';
    cr_assert_eq(symlink(name, in_scratch("a")), 0);
    cr_assert_eq(atl_atomic_open(&file, in_scratch("a")), ATL_BAD_FILE);
    cr_assert_eq(files_in_scratch(), 1);
}

/* What can be written only when the stream is flushed, and a name that meanwhile belongs to a folder. */
Test(atomic_file, the_end_fails)
{
    if (access("/dev/full", W_OK) == 0) {
        atl_atomic_file *full = begin("/dev/full");
        fputs("little", atl_atomic_stream(full));
        cr_assert_eq(atl_atomic_commit(full), ATL_BAD_FILE);
        assert_told(strerror(ENOSPC));
    }
    atl_atomic_file *file = begin(in_scratch("a"));
    fputs("new", atl_atomic_stream(file));
    cr_assert_eq(mkdir(in_scratch("a"), 0777), 0);
    cr_assert_eq(atl_atomic_commit(file), ATL_BAD_FILE);
    assert_told(strerror(EISDIR));
    cr_assert_eq(rmdir(in_scratch("a")), 0);
    cr_assert_eq(files_in_scratch(), 0);
}
