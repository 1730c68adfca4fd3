# shellcheck shell=bash
# The demo of scripts/run: Go programs in trouble, a daemon that helps them, and a check that both sides saw it: the
# daemon's own history, and the programs themselves. Sourced by scripts/run, which gives ROOT, WORK, ctl and STOP.

began_at() { BEGAN=${EPOCHREALTIME/./}; }
elapsed() { printf '%5.1f s' "$(((${EPOCHREALTIME/./} - BEGAN) / 100000))e-1"; }
tell() { printf '[%s] %s\n' "$(elapsed)" "$*"; }
indent() { sed 's/^/             /'; }

# A session of its own for each: Ctrl-C is for the script, which ends them in order.
# workload NAME LOG ENVIRONMENT… -- ARGUMENT…: starts build/workloads/NAME; PID is its pid.
workload() {
    local name=$1 log=$2 environment=()
    shift 2
    while [[ $1 != -- ]]; do environment+=("$1"); shift; done
    shift
    setsid env "${environment[@]}" "$BUILD/workloads/$name" "$@" >"$log" 2>&1 &
    PID=$!
    started $PID
    for _ in {1..50}; do
        ! grep -qs '"ready"' "$log" || return 0
        sleep 0.1
    done
    cat "$log" >&2
    fail "the workload $name did not start"
}

