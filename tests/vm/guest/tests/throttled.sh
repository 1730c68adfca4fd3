# shellcheck shell=bash
# A service whose live heap is above memory.high crawls; profile balanced finds the cause and raises it within the
# rule's bounds; the service then runs as if there were no limit. To put the limit back waits until that does no harm.
# kernels: 6.12
# timeout: 300
swap_on 256
# rate UNIT: operations a second, the mean of the last ten seconds it told of. The program without a limit runs beside the
# other, so that whatever else slows this machine slows both.
rate() { service_log "$1" | jq -r 'select(.event == "rate") | .operations_per_second' | tail -n 10 | awk '{ s += $1 } END { printf "%d", NR ? s / NR : 0 }'; }

runs_free() { (($(rate free) > 0)); }
service free -- "$(workload workingset)" -mib 60 -block 4096
eventually 20 "the program without a limit tells its rate" runs_free
service tight -p MemoryHigh=45M -- "$(workload workingset)" -mib 60 -block 4096
sleep 12
unlimited=$(rate free) throttled=$(rate tight)
echo "unlimited $unlimited/s, at 45 MiB $throttled/s"
((throttled * 5 < unlimited)) || fail "memory.high does not throttle here: $throttled of $unlimited operations a second"
settings 'profile: balanced'
start_gotuned
high_is_raised() { (($(<"$(cgroup_of tight)/memory.high") > 47185920)); }
eventually 60 "memory.high is raised" high_is_raised
echo "memory.high $(<"$(cgroup_of tight)/memory.high")"
expect_equal "by the packaged rule" "$(adjustment memory-high-throttling knob)" cgroup.memory.high
recovered() { (($(rate tight) * 10 > $(rate free) * 9)); }
eventually 120 "the program is above 90% of the rate of the other" recovered
now=$(rate tight) unlimited=$(rate free)
echo "now $now/s of $unlimited/s"
eventually 60 "and the change is kept" in_history memory-high-throttling kept

expect "no more changes are made" gotunectl pause
expect_not "to put it back now would throttle it again" gotunectl undo --all
expect "so the undo waits" adjustment_is memory-high-throttling undo_deferred
holds_for 5 "and the limit stays" high_is_raised
expect "the service lets go of its memory" systemctl kill --signal=SIGUSR1 "$UNIT-tight"
eventually 10 "it has" service_said tight '"shrunk"'
is_back() { [[ $(<"$(cgroup_of tight)/memory.high") == 47185920 ]]; }
eventually 60 "then the old limit is back" is_back
eventually 10 "and the history tells" in_history memory-high-throttling undone
feature "a service throttled at memory.high recovers" "$throttled → $now of $unlimited operations/s"
