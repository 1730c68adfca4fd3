# shellcheck shell=bash
# kernel.unprivileged_bpf_disabled: no value of it matters to a daemon with CAP_BPF. 1 cannot be taken back.
# boot: own
# timeout: 150
settings
for value in 0 2 1; do
    sysctl -qw kernel.unprivileged_bpf_disabled=$value || continue
    start_gotuned
    # That one wants a capability which the default unit withholds.
    expect_equal "all probes but one attach with $value" "$(not_attached)" sysctl_write
    stop_gotuned
done
feature "kernel.unprivileged_bpf_disabled 0, 1, 2" "makes no difference"
