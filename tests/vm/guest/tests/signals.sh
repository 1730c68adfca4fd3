# shellcheck shell=bash
# Every signal of the catalogue is measured, but for those that this kernel does not have, and these say so.
# timeout: 200
swap_on 256
opted=()
if kernel_is_at_least 6.6; then opted=("probes: {goroutines: [$UNIT-web.service]}"); fi # before it takes examples/goroutines.conf
settings "${opted[@]}"
start_gotuned
service web -p User=web -- "$(workload httpserver)" -listen 127.0.0.1:8080
service swapper -p MemoryHigh=20M -- "$(workload workingset)" -mib 30 -block 4096
service limit -p User=web -p CPUQuota=50% -p LimitNOFILE=64:100 -- "$(workload fdlimit)" -soft 64 -connections 40 -close-after 1s
for name in web swapper limit; do eventually 20 "$name is seen" sees_service "$UNIT-$name"; done

# Signals come and go with what happens: each need be there once. no_data is as good: looked at, and nothing happened.
declare -A seen=() why=()
gotunectl --json signals | jq -r '.signals[].name' | sort >/tmp/catalogue
look() { # TARGET
    local name reason
    while IFS=$'\t' read -r name reason; do
        if [[ -z $reason || $reason == no_data* ]]; then seen[$name]=yes; else why[$name]=$reason; fi
    done < <(gotunectl --json signals "$1" | jq -r '.targets[].signals | to_entries[] |
        [(.key | sub("\\(.*"; "")), if .value.absent then .value.absent + (if .value.detail then ": " + .value.detail else "" end) else "" end] | @tsv')
}
missing() { comm -23 /tmp/catalogue <(printf '%s\n' "${!seen[@]}" | sort); }
may_be_missing() {
    case $1 in
    host.conntrack.used.ratio) true ;; # only where a firewall has loaded the module
    host.clock.offset | host.clock.synchronised) true ;; # the packaged unit needs examples/clock.conf
    tcp.* | conn.*) [[ $(probe inet_sock_set_state) != attached ]] ;;
    netpoll.wait) [[ $(probe sk_data_ready) != attached ]] ;;
    swapin.rate) [[ $(probe swapped_in) != attached ]] ;;
    goroutine.netpoll) ! kernel_is_at_least 6.6 ;;
    cgroup.memory.kernel) ! kernel_is_at_least 5.18 ;;
    cgroup.memory.swapin.rate) ! kernel_is_at_least 6.13 ;;
    *) false ;;
    esac
}
left=''
all_seen() {
    local name
    for _ in {1..5}; do curl -fsS -o /dev/null http://127.0.0.1:8080/; done
    look host
    for name in web swapper limit; do look "$(service_pid "$name")"; done
    left=''
    for name in $(missing); do may_be_missing "$name" || left+=" $name (${why[$name]:-nobody tells of it});"; done
    [[ -z $left ]]
}
began=$SECONDS
until all_seen; do
    ((SECONDS - began < 60 * PATIENCE)) || fail "not all signals are measured:$left"
    sleep 1
done
echo "ok: all signals are measured that this kernel has (after $((SECONDS - began)) s)"
for name in $(</tmp/catalogue); do
    if [[ -z ${seen[$name]:-} ]]; then expect_not "$name says why it is absent" test -z "${why[$name]:-}"; fi
    feature "signal $name" "${seen[$name]:-no: ${why[$name]:-}}"
done
