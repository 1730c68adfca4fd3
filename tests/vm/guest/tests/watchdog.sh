# shellcheck shell=bash
# A daemon that hangs is replaced.
# timeout: 90
settings
start_gotuned
expect_equal "the packaged unit has a watchdog" "$(systemctl show -P WatchdogUSec gotuned)" 30s
stop_gotuned
mkdir -p /run/systemd/system/gotuned.service.d
printf '[Service]\nWatchdogSec=%ss\n' "$((4 * PATIENCE))" >/run/systemd/system/gotuned.service.d/watchdog.conf
systemctl daemon-reload
start_gotuned
holds_for 6 "a healthy daemon feeds it" unit_is gotuned active
expect_equal "and was not restarted" "$(systemctl show -P NRestarts gotuned)" 0
hung=$(main_pid)
kill -STOP "$hung"
restarted() { unit_is gotuned active && [[ $(main_pid) != "$hung" ]]; }
eventually 30 "a stopped daemon is replaced" restarted
expect "status is given again" gotunectl status
