# shellcheck shell=bash
# What the daemon changed outlives it for the lease: a crash, a restart and a crash loop shake nothing, and when it does
# not come back everything is put back. on_stop says otherwise.
# Nothing in it depends on the kernel: it runs on Debian 12's own.
# kernels: 6.1
# timeout: 280
original=$(</proc/sys/vm/swappiness)
ours=37
lease=$((5 * PATIENCE))
swappiness_is() { [[ $(</proc/sys/vm/swappiness) == "$1" ]]; }
with_lease() { settings "adjust: { lease: ${lease}s, on_stop: $1 }"; }
changed() {
    eventually 20 "the rule is in force" adjustment_is swap kept
    expect "with its value" swappiness_is $ours
}
# Every value that the knob had, each 10 ms. (A fork takes longer than that here: read waits instead.)
sampling() {
    local value never
    exec {never}<> <(:)
    while :; do
        read -r value </proc/sys/vm/swappiness
        echo "$EPOCHREALTIME $value"
        read -rt 0.01 -u "$never" || true
    done
}
begin_sampling() { sampling >/tmp/samples & sampler=$!; }
values_were() { # WHAT VALUES
    kill "$sampler"
    wait "$sampler" 2>/dev/null || true
    expect_equal "$1" "$(cut -d ' ' -f 2 /tmp/samples | uniq | paste -sd ' ')" "$2"
    # Emulation is slow; half of what was asked for still shows every flap.
    awk '{ if (NR > 1 && $1 - t > m) m = $1 - t; t = $1 } END { printf "    (%d samples, at most %.0f ms apart)\n", NR, m * 1000 }' /tmp/samples
}
drop_in() { # NAME LINE…
    mkdir -p /run/systemd/system/gotuned.service.d
    printf '%s\n' "${@:2}" >"/run/systemd/system/gotuned.service.d/$1.conf"
    systemctl daemon-reload
}

rules <<RULES
version: 1
rules:
  - name: swap
    scope: host
    when: host.memory.available > 1MiB
    adjust:
      - knob: sysctl.vm.swappiness
        to: $ours
    cooldown: 1s
    mode: enforce
RULES

with_lease lease
start_gotuned
changed
expect "no lease runs while the daemon does" unit_is gotuned-undo.timer inactive

begin_sampling
expect "systemctl restart succeeds" systemctl restart gotuned
changed
holds_for $((lease + 2)) "the new daemon has stopped the lease" swappiness_is $ours
values_were "nothing flaps at a restart" $ours

begin_sampling
before=$(main_pid)
kill -9 "$before"
came_back() { unit_is gotuned active && [[ $(main_pid) != 0 && $(main_pid) != "$before" ]]; }
eventually 15 "systemd starts a killed daemon again" came_back
changed
holds_for $((lease + 2)) "which has stopped the lease" swappiness_is $ours
values_were "nothing flaps at a crash" $ours

begin_sampling
stop_gotuned
expect "after a stop a lease runs" unit_is gotuned-undo.timer active
expect "of the time that gotuned.yaml says" systemctl show -P TimersMonotonic gotuned-undo.timer
expect_equal "as a drop-in" "$(systemctl show -P TimersMonotonic gotuned-undo.timer | grep -o 'OnActiveUSec=[0-9a-z ]*' | tr -d ' ')" \
    "OnActiveUSec=$( ((lease < 60)) && echo "${lease}s" || echo "$((lease / 60))min$( ((lease % 60)) && echo "$((lease % 60))s")")"
holds_for $((lease - 2)) "nothing is undone before its end" swappiness_is $ours
eventually 10 "everything is undone at its end" swappiness_is "$original"
values_were "put back once" "$ours $original"

# Killed, and not started again.
drop_in restart '[Service]' 'Restart=no'
start_gotuned
changed
kill -9 "$(main_pid)"
eventually 5 "a lease runs after SIGKILL" unit_is gotuned-undo.timer active
holds_for $((lease - 2)) "nothing is undone at once" swappiness_is $ours
eventually 10 "it is put back after the lease" swappiness_is "$original"
rm -r /run/systemd/system/gotuned.service.d

# A crash loop: ten starts, then systemd gives up.
systemctl daemon-reload
start_gotuned
changed
begin_sampling
given_up() {
    local pid
    pid=$(main_pid)
    [[ $pid == 0 ]] || kill -9 "$pid" 2>/dev/null || true
    unit_is gotuned failed
}
eventually 60 "systemd gives up a daemon that keeps crashing" given_up
expect "the last value is still in force" swappiness_is $ours
eventually $((lease + 10)) "and is put back after the lease" swappiness_is "$original"
values_were "a crash loop does not undo and redo" "$ours $original"

with_lease undo
start_gotuned
changed
stop_gotuned
expect "on_stop: undo puts back before stop returns" swappiness_is "$original"

with_lease keep
start_gotuned
changed
stop_gotuned
expect "on_stop: keep starts no lease" unit_is gotuned-undo.timer inactive
echo 'adjust: { on_stop: kepe }' >/etc/gotuned/gotuned.yaml
expect_not "a gotuned.yaml with a mistake is refused" systemctl start gotuned
systemctl stop gotuned
holds_for $((lease + 2)) "and undoes nothing" swappiness_is $ours
with_lease lease
start_gotuned
eventually 10 "the next start goes on with it" adjustment_is swap kept
expect "at its value" swappiness_is $ours
expect "gotunectl undo puts it back at once" gotunectl undo --all
expect "there" swappiness_is "$original"
feature "lease" yes
