# shellcheck shell=bash
# Controllers on cgroup v1: cgroup signals and knobs are absent with their reason, the rest works.
# cmdline: systemd.unified_cgroup_hierarchy=0
# timeout: 150
[[ $(stat -f -c %T /sys/fs/cgroup) != cgroup2fs ]] || skip "systemd here has no cgroup v1 any more"
settings
raises_a_limit
eventually 10 "memory of its cgroup is absent" signal_is_absent "$UNIT-limit.service" cgroup.memory.high
expect "the reason is told" grep -qi 'cgroup' <<<"$(signal "$UNIT-limit.service" cgroup.memory.high)"
feature "cgroup v1" "works, without cgroup memory"
