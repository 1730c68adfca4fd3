# shellcheck shell=bash
# vm.swappiness with a real swap file; what the daemon set outlives a restart, and a stop puts it back.
# timeout: 120
swap_on 64
before=$(sysctl -n vm.swappiness)
rules <<'YAML'
version: 1
rules:
  - name: less-swapping
    scope: host
    when: host.swap.used < 64MiB and host.sysctl("vm.swappiness") > 10
    adjust:
      - {knob: sysctl.vm.swappiness, to: 10}
    verify: {settle: 1s, hold: 2s, expect: 'host.sysctl("vm.swappiness") == 10'}
    mode: enforce
YAML
settings 'adjust: {on_stop: undo}'
start_gotuned
eventually 20 "swappiness is lowered" grep -qx 10 /proc/sys/vm/swappiness
eventually 20 "the change is kept" adjustment_is less-swapping kept
feature "sysctl.vm.swappiness" yes
stop_gotuned
expect_equal "a stop puts it back" "$(sysctl -n vm.swappiness)" "$before"
