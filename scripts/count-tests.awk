# From the log of `ctest -V`, one tab-separated line a fact: "passed NAME COUNT", "failed NAME COUNT", "skipped NAME WHY".
# Test cases are counted by Catch2's own summary; a program without one counts as one test. A test that prints
# "SKIPPED: why" counts as skipped, not as passed.
function first_number(text) { match(text, /[0-9]+/); return substr(text, RSTART, RLENGTH) + 0 }
function before_word(text, word) {  # the number right before a word, 0 when it is not there
    if (!match(text, "[0-9]+ " word)) return 0
    return first_number(substr(text, RSTART, RLENGTH))
}
BEGIN { OFS = "\t" }
/^[0-9]+: / {
    id = first_number($1)
    line = $0
    sub(/^[0-9]+: /, "", line)
    if (line ~ /^All tests passed \(/) { good[id] += before_word(line, "test case"); summary[id] = 1 }
    if (line ~ /^test cases: /) {
        good[id] += before_word(line, "passed")
        bad[id] += before_word(line, "failed")
        summary[id] = 1
    }
    if (line ~ /^ *SKIPPED: /) { sub(/^ *SKIPPED: /, "", line); reasons[id, ++skipped[id]] = line }
}
/^ *[0-9]+\/[0-9]+ +Test +#[0-9]+: / {
    match($0, /#[0-9]+/)
    id = substr($0, RSTART + 1, RLENGTH - 1) + 0
    name = $0
    sub(/^.*#[0-9]+: /, "", name)
    outcome = name
    sub(/ .*$/, "", name)
    for (i = 1; i <= skipped[id]; i++) print "skipped", name, reasons[id, i]
    if (outcome ~ /\*\*\*Skipped/) {
        if (!skipped[id]) print "skipped", name, "it gave no reason"
    } else if (outcome ~ / Passed /) {
        count = summary[id] ? good[id] - skipped[id] : 1
        if (count > 0) print "passed", name, count
    } else {
        if (good[id] > 0) print "passed", name, good[id]
        print "failed", name, (bad[id] > 0 ? bad[id] : 1)
    }
}
