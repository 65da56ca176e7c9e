/* Rejects what is not a readable file. */
#include "io/scratch.h"

#include <sys/stat.h>

#include "files/input_file.h"

TestSuite(input_file, .init = make_scratch, .fini = remove_scratch);

static atl_status open_it(const char *path)
{
    int64_t size = -1;
    FILE *stream;
    atl_status status = atl_open_input(path, "an array", &stream, &size);
    cr_assert_eq(stream == NULL, status != ATL_OK);
    if (stream)
        fclose(stream);
    return status;
}

Test(input_file, gives_the_size)
{
    int64_t size;
    FILE *stream;
    write_file(in_scratch("a"), "hello", 5);
    cr_assert_eq(atl_open_input(in_scratch("a"), "an array", &stream, &size), ATL_OK);
    cr_assert_eq(size, 5);
    cr_assert_eq(fgetc(stream), 'h');
    fclose(stream);
}

Test(input_file, missing)
{
    cr_assert_eq(open_it(in_scratch("nothing")), ATL_BAD_FILE);
    assert_told("there is no file");
    assert_told("nothing");
    assert_told("an array");
    write_file(in_scratch("a"), "hello", 5);
    cr_assert_eq(open_it(in_scratch("a/below")), ATL_BAD_FILE);
    assert_told("there is no file");
}

Test(input_file, no_path)
{
    cr_assert_eq(open_it(NULL), ATL_INVALID);
    cr_assert_eq(open_it(""), ATL_INVALID);
}

Test(input_file, directory)
{
    cr_assert_eq(open_it(scratch), ATL_BAD_FILE);
    assert_told("is a directory");
}

Test(input_file, empty)
{
    write_file(in_scratch("empty"), "", 0);
    cr_assert_eq(open_it(in_scratch("empty")), ATL_BAD_FILE);
    assert_told("is empty");
}

Test(input_file, pipe_is_not_waited_for, .timeout = 10)
{
    cr_assert_eq(mkfifo(in_scratch("pipe"), 0600), 0);
    cr_assert_eq(open_it(in_scratch("pipe")), ATL_BAD_FILE);
    assert_told("is a pipe");
}
