# null_calls.awk HEADER...: for every public function, writes calls with a null pointer for each pointer argument in
# turn and for all at once, as C text for test_null_arguments.c.  The pointers and lists in a struct of options are made
# null in turn, too: once with every number zero and once with every number 1.  GOOD_type stands for an argument that is
# not null; a type without one does not compile, so no public function is left out.
function trim(s) { gsub(/^ +| +$/, "", s); return s }
function mangled(type) {
    gsub(/const|struct/, "", type)
    gsub(/\*/, " p ", type)
    gsub(/ +/, "_", type)
    gsub(/^_|_$/, "", type)
    return type
}
function is_list(type) { return type == "atl_nodes" }
# Lets kind[], name[] be those of the declarators in "type a, *b, c[2]"; returns how many.
function declarators(field, kind, name, array,    n, i, parts, base, one) {
    n = split(field, parts, ",")
    for (i = 1; i <= n; i++) {
        one = trim(parts[i])
        array[i] = one ~ /\[/
        sub(/\[.*/, "", one)
        match(one, /[A-Za-z0-9_]+$/)
        name[i] = substr(one, RSTART)
        kind[i] = trim(substr(one, 1, RSTART - 1))
        if (i == 1) {
            base = kind[i]
            gsub(/\*| +$/, "", base)
        } else
            kind[i] = base " " kind[i]
    }
    return n
}
# Writes a function that makes options with all pointers set but number `null`; returns the number of pointers.
function define_options(type, body,    n, i, j, m, fields, kind, name, array, pointers) {
    print "static " type " options_" type "(int null, int number)\n{"
    print "    " type " o;\n    memset(&o, 0, sizeof o);\n    (void)number;\n    (void)null;"
    n = split(body, fields, ";")
    pointers = 0
    for (i = 1; i <= n; i++) {
        if (trim(fields[i]) == "" || fields[i] ~ /\(/)
            continue
        m = declarators(trim(fields[i]), kind, name, array)
        for (j = 1; j <= m; j++) {
            if (name[j] ~ /_$/)
                continue
            if (kind[j] ~ /\*/ || is_list(kind[j]))
                print "    if (null != -2 && null != " pointers++ ")\n        o." name[j] (array[j] ? "[0]" : "") \
                      " = GOOD_" mangled(kind[j]) ";" \
                      (is_list(kind[j]) ? "\n    else\n        o." name[j] " = (atl_nodes){2, NULL};" : "")
            else if (!array[j] && kind[j] ~ /^(bool|int|int32_t|int64_t|uint64_t|unsigned|float|double)$/)
                print "    o." name[j] " = number ? 1 : 0;"
        }
    }
    print "    return o;\n}"
    return pointers
}
{
    line = $0
    sub(/\r$/, "", line)
    if (line ~ /^#/ || in_macro) {
        in_macro = line ~ /\\$/
        next
    }
    text = text " " line
}
END {
    while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//))
        text = substr(text, 1, RSTART - 1) " " substr(text, RSTART + RLENGTH)
    gsub(/[ \t]+/, " ", text)
    rest = text
    while (match(rest, /typedef struct atl_[a-z0-9_]+ \{[^{}]*\}/)) {
        whole = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        split(whole, words, " ")
        sub(/^[^{]*\{/, "", whole)
        sub(/\}$/, "", whole)
        body[words[3]] = whole
    }
    count = split(text, statements, ";")
    calls = ""
    for (s = 1; s <= count; s++) {
        if (!match(statements[s], /ATL_API /))
            continue
        statement = substr(statements[s], RSTART + 8)
        sub(/ATL_PRINTF\(.*/, "", statement)
        match(statement, /atl_[a-z0-9_]+ ?\(/)
        f = substr(statement, RSTART, RLENGTH - 1)
        sub(/ $/, "", f)
        returned = trim(substr(statement, 1, RSTART - 1))
        arguments = substr(statement, RSTART + RLENGTH)
        sub(/\) *$/, "", arguments)
        n = split(arguments, given, ",")
        pointers = 0
        options = 0
        for (i = 1; i <= n; i++) {
            type[i] = trim(given[i])
            if (type[i] == "..." || type[i] == "void")
                continue
            if (match(type[i], /[A-Za-z0-9_]+(\[[^\]]*\])?$/)) {
                if (type[i] ~ /\]$/)
                    type[i] = trim(substr(type[i], 1, RSTART - 1)) " *"
                else
                    type[i] = trim(substr(type[i], 1, RSTART - 1))
            }
            if (type[i] ~ /\*/ || is_list(type[i]))
                pointer[++pointers] = i
            struct_name = mangled(type[i])
            sub(/_p$/, "", struct_name)
            if (type[i] ~ /^const/ && struct_name in body && struct_name ~ /_args$|^atl_optimizer$/) {
                options = i
                if (!(struct_name in defined)) {
                    defined[struct_name] = 1
                    fields_of[struct_name] = define_options(struct_name, body[struct_name])
                }
            }
        }
        for (k = 0; k <= pointers && pointers; k++)
            calls = calls call(f, returned, n, k, "")
        if (options) {
            struct_name = mangled(type[options])
            sub(/_p$/, "", struct_name)
            for (number = 0; number < 2; number++)
                for (k = -2; k < fields_of[struct_name]; k++) # -2: all are null, -1: none is
                    calls = calls call(f, returned, n, -1, "OPTIONS(" struct_name ", " k ", " number ")")
        }
    }
    print "static void make_all_calls(void)\n{\n" calls "}"
}
# One call; null: which of the pointers is null, counted from 1, 0: all; -1: none, and the options are as given.
function call(f, returned, n, null, with,    i, text, separator, k) {
    k = 0
    text = ""
    separator = ""
    for (i = 1; i <= n; i++) {
        if (type[i] == "..." || type[i] == "void")
            continue
        is_pointer = type[i] ~ /\*/ || is_list(type[i])
        k += is_pointer
        if (i == options && with != "")
            text = text separator with
        else if (is_pointer && (null == 0 || null == k))
            text = text separator (is_list(type[i]) ? "(atl_nodes){2, NULL}" : "(" type[i] ")nothing")
        else
            text = text separator "GOOD_" mangled(type[i])
        separator = ", "
    }
    return "    " (returned == "void" ? "CALL_VOID" : "CALL") "(" f "(" text "));\n"
}
