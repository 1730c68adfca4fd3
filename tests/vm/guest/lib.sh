# shellcheck shell=bash
# What tests in the virtual machines say and do. A test is tests/NAME.sh: it runs under `set -e`, and ends at the
# first thing that is not as it should be. Its header tells the host when to run it:
#   # kernels: all | 5.10 6.1 …     (default all)
#   # cmdline: psi=0                kernel parameters of its boot; tests with the same share one
#   # boot: own                     shares its boot with no other test
#   # timeout: 60                   seconds

METRICS=http://127.0.0.1:9713/metrics
# Units that tests start are called so; tidy stops all of them.
UNIT=vmtest

fail() {
    echo "FAILED: $*"
    exit 1
}
skip() {
    echo "$*"
    exit 77
}
# feature NAME yes|no|VALUE [WHY]: a line of the table of kernels.
feature() { printf '@feature %s\t%s\t%s\n' "$1" "$2" "${3:-}"; }

# expect WHAT COMMAND…: WHAT is a sentence; it fails with what the command printed.
expect() {
    local what=$1 said status=0
    shift
    said=$("$@" 2>&1) || status=$?
    ((status == 0)) || fail "$what: '$*' gave status $status${said:+: $said}"
    echo "ok: $what"
}
expect_not() {
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then fail "$what: '$*' should have failed${said:+; it said: $said}"; fi
    echo "ok: $what"
}
# expect_equal WHAT IS SHOULD
expect_equal() {
    [[ $2 == "$3" ]] || fail "$1: '$2', not '$3'"
    echo "ok: $1 ($2)"
}
# eventually SECONDS WHAT COMMAND…: tries it until it works. The seconds are stretched where the host is busy.
eventually() {
    local seconds=$1 what=$2 said='' began=$SECONDS
    shift 2
    until said=$("$@" 2>&1); do
        ((SECONDS - began < seconds * PATIENCE)) || fail "$what: not within $((seconds * PATIENCE)) s: '$*'${said:+: $said}"
        sleep 0.2
    done
    echo "ok: $what (after $((SECONDS - began)) s)"
}
# holds_for SECONDS WHAT COMMAND…: it works, again and again.
holds_for() {
    local seconds=$1 what=$2 began=$SECONDS
    shift 2
    while ((SECONDS - began < seconds)); do
        "$@" >/dev/null 2>&1 || fail "$what: no longer after $((SECONDS - began)) s: '$*'"
        sleep 0.2
    done
    echo "ok: $what (for $seconds s)"
}

# --- the daemon

# settings LINE…: /etc/gotuned/gotuned.yaml of this test. Ticks are short, so that tests are.
settings() {
    { echo 'version: 1'; echo 'tick: 1s'; printf '%s\n' "$@"; } >/etc/gotuned/gotuned.yaml
}
# rules: standard input becomes a rulebook file of the operator, the only one.
rules() { cat >/etc/gotuned/rulebook.d/50-test.yaml; }
start_gotuned() {
    systemctl reset-failed gotuned 2>/dev/null || true
    expect "systemctl start gotuned succeeds" systemctl start gotuned
}
stop_gotuned() { expect "systemctl stop gotuned succeeds" systemctl stop gotuned; }
# status FILTER: of `gotunectl status`, by jq.
status() { gotunectl --json status | jq -er "$1"; }
# bpf_programs: how many the kernel holds, whoever loaded them.
bpf_programs() { bpftool --json prog list | jq length; }
main_pid() { systemctl show -P MainPID gotuned; }
unit_is() { [[ $(systemctl show -P ActiveState "$1") == "$2" ]]; }
metric_is_there() { curl -fsS "$METRICS" | grep "$1" >/dev/null; }
# logged TEXT: in the daemon's journal since it was last started.
logged() { journalctl --quiet --no-pager -o cat _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID gotuned)" | grep -F -- "$1"; }
# probe NAME: "attached", or why it is not.
probe() { status ".probes[] | select(.probe == \"$1\") | if .attached then \"attached\" else .reason end"; }
# not_attached: the probes that are not, but for those for which this kernel is too old.
not_attached() {
    status '[.probes[] | select((.attached | not) and (.reason | test("no such tracepoint|unknown func|invalid func|of no use without") | not)) | .probe] | join(" ")'
}
# has_fexit PROBE FEATURE: it is attached. False on a kernel too old for fexit, where it says so.
has_fexit() {
    [[ $(probe "$1") != attached ]] || return 0
    expect_not "Linux 5.12 has what it takes" kernel_is_at_least 5.12
    expect "the reason is told" grep -q trampolines <<<"$(probe "$1")"
    feature "$2" "no: $(probe "$1")"
    return 1
}
# signal TARGET NAME: as text; of one that is absent "absent: " and why.
signal() {
    gotunectl --json signals "$1" | jq -er --arg name "$2" '[.targets[].signals[$name] | values][0] |
        if has("absent") then "absent: \(.absent)\(if .detail then ", " + .detail else "" end)" else .text // .value end'
}
signal_is_there() { [[ $(signal "$1" "$2") != absent:* ]]; }
signal_is_absent() { [[ $(signal "$1" "$2") == absent:* ]]; }
# adjustment RULE FIELD
adjustment() { status "[.adjustments[] | select(.rule == \"$1\")] | last | .$2 | if type == \"object\" then .text else . end"; }
# in_history RULE EVENT
in_history() { gotunectl --json history --rule "$1" | jq -e --arg event "$2" '.entries | any(.event == $event)'; }
adjustment_is() { [[ $(adjustment "$1" state) == "$2" ]]; }
sees_service() { status "[.processes[] | select(.unit == \"$1.service\" or .service == \"$1\")] | length > 0"; }
process_field() { status "[.processes[] | select(.unit == \"$1.service\")][0].$2"; }

