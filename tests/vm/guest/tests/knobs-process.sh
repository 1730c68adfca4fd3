# shellcheck shell=bash
# Knobs of a process of another user, under the packaged unit: oom_score_adj, nice and affinity of a Go program and of a
# child that it starts afterwards; all are put back.
# timeout: 120
[[ $(nproc) -ge 2 ]] || skip "one CPU: there is nothing to pin to"
oom_of() { cat "/proc/$1/oom_score_adj"; }
nice_of() { sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 17; }
cpus_of() { sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "/proc/$1/status"; }
all_of() { echo "$(oom_of "$1") $(nice_of "$1") $(cpus_of "$1")"; }
# Of every thread: nice and affinity are a thread's own.
threads_of() { for task in "/proc/$1/task"/*; do echo "$(nice_of "$1/task/${task##*/}") $(cpus_of "$1/task/${task##*/}")"; done | sort -u; }

service forker -p User=web -- "$(workload forker)"
eventually 10 "it runs" service_said forker '"ready"'
pid=$(service_pid forker)
before=$(all_of "$pid")
rules <<'YAML'
version: 1
targets:
  forker: {match: {unit: vmtest-forker.service}}
rules:
  - name: set-process
    scope: process
    targets: [forker]
    when: fd.used > 0
    adjust:
      - {knob: process.oom_score_adj, to: 300}
      - {knob: process.nice, to: -5}
      - {knob: cpu.affinity, to: 0}
    mode: enforce
YAML
settings 'adjust: {on_stop: lease}'
start_gotuned
eventually 20 "the change is kept" adjustment_is set-process kept
expect_equal "the process has it" "$(all_of "$pid")" "300 -5 0"
expect_equal "every thread has it" "$(threads_of "$pid")" "-5 0"
kill -USR1 "$pid"
eventually 10 "it starts a child" service_said forker '"child"'
child=$(service_log forker | jq -r 'select(.event == "child").pid')
expect_equal "the child inherits it" "$(all_of "$child")" "300 -5 0"
expect "all is undone when asked" gotunectl undo --all
expect_equal "the process has what it had" "$(all_of "$pid")" "$before"
expect_equal "every thread, too" "$(threads_of "$pid")" "${before#* }"
expect_equal "and the child" "$(all_of "$child")" "$before"

# Without a daemon it is put back as well, by gotuned-undo.service.
stop_gotuned
rm -f /run/gotuned/journal.db*  # and with it the cooldown
start_gotuned
eventually 20 "it is set again" adjustment_is set-process kept
expect_equal "the process has it again" "$(oom_of "$pid")" 300
stop_gotuned
expect "the undo of the lease works" systemctl start gotuned-undo.service
expect_equal "the process has what it had, again" "$(all_of "$pid")" "$before"
