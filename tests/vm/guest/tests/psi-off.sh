# shellcheck shell=bash
# A kernel without pressure stall information: what reads it is absent with its reason, the rest works.
# cmdline: psi=0
# timeout: 150
expect_not "this kernel runs without PSI" test -r /proc/pressure/memory
settings
raises_a_limit
eventually 10 "the host's pressure is absent" signal_is_absent host host.memory.psi.some_10s
expect "its reason is told" grep -qi 'psi\|pressure' <<<"$(signal host host.memory.psi.some_10s)"
expect "memory is there" signal_is_there host host.memory.available
feature "without PSI" "works without it"