# What the daemon could have changed, to be compared before and after: these processes' limits and affinity, and sysctls.
limits_and_affinity() {
    local pid task
    for pid in "$@"; do
        sed "s/^/pid $pid: /" "/proc/$pid/limits"
        for task in /proc/"$pid"/task/*; do
            sed -n "s/^Cpus_allowed_list:/pid $pid runs on/p" "$task/status" 2>/dev/null || true
        done | sort -u
    done
}
sysctls() { grep -rs . /proc/sys/vm /proc/sys/net/core /proc/sys/fs/file-max /proc/sys/fs/nr_open --exclude=stat_refresh --exclude=compact_memory --exclude=drop_caches || true; }

# The distinct CPU lists of a process's threads, as the kernel has them.
affinity_of() {
    local task
    for task in /proc/"$1"/task/*; do sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$task/status" 2>/dev/null || true; done | sort -u | paste -sd' '
}

# New entries of the daemon's history, oldest first, in words; LAST is the newest id that was told.
tell_history() {
    ctl --json history -n 100000 >"$WORK/history.new" 2>/dev/null || return 0
    mv "$WORK/history.new" "$WORK/history.json"
    local line id
    while IFS= read -r line; do
        id=${line%%$'\t'*}
        line=${line#*$'\t'}
        LAST=$id
        [[ -n $line ]] || continue
        tell "${line%%$'\t'*}"
        [[ $line != *$'\t'* || -z ${line#*$'\t'} ]] || printf '%b\n' "${line#*$'\t'}" | indent
    done < <(jq -r --argjson last "$LAST" '
        def words: . as $e | {
            planned: "rule \($e.rule) fires for \($e.target): \($e.knob) \($e.from) → \($e.to)",
            applied: "applied: \($e.knob) of \($e.target) is now \($e.to)",
            kept: "verified and kept: \($e.knob) of \($e.target) (\($e.reason))",
            undone: "undone: \($e.knob) of \($e.target) is \($e.to) again (\($e.reason))",
            undo_deferred: "undo deferred: \($e.knob) of \($e.target) (\($e.reason))",
            refused: "refused: \($e.rule) for \($e.target): \($e.reason)"
        }[$e.event] // "\($e.event): \($e.rule) \($e.target) \($e.knob) \($e.reason)";
        [.entries[] | select(.id > $last)] | sort_by(.id)[]
        | "\(.id)\t\(words | gsub("[\\n\\t]"; " "))\t\(if .event == "planned" then (.evidence | gsub("\\\\"; "\\\\\\\\") | gsub("\\n"; "\\n") | gsub("\\t"; " ")) else "" end)"' "$WORK/history.json")
}

# went_round RULE: the daemon's history holds one adjustment of the rule that was made, verified and undone by its own
# condition, in this order, with evidence.
went_round() {
    [[ -s $WORK/history.json ]] && jq -e --arg rule "$1" '
        [.entries[] | select(.rule == $rule and .adjustment > 0)] | group_by(.adjustment)
        | any(sort_by(.id) as $e
              | ($e | map(.event)) as $events
              | any($e[]; .evidence != "") and ($events | index("applied")) != null
              and ($events | index("kept")) > ($events | index("applied"))
              and ($events | index("undone")) > ($events | index("kept")))' "$WORK/history.json" >/dev/null
}
kept() { [[ -s $WORK/history.json ]] && jq -e --arg rule "$1" 'any(.entries[]; .rule == $rule and .event == "kept")' "$WORK/history.json" >/dev/null; }

# The last table that the daemon printed.
last_table() { awk '/^gotuned: metrics at/ { table = "" } { table = table $0 "\n" } END { printf "%s", table }' "$WORK/table"; }

# verdict TEXT COMMAND…: one line of the summary; counts what was not seen.
verdict() {
    local text=$1
    shift
    if "$@"; then printf '  seen      %s\n' "$text"; else
        printf '  NOT SEEN  %s\n' "$text"
        UNSEEN=$((UNSEEN + 1))
    fi
}
limit_raised() { jq -se 'map(select(.event == "limit")) | length > 0 and .[0].soft > .[0].before' "$WORK/fdlimit.log" >/dev/null; }
limit_back() { jq -se 'map(select(.event == "limit")) | .[0].before as $original | length > 1 and .[-1].soft == $original' "$WORK/fdlimit.log" >/dev/null; }
ran_full() { jq -se 'any(.[]; .event == "full" and .emfile_accept + .emfile_dial > 0)' "$WORK/fdlimit.log" >/dev/null; }
hog_moved() { (("$(sort -u "$WORK/affinity" | wc -l)" > 1)); }
hog_back() { [[ $(tail -n 1 "$WORK/affinity") == "$(head -n 1 "$WORK/affinity")" ]]; }
found() { [[ -s $WORK/status.json ]] && jq -e --argjson pid "$1" 'any(.processes[]; .pid == $pid)' "$WORK/status.json" >/dev/null; }

run_demo() {
    local seconds=$1 server hog fdlimit address daemon status=0 quiet_at=0 known=no now
    shift
    LAST=0 UNSEEN=0
    if ((seconds > 0 && seconds < 35)); then note "the whole round takes about 30 s: with --for ${seconds}s it will not be seen to its end"; fi
    workload httpserver "$WORK/httpserver.log" -- -listen 127.0.0.1:0
    server=$PID
    address=$(jq -r 'select(.event == "ready").listen' "$WORK/httpserver.log")
    # About a thousand requests a second: a load that leaves CPU time for others, were there no hogs.
    echo 'function delay() return 4 end' >"$WORK/paced.lua"
    setsid wrk -t1 -c4 -d86400s -s "$WORK/paced.lua" "http://$address/" >"$WORK/wrk.log" 2>&1 &
    started $!
    workload hog "$WORK/hog.log" GOTUNED_DEMO=hog -- -n "$(($(nproc) * 2))"
    hog=$PID
    affinity_of "$hog" >"$WORK/affinity"
    sysctls >"$WORK/sysctls.before"
    limits_and_affinity "$server" "$hog" >"$WORK/targets.before"

    began_at
    setsid "$@" >"$WORK/table" 2>"$WORK/daemon.log" &
    daemon=$!
    started $daemon
    for _ in {1..150}; do
        ! ctl --json status >"$WORK/status.json" 2>/dev/null || break
        kill -0 $daemon 2>/dev/null || break
        sleep 0.1
    done
    if ! [[ -s $WORK/status.json ]]; then
        cat "$WORK/daemon.log" >&2
        fail "gotuned did not start"
    fi
    tell "gotuned runs: http://$(jq -r '.listening[0]' "$WORK/status.json")/metrics"
    # Started after the daemon: it is found by the kernel telling of its exec.
    workload fdlimit "$WORK/fdlimit.log" GOTUNED_DEMO=nofile -- -soft 64 -connections 60 -close-after 11s
    fdlimit=$PID
    tell "started beside it: httpserver (pid $server) under load, hog (pid $hog) on every CPU, fdlimit (pid $fdlimit) with 64 descriptors"
    limits_and_affinity "$fdlimit" >>"$WORK/targets.before"

    # Ctrl-C reaches the commands in here, too; the loop then ends in order, not by the first that fails.
    set +e
    while [[ $STOP == no ]]; do
        now=$(((${EPOCHREALTIME/./} - BEGAN) / 1000))
        ((seconds == 0 || now < seconds * 1000)) || break
        if ! kill -0 $daemon 2>/dev/null; then
            tail -n 20 "$WORK/daemon.log" >&2
            fail "gotuned ended by itself"
        fi
        if [[ $known == no ]] && ctl --json status >"$WORK/status.json" 2>/dev/null && found "$server" && found "$hog" && found "$fdlimit"; then
            known=yes
            tell "found by gotuned: $(jq -r --argjson pids "[$server, $hog, $fdlimit]" '[.processes[] | select(.pid | IN($pids[])) | "\(.service) (pid \(.pid), \(.go))"] | join(", ")' "$WORK/status.json")"
            last_table | indent
        fi
        tell_history
        affinity_of "$hog" >"$WORK/affinity.now"
        [[ $(cat "$WORK/affinity.now") == "$(tail -n 1 "$WORK/affinity")" ]] || cat "$WORK/affinity.now" >>"$WORK/affinity"
        if ((quiet_at == 0)) && kept demo-pack-hogs; then
            quiet_at=$now
            kill -USR1 "$hog"
            tell "the hog quiets down: the reason for packing it is gone"
        fi
        sleep 0.3
    done
    set -e

    tell "stopping gotuned"
    last_table | indent
    kill -TERM $daemon 2>/dev/null || true
    wait $daemon || status=$?
    waited_for $daemon
    limits_and_affinity "$server" "$hog" "$fdlimit" >"$WORK/targets.after"
    sysctls >"$WORK/sysctls.after"

    echo
    echo "Summary"
    verdict "three Go programs were found (one by its exec)" test "$known" = yes
    verdict "fdlimit ran into its descriptor limit" ran_full
    verdict "its limit: rule fired with evidence, adjusted, verified, undone (daemon's history)" went_round demo-raise-nofile
    verdict "its limit was raised (fdlimit's own log)" limit_raised
    verdict "its limit was put back (fdlimit's own log)" limit_back
    verdict "the hog's CPUs: rule fired with evidence, adjusted, verified, undone (daemon's history)" went_round demo-pack-hogs
    verdict "the hog was moved onto fewer CPUs (/proc/PID/task/*/status: $(awk 'NR > 1 { printf " → " } { printf "%s", $0 }' "$WORK/affinity"))" hog_moved
    verdict "the hog may run on all its CPUs again" hog_back
    verdict "limits and affinity of all three are as before" diff "$WORK/targets.before" "$WORK/targets.after"
    verdict "sysctls are as before" diff "$WORK/sysctls.before" "$WORK/sysctls.after"
    verdict "gotuned stopped as asked (exit status $status)" test $status -eq 0
    ((UNSEEN == 0)) || { echo "$UNSEEN not seen; the end of the daemon's log:"; tail -n 20 "$WORK/daemon.log"; return 1; }
}
