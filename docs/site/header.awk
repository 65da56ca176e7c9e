# header.awk HEADER: a public header for Doxygen on standard output, with every comment that belongs to a declaration
# marked as its documentation, and what follows from a function's type: errors and ownership.  On standard error, and
# with exit code 1: each public function without words of its own, and each maker of nodes or tensors that tells no
# shapes.
#
# A comment above a declaration, or behind it, is its documentation.  Declarations that follow without an empty line or
# a comment of their own share it.  A function may lack one if the list of ops (-v ops=FILE) tells what it does.
# -v frees="TYPE FUNCTION ..." tells what frees a type.
BEGIN {
    count = split(frees, word, " ")
    for (i = 1; i < count; i += 2)
        free_function[word[i]] = word[i + 1]
    while (ops != "" && (getline line < ops) > 0)
        if (line !~ /^#/ && match(line, /^[a-z0-9_]+ +/)) {
            name = line
            sub(/ .*/, "", name)
            formula[name] = substr(line, RLENGTH + 1)
        }
}

function escaped(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/[<>@#%*|]/, "\\\\&", text)
    gsub(/et al\. /, "et al.\\ ", text) # not the end of a sentence
    return text
}

# The words of a comment, without its marks; lines indented by four or more stay as code.
function words_of(comment,    n, i, lines, text, line, was_code) {
    sub(/^[ \t]*\/\*/, "", comment)
    sub(/\*\/[ \t]*$/, "", comment)
    n = split(comment, lines, "\n")
    for (i = 1; i <= n; i++) {
        line = lines[i]
        sub(/^[ \t]*\*( |$)/, "", line)
        if (i == 1)
            sub(/^ /, "", line)
        if (line ~ /^    / && i > 1) {
            text = text (was_code ? "" : "\n@code{.c}\n") line "\n"
            was_code = 1
        } else if (was_code && line !~ /^[ \t]*$/) {
            text = text "@endcode\n" escaped(line) "\n"
            was_code = 0
        } else
            text = text (was_code ? line : escaped(line)) "\n"
    }
    return text (was_code ? "@endcode\n" : "")
}

# What a function's type says, by the conventions of atled.h, where its own words do not.
function conventions(declaration, name, own,    result, type) {
    result = declaration
    sub(/^ATL_(MPI_)?API /, "", result)
    sub(name "\\(.*", "", result)
    type = result
    gsub(/[ *]/, "", type)
    if (result ~ /\*/ && result !~ /^(const )?atl_node / && own ~ /belongs to|freed with/)
        return "@par Errors and ownership\nWhat is returned is freed as told above. Null on failure.\n"
    if (result ~ /char \*/ && declaration ~ /char \*[a-z]+_out[,)]/)
        return "@par Errors and ownership\nReturns the text that the caller gave, which stays the caller's.\n"
    if (result ~ /^atl_node \*/)
        return "@par Errors and ownership\nThe node belongs to its graph. Null if an argument is null or invalid; " \
               "the graph keeps the first error.\n"
    if (result ~ /^atl_status/)
        return "@par Errors\nReturns #ATL_OK, or another status with the message in atl_error().\n"
    if (result ~ /^const .*\*/)
        return "@par Errors and ownership\nWhat is returned belongs to the library: do not free it. Null, or an " \
               "empty text, if there is none.\n"
    if (result ~ /\*/ && (!(type in free_function) || declaration ~ /\(const atl_node \*/))
        return "@par Errors and ownership\nDo not free what is returned: it lives as long as the argument. Null " \
               "if the argument is null or has no such thing.\n"
    if (result ~ /\*/)
        return "@par Errors and ownership\nThe caller frees what is returned, by " free_function[type] "(). Null on " \
               "failure, with the message in atl_error().\n"
    if (result ~ /^(void|bool|int|int64_t|uint64_t|size_t|float|double|atl_[a-z_]+) /)
        return "@par Errors and ownership\nNothing is to be freed. Null arguments change nothing; the result for " \
               "them is 0 or empty, if no other is told above.\n"
    return ""
}

function complain(text) {
    printf "%s: %s\n", FILENAME, text > "/dev/stderr"
    failed = 1
}

# Declarations that tell shapes: [n, h], a scalar, "element", or the shape of something.
function tells_shapes(text) {
    if (text ~ /\[[^\]]*\]|[Ss]calar|[Ee]lement|shape|size|one loss|image|dimension|like |row|axis|axes/)
        return 1
    # A node that is there already, or a rule whose result has the shape of dy.
    return text ~ /[Rr]eturns[ \n](x|the node|null|it)|[Pp]asses|full name|forward node|in order of creation|Jacobian/
}

