# shellcheck shell=bash
# gotuned in a container of an ordinary user: namespaces of user, pid and mount of its own, root in there alone. It
# sees the processes of the container, says what is denied to it, and does what its user may.
# timeout: 150
stop_gotuned
install -d -o web /run/vmtest /run/vmtest/{run,state,rules}
cat >/run/vmtest/gotuned.yaml <<'YAML'
version: 1
tick: 1s
YAML
cat >/run/vmtest/rules/50-test.yaml <<'YAML'
version: 1
rules:
  - name: raise-soft-limit
    scope: process
    when: fd.used / fd.limit > 80%
    adjust:
      - {knob: rlimit.nofile, to: 4096}
    mode: enforce
  - name: set-swappiness
    scope: host
    when: host.memory.available > 1MiB
    adjust:
      - {knob: sysctl.vm.swappiness, to: 11}
    mode: enforce
YAML
cat >/run/vmtest/container <<SH
#!/bin/bash
$(workload fdlimit) -soft 64 -connections 60 -close-after 600s &
exec /usr/sbin/gotuned --config /run/vmtest/gotuned.yaml --rulebook /run/vmtest/rules --run-dir /run/vmtest/run --state-dir /run/vmtest/state
SH
chmod +x /run/vmtest/container
swappiness=$(</proc/sys/vm/swappiness)
service inside -p User=web -p LimitNOFILE=64:100 -- unshare --user --map-root-user --mount --pid --fork --mount-proc /run/vmtest/container
# As `docker exec` does.
enter() { setpriv --reuid=web --regid=web --clear-groups nsenter --target "$(pgrep --oldest --exact gotuned)" --user --preserve-credentials --mount --pid "$@"; }
inside() { enter gotunectl --socket /run/vmtest/run/control.sock --json status | jq -er "$1"; }
eventually 30 "it is ready" inside .ready
expect_not "not for those outside" gotunectl --socket /run/vmtest/run/control.sock status
expect "who are told what to do" grep -q "inside its container" <<<"$(gotunectl --socket /run/vmtest/run/control.sock status 2>&1)"
eventually 20 "it sees the container's Go program" inside '.processes | length == 1'
expect "under the number that it has in there" inside '.processes[0].pid < 20'
eventually 30 "the limit of the program is raised as far as its user may" inside \
    '[.adjustments[] | select(.rule == "raise-soft-limit")] | last | .state == "kept"'
expect "to its hard limit" inside '[.adjustments[] | select(.rule == "raise-soft-limit")] | last | .set.text | startswith("100")'
expect_equal "no probe is attached" "$(inside '[.probes[] | select(.attached)] | length | tostring')" 0
expect "the reason is told" grep -q 'pid namespace' <<<"$(inside '[.probes[].reason] | join(" ")')"
expect "and that swappiness cannot be written" service_said inside vm.swappiness
expect_equal "which is as before" "$(</proc/sys/vm/swappiness)" "$swappiness"
feature "in a user-namespaced container" "no probes; processes and knobs of its user"
