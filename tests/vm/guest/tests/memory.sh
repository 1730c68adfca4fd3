# shellcheck shell=bash
# memory.high of a unit's cgroup: written, read back, undone.
# timeout: 90
service mem -p MemoryHigh=64M -- "$(workload httpserver)" -listen 127.0.0.1:8081
high=$(cgroup_of mem)/memory.high
expect_equal "systemd set memory.high" "$(<"$high")" 67108864
rules <<'YAML'
version: 1
targets:
  server: {match: {unit: vmtest-mem.service}}
rules:
  - name: raise-high
    scope: cgroup
    targets: [server]
    when: cgroup.memory.high < 90MiB
    adjust:
      - {knob: cgroup.memory.high, to: 96MiB}
    verify: {settle: 1s, hold: 2s, expect: cgroup.memory.high > 90MiB}
    mode: enforce
YAML
settings
start_gotuned
eventually 20 "memory.high is raised" grep -qx 100663296 "$high"
eventually 20 "the change is kept" adjustment_is raise-high kept
expect "gotunectl pause" gotunectl pause
expect "gotunectl undo --all" gotunectl undo --all
expect_equal "memory.high is the old one" "$(<"$high")" 67108864
feature "cgroup.memory.high of a unit" yes
