# shellcheck shell=bash
# What the scripts share: where things are, how steps are told, and processes that are ended by their own pid.
# Sourced, never run.
# shellcheck disable=SC2034  # the scripts use them
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOME=${HOME:-/root}
export LC_ALL=C.UTF-8

# Downloads and caches live outside the repository, so that a fresh clone starts warm and `git clean` costs nothing.
CACHE=${GOTUNED_CACHE:-/var/cache/gotuned-build}
if ! mkdir -p "$CACHE" 2>/dev/null || [[ ! -w $CACHE ]]; then
    CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/gotuned-build
    mkdir -p "$CACHE"
fi
JOBS=${GOTUNED_JOBS:-$(nproc)}
# The folder of the release build, which everything here runs from.
BUILD=${GOTUNED_BUILD:-$ROOT/build}

if [[ -t 2 ]]; then BOLD=$'\e[1m' RED=$'\e[31m' CLEAR=$'\r\e[K' PLAIN=$'\e[0m'; else BOLD='' RED='' CLEAR='' PLAIN=''; fi

say() { printf '%s%s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }
note() { printf '    %s\n' "$*" >&2; }
fail() {
    printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2
    exit 1
}

# step LABEL COMMAND…: runs it with its output in a log, shows that it lives and how far it is (the last "[n/m]" of
# the log), and shows the log's end if it fails. GOTUNED_VERBOSE=1 shows all output instead.
step() {
    local label=$1 began=$SECONDS status=0 log pid told=0 progress
    shift
    if [[ ${GOTUNED_VERBOSE:-0} == 1 ]]; then
        say "$label"
        "$@" >&2
        return
    fi
    log=$(mktemp "${TMPDIR:-/tmp}/gotuned-step.XXXXXX")
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    STEP_PID=$pid
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        progress=$(tail -c 2000 "$log" | grep -aoE '^\[[0-9]+/[0-9]+\]' | tail -1 || true)
        if [[ -t 2 ]]; then
            printf '%s%s … %s %d s' "$CLEAR" "$label" "$progress" $((SECONDS - began)) >&2
        elif ((SECONDS - began >= told + 20)); then
            told=$((SECONDS - began))
            note "$label … $progress $told s"
        fi
    done
    wait "$pid" || status=$?
    STEP_PID=
    printf '%s' "$CLEAR" >&2
    if ((status != 0)); then
        printf '%s%s: failed%s (exit status %d after %d s); the end of its output:\n' "$RED" "$label" "$PLAIN" "$status" $((SECONDS - began)) >&2
        tail -n "${GOTUNED_LOG_LINES:-60}" "$log" >&2
        rm -f "$log"
        return "$status"
    fi
    say "$label: done ($((SECONDS - began)) s)"
    rm -f "$log"
}

# unpacked NAME PACKAGE…: unpacks Debian packages below the cache without installing them, so that no service of
# theirs ever starts; prints the folder.
unpacked() {
    local name=$1 target work
    shift
    target=$CACHE/$name
    if [[ ! -e $target/.complete ]]; then
        work=$(mktemp -d "$CACHE/unpack.XXXXXX")
        if ! (cd "$work" && apt-get -qq download "$@" >/dev/null 2>&1); then
            # The lists may be older than the mirror.
            if ! apt-get -qq update >/dev/null 2>&1 || ! (cd "$work" && apt-get -qq download "$@" >&2); then
                rm -rf "$work"
                return 1
            fi
        fi
        rm -rf "$target"
        mkdir -p "$target"
        for package in "$work"/*.deb; do dpkg -x "$package" "$target"; done
        rm -rf "$work"
        touch "$target/.complete"
    fi
    printf '%s\n' "$target"
}

# Processes that this script started; end_started ends these and no others, at the latest when the script exits.
STARTED=()
started() { STARTED+=("$1"); }
# A pid that was waited for is no longer ours.
waited_for() {
    local pid left=()
    for pid in "${STARTED[@]}"; do [[ $pid == "$1" ]] || left+=("$pid"); done
    STARTED=("${left[@]}")
}

# end_process PID [SECONDS]: TERM, then KILL after a while. Only for own children: a pid that was not yet waited for
# cannot be reused.
end_process() {
    local pid=$1 patience=${2:-10} i
    kill -TERM "$pid" 2>/dev/null || return 0
    for ((i = 0; i < patience * 10; i++)); do
        [[ $(ps -o stat= -p "$pid" 2>/dev/null) =~ ^[^Z] ]] || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

end_started() {
    local i
    for ((i = ${#STARTED[@]} - 1; i >= 0; i--)); do end_process "${STARTED[i]}" 5; done
    STARTED=()
}

# However a script ends, what it started ends with it. A script that has more to tidy defines cleanup().
STEP_PID=
on_exit() {
    local status=$?
    trap '' INT TERM
    [[ -z $STEP_PID ]] || end_process "$STEP_PID" 20
    end_started
    if declare -F cleanup >/dev/null; then cleanup || true; fi
    exit "$status"
}
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
