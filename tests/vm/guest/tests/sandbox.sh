# shellcheck shell=bash
# The default unit's sandbox, tried from within: what gotuned needs works, what it does not need is refused.
# timeout: 120
service other -p User=web -- sleep infinity
victim=$(service_pid other)
expect "the unit's exposure is 3.0 or less" systemd-analyze security --threshold=30 --no-pager gotuned.service
expect "that of the undo, too" systemd-analyze security --threshold=30 --no-pager gotuned-undo.service

cat >/tmp/try <<TRY
#!/bin/bash
# Runs where the daemon would: the unit's capabilities, system-call filter and mounts.
may() { if said=\$("\${@:2}" 2>&1); then echo "ok: \$1"; else echo "WRONG: \$1 is refused: \$said"; fi; }
may_not() { if said=\$("\${@:2}" 2>&1); then echo "WRONG: \$1 is allowed"; else echo "ok: refused: \$1"; fi; }
write() { echo "\$2" >"\$1"; }
may "a sysctl is written" write /proc/sys/vm/swappiness "\$(</proc/sys/vm/swappiness)"
may "one of the network is written" write /proc/sys/net/core/somaxconn "\$(</proc/sys/net/core/somaxconn)"
may "a cgroup's limit is written" write $(cgroup_of other)/memory.high max
may "another user's limit is raised" prlimit --pid $victim --nofile=4096:600000
may "another user's affinity is set" taskset -pc 0 $victim
may "another user's descriptors are seen" ls /proc/$victim/fd/0
may "another user's environment is seen" cat /proc/$victim/environ
may "another user's program is read" head -c 4 /proc/$victim/exe
may "the state directory is written" write /var/lib/gotuned/try x
may "the run directory is written" write /run/gotuned/try x
may "systemd is asked" systemctl show -P MainPID vmtest-other.service
may_not "another user's process is killed" bash -c 'kill -0 $victim'
may_not "/etc is written" write /etc/try x
may_not "/usr is written" write /usr/try x
may_not "the rest of /run is written" write /run/try x
may_not "something is mounted" mount -t tmpfs tmpfs /tmp
may_not "a network namespace is entered" nsenter --net=/proc/$victim/ns/net true
may_not "a namespace is made" unshare --user true
may_not "a file is given away" bash -c 'touch /var/lib/gotuned/try && chown web /var/lib/gotuned/try'
may_not "the clock is set" date -s @0
may_not "the kernel's log is read" dmesg
may_not "the host's name is set" hostname try
may_not "a device is made" mknod /tmp/try b 7 0
may_not "the machine is switched off" bash -c 'exec reboot -ff'
may_not "a file's mode is set to set-user-ID" bash -c 'cp /bin/true /tmp/try && chmod u+s /tmp/try'
rm -f /var/lib/gotuned/try /run/gotuned/try

TRY
chmod +x /tmp/try && mkdir -p /run/vmtest && mv /tmp/try /run/vmtest/try
mkdir -p /run/systemd/system/gotuned.service.d
printf '[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nExecStart=\nExecStart=/run/vmtest/try\nExecStopPost=\nExecReload=\n' \
    >/run/systemd/system/gotuned.service.d/try.conf
systemctl daemon-reload
expect "the tries run" systemctl start gotuned
rm -r /run/systemd/system/gotuned.service.d
systemctl daemon-reload
said=$(journalctl --quiet --no-pager -o cat -u gotuned | grep -E '^(ok|WRONG): ')
echo "$said"
expect_not "nothing went otherwise" grep -q ^WRONG <<<"$said"
expect_equal "all was tried" "$(wc -l <<<"$said")" "$(grep -cE "^may(_not)? \"" /run/vmtest/try)"

# The daemon itself under it, with a rule of each kind of target.
settings
start_gotuned
held=$(grep CapEff "/proc/$(main_pid)/status" | cut -f 2)
# BPF, PERFMON, SYS_RESOURCE, SYS_PTRACE, SYS_NICE, DAC_READ_SEARCH, SETUID, SETGID
expect_equal "the capabilities that it holds" "$held" "$(printf '%016x' $((1 << 39 | 1 << 38 | 1 << 24 | 1 << 19 | 1 << 23 | 1 << 2 | 1 << 7 | 1 << 6)))"
expect_equal "every knob of the packaged rules can be written" "$(status '[.preflight[] | select(.writable | not)] | length')" 0
service web -p User=web -- "$(workload httpserver)" -listen 127.0.0.1:8080
eventually 20 "the inspector works: the Go version of a service is known" status '[.processes[] | select(.unit == "vmtest-web.service" and (.go | tostring | test("^(go)?1\\.")))] | length > 0'
feature "sandbox" yes
