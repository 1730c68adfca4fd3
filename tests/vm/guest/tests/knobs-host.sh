# shellcheck shell=bash
# Knobs of the host, by a rule: huge pages, the scheduler of the NVMe disk, swappiness; each written, read back, undone.
# timeout: 120
pages=/sys/kernel/mm/transparent_hugepage
chosen() { sed 's/.*\[\(.*\)\].*/\1/' "$1"; }
other() { tr ' ' '\n' <"$1" | grep -v -e '^\[' -e '^$' | head -n 1; }

# Of an NVMe disk with multipath it is the path that has a scheduler.
disk=$(find /sys/block/nvme*/queue/scheduler | sort | head -n 1 | cut -d / -f 4)
scheduler=/sys/block/$disk/queue/scheduler
# Debian has all schedulers but none as modules.
modprobe mq-deadline 2>/dev/null || true
feature "I/O schedulers" "$(tr -d '\n' <"$scheduler" | tr ' ' ',')"
before_disk=$(chosen "$scheduler")
after_disk=$(other "$scheduler" || true)  # nothing: it has but one
before_pages=$(chosen "$pages/enabled")
after_pages=$(other "$pages/enabled")
before_ptes=$(cat "$pages/khugepaged/max_ptes_none")

# A disk that has but one refuses others; else it is switched with the rest.
if [[ -n $after_disk ]]; then
    disk_rule="      - {knob: sysfs.block.$disk.scheduler, to: $after_disk}"
else
    disk_rule="    mode: enforce
  - name: set-disk
    scope: host
    when: host.sysctl(\"vm.swappiness\") > 0
    adjust:
      - {knob: sysfs.block.$disk.scheduler, to: no-such-scheduler}"
fi
rules <<YAML
version: 1
rules:
  - name: set-host
    scope: host
    when: host.sysctl("vm.swappiness") == 60
    adjust:
      - {knob: sysctl.vm.swappiness, to: 10}
      - {knob: sysfs.thp.enabled, to: $after_pages}
      - {knob: sysfs.thp.khugepaged.max_ptes_none, to: 0}
$disk_rule
    mode: enforce
YAML
sysctl -qw vm.swappiness=60
settings 'adjust: {on_stop: undo}'
start_gotuned
eventually 20 "the change is kept" adjustment_is set-host kept
expect_equal "swappiness" "$(sysctl -n vm.swappiness)" 10
expect_equal "huge pages" "$(chosen "$pages/enabled")" "$after_pages"
expect_equal "max_ptes_none" "$(cat "$pages/khugepaged/max_ptes_none")" 0
[[ -z $after_disk ]] || expect_equal "the disk's scheduler" "$(chosen "$scheduler")" "$after_disk"
expect "all is undone when asked" gotunectl undo --all
expect_equal "swappiness" "$(sysctl -n vm.swappiness)" 60
expect_equal "huge pages" "$(chosen "$pages/enabled")" "$before_pages"
expect_equal "max_ptes_none" "$(cat "$pages/khugepaged/max_ptes_none")" "$before_ptes"
expect_equal "the disk's scheduler" "$(chosen "$scheduler")" "$before_disk"
if [[ -z $after_disk ]]; then
    eventually 20 "a scheduler that is not there is refused" in_history set-disk refused
    expect "with those that are" grep -F 'no-such-scheduler is not offered here' <(gotunectl --json history --rule set-disk)
fi
stop_gotuned
