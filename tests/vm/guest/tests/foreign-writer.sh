# shellcheck shell=bash
# Who else writes a sysctl is named, with the drop-in that allows it; without, status says what is missing, and the write is
# found all the same.
# timeout: 120
dropin=/etc/systemd/system/gotuned.service.d/foreign-writers.conf
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
set_and_overwrite() {
    sysctl -qw vm.swappiness=60
    start_gotuned
    eventually 20 "swappiness is set" grep -qx 10 /proc/sys/vm/swappiness
    eventually 20 "the change is kept" adjustment_is set-swappiness kept
    expect "another service writes it" systemd-run --quiet --wait --unit="$UNIT-stranger" sysctl -qw vm.swappiness=42
    eventually 20 "it is seen" adjustment_is set-swappiness drifted
    holds_for 2 "and left alone" grep -qx 42 /proc/sys/vm/swappiness
}
settings 'adjust: {on_stop: undo}'
before=$(bpf_programs)
set_and_overwrite
expect "without the capability status says what is missing" grep -F CAP_NET_ADMIN <(probe sysctl_write)
expect "and nobody is named" grep -F 'not our 10; the original was 60' <(gotunectl history --rule set-swappiness)
expect_not "and nobody is named" grep -F 'written by' <(gotunectl --json status)
expect "the rule may act again" gotunectl resume set-swappiness host
stop_gotuned

mkdir -p "${dropin%/*}"
# As systemd/examples/foreign-writers.conf: the image has no documentation.
printf '[Service]\nCapabilityBoundingSet=CAP_NET_ADMIN\n' >"$dropin"
systemctl daemon-reload
rm -f /run/gotuned/journal.db*
set_and_overwrite
feature "foreign writers" "$(probe sysctl_write | sed 's/^attached$/yes/')"
expect_equal "with it the program is attached" "$(probe sysctl_write)" attached
writer="written by sysctl (pid [0-9]*, user 0, in $UNIT-stranger.service), 10 → 42"
expect "status names the writer" grep -e "$writer" <(gotunectl --json status)
expect "history names the writer" grep -e "$writer" <(gotunectl --json history --rule set-swappiness)
expect "the log names the writer" logged "$UNIT-stranger.service), 10 → 42"
stop_gotuned
expect_equal "it is left alone also when the daemon stops" "$(sysctl -n vm.swappiness)" 42
expect_equal "no program is left" "$(bpf_programs)" "$before"
rm "$dropin"
systemctl daemon-reload
sysctl -qw vm.swappiness=60
