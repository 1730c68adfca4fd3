# shellcheck shell=bash
# A Go server in a container (namespaces of user, pid, mount and network) is found and measured from the host, and its
# limit raised.
# timeout: 90
cat >/tmp/vmtest-container <<SH
#!/bin/bash
ip link set lo up
exec $(workload httpserver) -listen 127.0.0.1:8099
SH
chmod 755 /tmp/vmtest-container
service boxed -p User=web -p LimitNOFILE=512 -- unshare --user --map-root-user --mount --pid --net --fork --mount-proc /tmp/vmtest-container
rules <<'YAML'
version: 1
targets:
  server: {match: {unit: vmtest-boxed.service}}
rules:
  - name: raise-limit
    scope: process
    targets: [server]
    when: fd.limit < 1000
    adjust:
      - {knob: rlimit.nofile, to: 2048}
    mode: enforce
YAML
settings
start_gotuned
eventually 20 "the server in the container is found" sees_service vmtest-boxed
pid=$(process_field vmtest-boxed pid)
expect_not "by its number on the host" test "$pid" = "$(service_pid boxed)"
raised() { [[ $(prlimit --pid "$pid" --nofile --noheadings --output SOFT | tr -d ' ') == 2048 ]]; }
eventually 20 "its limit is raised" raised
for name in fd.used mem.rss; do eventually 10 "$name is read" signal_is_there "$pid" "$name"; done
nsenter --net="/proc/$pid/ns/net" bash -c 'for _ in {1..30}; do curl -fsS -o /dev/null http://127.0.0.1:8099/; done'
[[ $(probe sched_switch) != attached ]] || eventually 20 "its latencies are measured" signal_is_there "$pid" epoll.wake
expect "pause" gotunectl pause
expect "undo" gotunectl undo --all
expect_equal "its limits are as before" "$(prlimit --pid "$pid" --nofile --noheadings --output SOFT,HARD | tr -s ' ' | sed 's/^ //; s/ $//')" "512 512"
feature "a server in a container is watched and adjusted" yes
