# shellcheck shell=bash
# SIGKILL at any moment of the daemon's life leaves a host that can be put back: killed sooner and later after it is
# ready, while it journals, writes and verifies knobs of host, cgroup, process and threads; then all is as before.
# Nothing in it depends on the kernel.
# kernels: 6.12
# timeout: 240
service limit -p User=web -p LimitNOFILE=300 -- "$(workload fdlimit)" -soft 200 -connections 1 -close-after 600s
service hog -p MemoryHigh=64M -- "$(workload hog)" -n 1
rules <<'YAML'
version: 1
targets:
  limit: {match: {unit: vmtest-limit.service}}
  hog: {match: {unit: vmtest-hog.service}}
rules:
  - name: swap
    scope: host
    when: host.memory.available > 1MiB
    adjust: [{knob: sysctl.vm.swappiness, to: 37}]
    cooldown: 1s
    mode: enforce
  - name: descriptors
    scope: process
    targets: [limit]
    when: fd.limit < 1000
    adjust: [{knob: rlimit.nofile, to: 2048}]
    cooldown: 1s
    mode: enforce
  - name: high
    scope: cgroup
    targets: [hog]
    when: cgroup.memory.high < 90MiB
    adjust: [{knob: cgroup.memory.high, to: 96MiB}]
    cooldown: 1s
    mode: enforce
  - name: pin
    scope: process
    targets: [hog]
    when: proc.threads > 0
    adjust: [{knob: cpu.affinity, to: pack(1)}]
    cooldown: 1s
    mode: enforce
YAML
settings 'adjust: {per_minute: 1000}'
mkdir -p /run/systemd/system/gotuned.service.d
printf '[Service]\nRestart=no\n' >/run/systemd/system/gotuned.service.d/crash.conf
systemctl daemon-reload
state() {
    sysctl vm.swappiness
    prlimit --pid "$(service_pid limit)" --nofile --noheadings --output SOFT,HARD
    cat "$(cgroup_of hog)/memory.high"
    grep -h Cpus_allowed_list "/proc/$(service_pid hog)"/task/*/status | sort -u
}
before=$(state)
changed=0
for delay in 0 0.1 0.2 0.3 0.5 0.7 1 2 4 8; do
    systemctl reset-failed gotuned 2>/dev/null || true
    systemctl start gotuned # returns when the daemon is ready; its first decisions come soon after
    sleep "$delay"
    systemctl kill --signal=SIGKILL gotuned || true
    eventually 10 "killed $delay s after it was ready" unit_is gotuned failed
    [[ $(state) == "$before" ]] || changed=$((changed + 1))
    expect "everything is put back" gotuned undo --force
    expect_equal "and as it was" "$(state)" "$before"
done
expect "at least two of the kills found changes in force" test "$changed" -ge 2