# --- what it watches

# service NAME [-p PROPERTY=VALUE]… -- COMMAND…: a transient unit called vmtest-NAME.
service() {
    local name=$1
    shift
    local -a properties=()
    while [[ $1 != -- ]]; do properties+=("$1"); shift; done
    shift
    expect "service $name starts" systemd-run --quiet --unit="$UNIT-$name" "${properties[@]}" "$@"
}
service_pid() { systemctl show -P MainPID "$UNIT-$1"; }
# What it printed, without what systemd says of it.
service_log() { journalctl --quiet --no-pager -o cat "_SYSTEMD_UNIT=$UNIT-$1.service"; }
service_said() { service_log "$1" | grep -F -- "$2" >/dev/null; }
# nofile_is NAME SOFT HARD
nofile_is() {
    [[ $(prlimit --pid "$(service_pid "$1")" --nofile --noheadings --output SOFT,HARD | tr -s ' ' | sed 's/^ //; s/ $//') == "$2 $3" ]]
}
workload() { printf '%s' "$PAYLOAD/workloads/$1"; }
# cgroup_file NAME FILE: of the service's cgroup.
cgroup_of() { printf '/sys/fs/cgroup%s' "$(systemctl show -P ControlGroup "$UNIT-$1")"; }

# swap_on MIB: a swap file of that size.
swap_on() {
    dd if=/dev/zero of=/swapfile bs=1M count="$1" status=none
    chmod 600 /swapfile
    mkswap -q /swapfile
    swapon /swapfile
}

# kernel_is_at_least MAJOR.MINOR
kernel_is_at_least() { [[ $(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1) == "$1" ]]; }

# The round that has to work wherever the daemon runs: a server of another user at its hard limit of descriptors is
# found, its limit is raised, the server sees it, and the limit comes back when that harms no more.
raises_a_limit() {
    service limit -p User=web -p LimitNOFILE=64:100 -- "$(workload fdlimit)" -soft 64 -connections 60 -close-after 3s
    eventually 40 "the server runs into its limit" service_said limit '"event":"full"'
    rules <<'YAML'
version: 1
targets:
  server: {match: {unit: vmtest-limit.service}}
rules:
  - name: raise-limit
    scope: process
    targets: [server]
    when: fd.used / fd.limit > 80%
    adjust:
      - {knob: rlimit.nofile, to: 4096}
    verify: {settle: 1s, hold: 2s, expect: fd.used / fd.limit < 80%}
    undo_when: fd.used < original(rlimit.nofile) * 50%
    undo_for: 1s
    mode: enforce
YAML
    # `systemctl reload` where the daemon runs already.
    if unit_is gotuned active; then expect "the rule is loaded" systemctl reload gotuned; else start_gotuned; fi
    eventually 20 "its limit is raised, above the hard one" nofile_is limit 4096 4096
    eventually 20 "the server sees it" service_said limit '"soft":4096'
    eventually 60 "the old limits are back when few descriptors are in use" nofile_is limit 64 100
    eventually 10 "the history tells" in_history raise-limit undone
}

tidy() {
    systemctl stop "$UNIT-*" gotuned gotuned-undo.timer
    gotuned undo --force
    systemctl reset-failed "$UNIT-*" gotuned gotuned-undo
    swapoff -a
    rm -rf /swapfile /run/systemd/system/gotuned.service.d /etc/systemd/system/gotuned.service.d /run/systemd/system/gotuned-undo.* /var/lib/gotuned/* /run/gotuned/*
    rm -rf /etc/gotuned && cp -a /etc/gotuned.packaged /etc/gotuned
    umount /sys/kernel/btf/vmlinux
    systemctl daemon-reload
}
