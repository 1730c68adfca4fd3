# shellcheck shell=bash
# Rules on a cgroup that is no unit's own: one below a delegated unit, as containers and workers with their own cgroups
# have it. Its files are written, and put back.
# timeout: 120
cat >/run/delegated <<SCRIPT
#!/bin/bash
own=/sys/fs/cgroup\$(cut -d : -f 3 /proc/self/cgroup)
mkdir "\$own/payload"
echo \$\$ >"\$own/payload/cgroup.procs"
echo '+cpu +cpuset +memory +pids' >"\$own/cgroup.subtree_control"
exec $(workload httpserver) -listen 127.0.0.1:8083
SCRIPT
chmod +x /run/delegated
service sub -p 'Delegate=cpu cpuset memory pids' -- /run/delegated
payload=$(cgroup_of sub)/payload
eventually 10 "the server is in a cgroup below its unit's" test -e "$payload/cpu.max"
held() { cat "$payload/$1"; }
holds() { [[ $(held "$1") == "$2" ]]; }
# cannot KNOB WHY: by preflight.
cannot() { status ".preflight[] | select(.knob == \"$1\") | (.writable | not) and (.reason | contains(\"$2\"))"; }
# in_history_of RULE TEXT
in_history_of() { gotunectl --json history --rule "$1" | jq -e --arg text "$2" '.entries | any(.reason | contains($text))'; }
files=(memory.high memory.max memory.low memory.min cpu.max cpu.weight pids.max cpuset.cpus)
[[ ! -e $payload/memory.swap.max ]] || files+=(memory.swap.max)
originals() {
    local name
    for name in "${files[@]}"; do echo "$name $(held "$name")"; done
}
echo '180000 100000' >"$payload/cpu.max"
before=$(originals)

settings 'adjust: {per_minute: 100}'
{
    cat <<'YAML'
version: 1
targets:
  server: {match: {unit: vmtest-sub.service}}
rules:
  - name: files
    scope: cgroup
    targets: [server]
    when: cgroup.pids.current > 0
    adjust:
      - {knob: cgroup.memory.high, to: 200MiB}
      - {knob: cgroup.memory.max, to: 300MiB}
      - {knob: cgroup.memory.low, to: 8MiB}
      - {knob: cgroup.memory.min, to: 4MiB}
      - {knob: cgroup.cpu.max, to: 1.5}
      - {knob: cgroup.cpu.weight, to: 300}
      - {knob: cgroup.pids.max, to: 500}
      - {knob: cgroup.cpuset.cpus, to: pack(1)}
    cooldown: 1h
    mode: enforce
YAML
    [[ ! -e $payload/memory.swap.max ]] || cat <<'YAML'
  - name: swap
    scope: cgroup
    targets: [server]
    when: cgroup.pids.current > 0
    adjust: [{knob: cgroup.memory.swap.max, to: 64MiB}]
    cooldown: 1h
    mode: enforce
YAML
} | rules
start_gotuned
eventually 30 "the last knob of the rule is turned" holds cpuset.cpus 1
expect_equal "memory.high" "$(held memory.high)" 209715200
expect_equal "memory.max" "$(held memory.max)" 314572800
expect_equal "memory.low" "$(held memory.low)" 8388608
expect_equal "memory.min" "$(held memory.min)" 4194304
expect_equal "cpu.max" "$(held cpu.max)" "150000 100000"
expect_equal "cpu.weight" "$(held cpu.weight)" 300
expect_equal "pids.max" "$(held pids.max)" 500
expect_equal "the CPUs that it really has" "$(held cpuset.cpus.effective)" 1
if [[ -e $payload/memory.swap.max ]]; then
    eventually 20 "memory.swap.max" holds memory.swap.max 67108864
    feature "knob cgroup.memory.swap.max" yes
else
    feature "knob cgroup.memory.swap.max" no "no swap accounting"
fi
expect "systemd reads its units again" systemctl daemon-reload
expect_equal "which does not touch what it delegated" "$(held memory.high) $(held cpu.max)" "209715200 150000 100000"
expect_not "no drop-in is made" compgen -G "/run/systemd/*/$UNIT-sub.service.d/*"
expect "all is undone" gotunectl undo --all
# The kernel lets nobody empty the list of CPUs again while processes are there: all that there could be are listed.
expect_equal "everything is as it was" "$(originals | sed "s/^\(cpuset.cpus\) $(</sys/devices/system/cpu/possible)\$/\1 /")" "$before"

rules <<'YAML'
version: 1
targets:
  server: {match: {unit: vmtest-sub.service}}
rules:
  - name: burst
    scope: cgroup
    targets: [server]
    when: cgroup.cpu.quota < 2
    adjust: [{knob: cgroup.cpu.max.burst, to: 20ms}]
    cooldown: 1h
    mode: enforce
  - name: reclaim
    scope: cgroup
    targets: [server]
    when: cgroup.memory.current > 1MiB
    adjust: [{knob: cgroup.memory.reclaim, to: cgroup.memory.current}]
    cooldown: 1h
    mode: enforce
YAML
expect "rules of the burst and of reclaim are loaded" systemctl reload gotuned
if [[ -e $payload/cpu.max.burst ]]; then
    eventually 30 "the burst is set" holds cpu.max.burst 20000
    expect "it is undone" gotunectl undo --all
    expect_equal "the burst is gone" "$(held cpu.max.burst)" 0
    feature "knob cgroup.cpu.max.burst" yes
else
    eventually 20 "that there is none is told" cannot cgroup.cpu.max.burst "has no cpu.max.burst"
    feature "knob cgroup.cpu.max.burst" no "Linux 5.14 has it"
fi
if [[ -e $payload/memory.reclaim ]]; then
    eventually 30 "memory is reclaimed once, and how much is told" in_history_of reclaim "it holds"
    eventually 20 "nothing is left to undo" status '[.adjustments[] | select(.rule == "reclaim")] | length == 0'
    feature "knob cgroup.memory.reclaim" yes
else
    eventually 20 "that there is none is told" cannot cgroup.memory.reclaim "has no memory.reclaim"
    feature "knob cgroup.memory.reclaim" no "Linux 5.19 has it"
fi
