# shellcheck shell=bash
# Rules on cgroups that are units of systemd: what they set takes effect, lasts over a daemon-reload, and is taken back
# so that the unit's own files count again; what an operator has set for this boot stays.
# timeout: 240
# shellcheck disable=SC2153  # lib.sh has it
unit=$UNIT-unit.service
file=/run/systemd/system/$unit
control=/run/systemd/system.control/$unit.d
# unit_file MEMORY_HIGH
unit_file() {
    printf '[Service]\nExecStart=%s -listen 127.0.0.1:8081\nUser=web\nMemoryHigh=%s\n' "$(workload httpserver)" "$1" >"$file"
    systemctl daemon-reload
}
# held NAME FILE: of the cgroup of a unit.
held() { cat "$(cgroup_of "$1")/$2"; }
holds() { [[ $(held "$1" "$2") == "$3" ]]; }
shows() { systemctl show -P "$1" "$unit"; }
all_is_set() {
    expect_equal "memory.high, $1" "$(held unit memory.high)" 209715200
    expect_equal "MemoryHigh, $1" "$(shows MemoryHigh)" 209715200
    expect_equal "cpu.weight, $1" "$(held unit cpu.weight)" 300
    expect_equal "CPUWeight, $1" "$(shows CPUWeight)" 300
    expect_equal "cpu.max, $1" "$(held unit cpu.max)" "150000 100000"
    expect_equal "CPUQuota, $1" "$(shows CPUQuotaPerSecUSec)" 1.500000s
    expect_equal "pids.max, $1" "$(held unit pids.max)" 500
    expect_equal "TasksMax, $1" "$(shows TasksMax)" 500
    expect_equal "cpuset.cpus, $1" "$(held unit cpuset.cpus)" 1
    expect_equal "AllowedCPUs, $1" "$(shows AllowedCPUs)" 1
}
# Where emulation is slow, an undo that has systemd read its units again is told of as still running.
undo_all() {
    gotunectl undo --all || true
    eventually 30 "$1" status '[.adjustments[] | select(.state != "undone")] | length == 0'
}
# The CPUs of all threads of the server.
runs_on() { sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$(service_pid unit)/task/"*/status | sort -u; }
pinned_to() { [[ $(runs_on) == "$1" ]]; }
trap 'systemctl stop "$unit"; rm -f "$file"; systemctl revert "$unit"; systemctl daemon-reload' EXIT

unit_file 300M
expect "the unit starts" systemctl start "$unit"
expect "an operator sets MemoryLow for this boot" systemctl set-property --runtime "$unit" MemoryLow=8M
expect "and CPUWeight" systemctl set-property --runtime "$unit" CPUWeight=150
weight=$(cat "$control/50-CPUWeight.conf")
tasks=$(shows TasksMax)

settings 'adjust: {lease: 5s, per_minute: 100}'
rules <<'YAML'
version: 1
targets:
  server: {match: {unit: vmtest-unit.service}}
rules:
  - name: all-of-a-unit
    scope: cgroup
    targets: [server]
    when: cgroup.pids.current > 0
    adjust:
      - {knob: cgroup.memory.high, to: 200MiB}
      - {knob: cgroup.cpu.weight, to: 300}
      - {knob: cgroup.cpu.max, to: 1.5}
      - {knob: cgroup.pids.max, to: 500}
      - {knob: cgroup.cpuset.cpus, to: "1"}
    cooldown: 1h
    mode: enforce
YAML
start_gotuned
expect "the packaged unit is confined" systemd-analyze security --no-pager --threshold=30 gotuned.service
expect "and so is that of the lease" systemd-analyze security --no-pager --threshold=30 gotuned-undo.service
eventually 30 "the last knob of the rule is turned" holds unit cpuset.cpus 1
eventually 10 "and told" adjustment_is all-of-a-unit kept
all_is_set "set by the rule"
expect_equal "every thread is there" "$(runs_on)" 1
expect_not "a thread cannot leave the CPUs of its cgroup" taskset -pc 0 "$(service_pid unit)"
expect "systemd reads its units again" systemctl daemon-reload
all_is_set "after a daemon-reload"
holds_for 4 "gotuned sees no drift" adjustment_is all-of-a-unit kept

# The unit is edited while ours is in force, as an upgrade would.
unit_file 250M
expect_equal "ours still counts" "$(held unit memory.high)" 209715200
undo_all "all is undone"
expect_equal "memory.high is what the edited unit says" "$(held unit memory.high)" 262144000
expect_equal "as systemd sees it" "$(shows MemoryHigh)" 262144000
expect_equal "the operator's CPUWeight is back" "$(held unit cpu.weight)" 150
expect_equal "with its drop-in as it was" "$(cat "$control/50-CPUWeight.conf")" "$weight"
expect_equal "there is no quota" "$(shows CPUQuotaPerSecUSec)" infinity
expect_equal "TasksMax is the default" "$(shows TasksMax)" "$tasks"
expect_equal "all CPUs are allowed" "$(shows AllowedCPUs)" ""
expect_equal "really, to every thread" "$(runs_on)" 0-1
expect_equal "the operator's MemoryLow was never touched" "$(held unit memory.low)" 8388608
expect_equal "no drop-in of ours is left" "$(cd "$control" && echo ./*)" "./50-CPUWeight.conf ./50-MemoryLow.conf"
expect "taskset may use the other CPU again" taskset -pc 0 "$(service_pid unit)"
# systemd 257 has a running unit's cgroup follow an edited file at its next start only.
unit_file 260M
expect_equal "later edits count" "$(shows MemoryHigh)" 272629760
# Restarted, it is another cgroup, for which the rule would fire again.
expect "no more changes are made" gotunectl pause
expect "the unit is restarted" systemctl restart "$unit"
expect_equal "from then on, if not before" "$(held unit memory.high)" 272629760
expect "changes are made again" gotunectl resume

# The lease: the daemon goes, and its unit for undo, which is confined as well, takes all back.
expect "the daemon is restarted" systemctl restart gotuned
rules <<'YAML'
version: 1
targets:
  server: {match: {unit: [vmtest-unit.service, vmtest-run.service]}}
rules:
  - name: one
    scope: cgroup
    targets: [server]
    when: cgroup.pids.current > 0
    adjust: [{knob: cgroup.memory.high, to: 200MiB}]
    cooldown: 1s
    mode: enforce
YAML
expect "another rule is loaded" systemctl reload gotuned
service run -p User=web -- "$(workload httpserver)" -listen 127.0.0.1:8082
eventually 30 "the limit of a unit with a file is set" holds unit memory.high 209715200
eventually 30 "and that of one that systemd-run made" holds run memory.high 209715200
expect "with the drop-in beside it" test -e "/run/systemd/transient/$UNIT-run.service.d/50-MemoryHigh.conf"
stop_gotuned
eventually 60 "the lease puts the first back" holds unit memory.high 272629760
eventually 60 "and the other" holds run memory.high max
expect_not "the drop-in is gone" test -e "/run/systemd/transient/$UNIT-run.service.d/50-MemoryHigh.conf"

# A unit that is restarted begins with its own setting, not with what its predecessor was given.
start_gotuned
eventually 30 "the limit is set again" holds unit memory.high 209715200
expect "no more changes are made" gotunectl pause
expect "the unit is restarted" systemctl restart "$unit"
eventually 20 "its own limit counts" holds unit memory.high 272629760
expect_not "and our drop-in is gone" test -e "$control/50-MemoryHigh.conf"
expect "changes are made again" gotunectl resume
eventually 30 "the new one gets its own" holds unit memory.high 209715200

# A drop-in that sorts after ours would win at the next daemon-reload.
expect "no more changes are made" gotunectl pause
undo_all "all is undone again"
mkdir -p "$file.d"
printf '[Service]\nMemoryHigh=280M\n' >"$file.d/override.conf"
expect "an operator edits the unit" systemctl daemon-reload
expect "changes are made again" gotunectl resume
eventually 20 "then nothing is set, and the log says why" logged override.conf
expect_equal "the operator's limit counts" "$(shows MemoryHigh)" 293601280
rm -r "$file.d"
systemctl daemon-reload

# no_rules: all of the last is put back, and systemd is at rest.
no_rules() {
    printf 'version: 1\nrules: []\n' | rules
    expect "no rules are loaded" systemctl reload gotuned
    eventually 30 "what was in force is put back" status '.adjustments | length == 0'
}
no_rules
# cpu.max.burst is no setting of units.
if [[ -e $(cgroup_of unit)/cpu.max.burst ]] || kernel_is_at_least 5.14; then
    systemctl set-property --runtime "$unit" CPUQuota=120%
    rules <<'YAML'
version: 1
targets:
  server: {match: {unit: vmtest-unit.service}}
rules:
  - name: burst
    scope: cgroup
    targets: [server]
    when: cgroup.cpu.quota < 2
    adjust: [{knob: cgroup.cpu.max.burst, to: 20ms}]
    cooldown: 1h
    mode: enforce
YAML
    expect "a rule of the burst is loaded" systemctl reload gotuned
    eventually 30 "the burst is set" holds unit cpu.max.burst 20000
    expect "systemd reads its units again" systemctl daemon-reload
    expect_equal "the burst stays" "$(held unit cpu.max.burst)" 20000
    expect "an operator sets another quota" systemctl set-property --runtime "$unit" CPUQuota=130%
    expect_equal "the burst stays" "$(held unit cpu.max.burst)" 20000
    undo_all "it is undone"
    expect_equal "the burst is gone" "$(held unit cpu.max.burst)" 0
fi
no_rules
# To pin the only process of a unit is to set AllowedCPUs of the unit.
rules <<'YAML'
version: 1
targets:
  server: {match: {unit: vmtest-unit.service}}
rules:
  - name: pin
    scope: process
    targets: [server]
    when: fd.used > 0
    adjust: [{knob: cpu.affinity, to: "0"}]
    cooldown: 1h
    mode: enforce
YAML
expect "a rule of affinity is loaded" systemctl reload gotuned
eventually 30 "the process is pinned" pinned_to 0
expect_equal "by its unit" "$(shows AllowedCPUs)" 0
expect "systemd reads its units again" systemctl daemon-reload
expect_equal "it stays pinned" "$(runs_on)" 0
undo_all "it is undone"
expect_equal "no CPUs are asked for" "$(shows AllowedCPUs)" ""
expect_equal "and every thread may run on all" "$(runs_on)" 0-1
expect_not "no drop-in of ours is left" test -e "$control/50-AllowedCPUs.conf"
feature "settings of units" yes "systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')"
