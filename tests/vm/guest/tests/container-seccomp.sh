# shellcheck shell=bash
# gotuned in a container whose seccomp filter has no bpf(2), as the default of container engines without CAP_BPF: no
# probes, said why; the rest works.
# timeout: 150
start_gotuned() {
    service inside -p SystemCallFilter=~bpf -p SystemCallErrorNumber=EPERM -p RuntimeDirectoryPreserve=yes -- /usr/sbin/gotuned
    eventually 20 "it is ready" status .ready
}
stop_gotuned
settings
raises_a_limit
expect_equal "no probe is attached" "$(status '[.probes[] | select(.attached)] | length | tostring')" 0
expect "the reason is told" grep -q 'EPERM' <<<"$(status '[.probes[].reason] | join(" ")')"
expect "what its own files say is there" signal_is_there "$(service_pid limit)" fd.used
feature "in a container with a seccomp filter without bpf(2)" "no probes, the rest works"