function finish_function(declaration, own,    name, text, op) {
    name = declaration
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    op = name
    sub(/^atl_/, "", op)
    sub(/_with$/, "", op)
    text = own
    if (text == "" && shared != "")
        text = shared
    if (op in formula)
        text = text "\n@par Formula\n@verbatim\n" formula[op] "\n@endverbatim\nSee \\ref op_" op " for its gradient.\n"
    if (text == "")
        complain(name " has no comment")
    if (declaration ~ /^ATL_API (atl_node|(const )?atl_tensor) \*/ && !tells_shapes(text section declaration about))
        complain(name " says nothing about shapes")
    if (conventions(declaration, name, text) == "")
        complain(name " returns a type whose errors and ownership no convention tells")
    printf "/** %s\n%s*/\n%s\n", text, conventions(declaration, name, text), declaration
}

# A comment, from its first line to its last.
function read_comment(    text) {
    text = $0
    while (text !~ /\*\// && (getline) > 0)
        text = text "\n" $0
    return text
}

function trailing(line,    at) {
    at = index(line, "/*")
    return at ? substr(line, at) : ""
}
function before(line,    at) {
    at = index(line, "/*")
    return at ? substr(line, 1, at - 1) : line
}

{ sub(/\r$/, "") }

/^[ \t]*\/\*/ {
    comment = read_comment()
    if (!about) {
        about = words_of(comment)
        printf "/** @file\n%s*/\n", about
        next
    }
    if (comment ~ /^\/\* ----/) {
        section = comment
        sub(/^\/\* -+ */, "", section)
        sub(/ *-+( \*\/)?$/, "", section)
        if (comment ~ /\n/) {
            section = comment
            gsub(/\n \* ?/, " ", section)
            gsub(/-----*|\/\*|\*\//, "", section)
        }
        gsub(/^ +| +$/, "", section)
        pending = shared = ""
        next
    }
    if (depth)
        printf "/** %s*/\n", words_of(comment)
    else {
        pending = words_of(comment)
        shared = ""
    }
    next
}

/^$/ {
    if (!depth)
        pending = shared = struct_words = ""
    print
    next
}

/^ATL_(MPI_)?API / {
    declaration = before($0)
    comment = trailing($0)
    while (declaration !~ /;[ \t]*$/ && (getline) > 0) {
        sub(/[ \t]+$/, "", declaration)
        line = $0
        sub(/^[ \t]*/, " ", line)
        declaration = declaration before(line)
        comment = comment trailing(line)
    }
    while (comment != "" && comment !~ /\*\// && (getline) > 0)
        comment = comment "\n" $0
    if (pending != "")
        shared = pending
    pending = ""
    finish_function(declaration, comment == "" ? "" : shared words_of(comment))
    next
}

# The macros that call a function with its options.
/^#define atl_[a-z0-9_]+\(/ {
    line = $0
    while (line ~ /\\$/ && (getline) > 0)
        line = line "\n" $0
    name = line
    sub(/^#define /, "", name)
    sub(/\(.*/, "", name)
    target = name "_with"
    text = pending != "" ? pending : "Calls " (line ~ target ? target "()" : "the function of that name") \
           ", with the fields of its options written in the call: first those that every call needs, then others by " \
           "name.\n"
    if (pending != "")
        shared = pending
    pending = ""
    printf "/** %s*/\n%s\n", text, line
    next
}

/^#define ATL_/ || /^typedef / || /^enum / || /^struct / {
    if (pending != "")
        struct_words = pending
    if (/^#define/ && pending != "")
        shared = pending
    if (pending != "")
        printf "/** %s*/\n", pending
    else if (/^#define ATL_[A-Z_0-9]+_(\(| |$)/)
        ;
    else if (!/^typedef struct atl_[a-z_]+ atl_[a-z_]+;/)
        printf "/** %s */\n", section != "" ? escaped(section) : "Part of this header."
    pending = ""
}

{
    line = $0
    opens = gsub(/\{/, "{", line)
    closes = gsub(/\}/, "}", line)
    if (!/^#/ && (depth > 0 || /^(typedef|enum|struct)/)) # not those of extern "C"
        depth += opens - closes
    if (!depth && closes && /^}/ && struct_words != "") # the options' words are those of their function, too
        shared = struct_words
    text = before($0)
    comment = trailing($0)
    if (comment != "" && text !~ /^[ \t]*$/ && !/^#/) {
        while (comment !~ /\*\// && (getline) > 0)
            comment = comment "\n" $0
        words = words_of(comment)
        sub(/\n$/, " ", words)
        printf "%s /**< %s*/\n", text, words
    } else
        print
}

END { exit failed }
