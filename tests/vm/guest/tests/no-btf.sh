# shellcheck shell=bash
# A kernel without BTF: no probes, said why; the rest works.
# timeout: 150
mount --bind /dev/null /sys/kernel/btf/vmlinux
settings
raises_a_limit
expect_equal "status knows" "$(status '.kernel.btf | tostring')" false
expect_equal "no probe is attached" "$(status '[.probes[] | select(.attached)] | length | tostring')" 0
expect "the reason is told" grep -q BTF <<<"$(status '[.probes[].reason] | join(" ")')"
expect_equal "and readiness does not hang on it" "$(status '.ready | tostring')" true
feature "without BTF" "no probes, the rest works"
