# shellcheck shell=bash
# A sysctl of a Go server's own network namespace: refused without the drop-in, with a reason; with it, set there alone and
# put back, also by gotuned-undo.service.
# timeout: 120
inside() { nsenter --net="/proc/$(service_pid web)/ns/net" sysctl -n net.core.somaxconn; }
is_inside() { [[ $(inside) == "$1" ]]; }
host=$(sysctl -n net.core.somaxconn)

service web -p User=web -p PrivateNetwork=yes -- "$(workload discover_idle)"
eventually 10 "it runs" service_said web '"ready"'
before=$(inside)
rules <<'YAML'
version: 1
targets:
  web: {match: {unit: vmtest-web.service}}
rules:
  - name: backlog-there
    scope: process
    targets: [web]
    when: fd.used > 0
    adjust:
      - {knob: sysctl.net.core.somaxconn, to: 1234}
    mode: enforce
  - name: not-there
    scope: process
    targets: [web]
    when: fd.used > 0
    adjust:
      - {knob: sysctl.net.core.netdev_max_backlog, to: 2000}
    mode: enforce
YAML
settings 'adjust: {on_stop: lease}'
start_gotuned
eventually 20 "without the drop-in it is refused" in_history backlog-there refused
expect "and said what is missing" grep -F namespaced-sysctls.conf <(gotunectl --json history --rule backlog-there)
expect "nothing is changed there" is_inside "$before"
stop_gotuned

# As systemd/examples/namespaced-sysctls.conf: the image has no documentation.
for unit in gotuned gotuned-undo; do
    mkdir -p "/run/systemd/system/$unit.service.d"
    printf '[Service]\nCapabilityBoundingSet=CAP_SYS_ADMIN\nRestrictNamespaces=\nRestrictNamespaces=net\n' \
        >"/run/systemd/system/$unit.service.d/namespaced-sysctls.conf"
done
systemctl daemon-reload
rm -f /run/gotuned/journal.db*
start_gotuned
eventually 20 "with it the change is kept" adjustment_is backlog-there kept
expect "it is set there" is_inside 1234
expect_equal "the host's is untouched" "$(sysctl -n net.core.somaxconn)" "$host"
eventually 20 "what is the host's alone is refused" in_history not-there refused
expect "it is undone when asked" gotunectl undo --all
expect "it is back" is_inside "$before"

stop_gotuned
rm -f /run/gotuned/journal.db*  # and with it the cooldown
start_gotuned
eventually 20 "it is set again" is_inside 1234
stop_gotuned
expect "the undo of the lease works" systemctl start gotuned-undo.service
expect "it is back, again" is_inside "$before"
expect_equal "the host's is untouched" "$(sysctl -n net.core.somaxconn)" "$host"
