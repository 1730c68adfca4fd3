# shellcheck shell=bash
# Kernel lockdown, integrity: all probes that watch by tp_btf work.
# cmdline: lockdown=integrity
# timeout: 150
[[ -e /sys/kernel/security/lockdown ]] || mount -t securityfs securityfs /sys/kernel/security
grep -qF '[integrity]' /sys/kernel/security/lockdown || skip "this kernel did not take lockdown=integrity: $(</sys/kernel/security/lockdown)"
settings
raises_a_limit
expect_equal "status knows the mode" "$(status .kernel.lockdown)" integrity
expect_equal "all probes are attached but the one that the default unit withholds" \
    "$(not_attached)" sysctl_write
feature "lockdown=integrity" "all probes"
