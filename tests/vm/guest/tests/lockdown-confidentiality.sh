# shellcheck shell=bash
# Kernel lockdown, confidentiality: nothing may be read by BPF: probes say so, the rest works.
# cmdline: lockdown=confidentiality
# timeout: 150
[[ -e /sys/kernel/security/lockdown ]] || mount -t securityfs securityfs /sys/kernel/security
grep -qF '[confidentiality]' /sys/kernel/security/lockdown || skip "this kernel did not take lockdown=confidentiality: $(</sys/kernel/security/lockdown)"
settings
raises_a_limit
expect_equal "status knows the mode" "$(status .kernel.lockdown)" confidentiality
expect "probes that are not attached say why" grep -q confidentiality <<<"$(status '[.probes[].reason] | join(" ")')"
feature "lockdown=confidentiality" "$(status '[.probes[] | select(.attached)] | length') of $(status '.probes | length') probes, the rest works"
