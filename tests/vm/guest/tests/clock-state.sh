# shellcheck shell=bash
# The state of the clock is withheld by the packaged unit, which says so, and can be had with examples/clock.conf.
# kernels: 6.12
# timeout: 60
dropin=/etc/systemd/system/gotuned.service.d/clock.conf
settings
start_gotuned
says_why() { [[ $(signal host host.clock.offset) == *clock.conf* ]]; }
eventually 10 "without the drop-in the signal says what it takes" says_why
stop_gotuned
# As systemd/examples/clock.conf: the image has no documentation.
mkdir -p "${dropin%/*}"
printf '[Service]\nProtectClock=no\nSystemCallFilter=adjtimex clock_adjtime\n' >"$dropin"
systemctl daemon-reload
start_gotuned
for name in host.clock.offset host.clock.synchronised; do eventually 10 "$name is measured" signal_is_there host "$name"; done
feature "host.clock.offset, host.clock.synchronised" "with examples/clock.conf"
rm "$dropin"
systemctl daemon-reload
