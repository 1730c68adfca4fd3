# shellcheck shell=bash
# Another program writes the value that the daemon had set: hands off, and it is reported as drifted.
# timeout: 90
rules <<'YAML'
version: 1
rules:
  - name: set-swappiness
    scope: host
    when: host.sysctl("vm.swappiness") == 60
    adjust:
      - {knob: sysctl.vm.swappiness, to: 10}
    mode: enforce
YAML
sysctl -qw vm.swappiness=60
settings 'adjust: {on_stop: undo}'
start_gotuned
eventually 20 "swappiness is set" grep -qx 10 /proc/sys/vm/swappiness
eventually 20 "the change is kept" adjustment_is set-swappiness kept
sysctl -qw vm.swappiness=42
eventually 20 "the change of a stranger is seen" adjustment_is set-swappiness drifted
holds_for 3 "and left alone" grep -qx 42 /proc/sys/vm/swappiness
stop_gotuned
expect_equal "also when the daemon stops" "$(sysctl -n vm.swappiness)" 42
sysctl -qw vm.swappiness=60
