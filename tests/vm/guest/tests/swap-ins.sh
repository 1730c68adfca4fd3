# shellcheck shell=bash
# Page faults that waited for a page in swap, where fexit is to be had: as many as the pages that the kernel read from swap.
# timeout: 100
settings
start_gotuned
has_fexit swapped_in "swap-ins by process" || return 0
# Without readahead each page that is read is one that somebody waits for.
cluster=$(sysctl -n vm.page-cluster)
sysctl -qw vm.page-cluster=0
swap_on 256
# Since 6.12 pages of zeros are remembered without being written, and counted apart when they are wanted again.
read_from_swap() { awk '$1 == "pswpin" || $1 == "swpin_zero" { pages += $2 } END { print pages }' /proc/vmstat; }
# It waits for nothing before it is watched: how soon that is depends on the machine.
service swapper -- "$(workload workingset)" -mib 30 -block 4096
eventually 20 "the service is seen" sees_service "$UNIT-swapper"
before=$(read_from_swap)
expect "its memory is made too small" systemctl set-property --runtime "$UNIT-swapper" MemoryHigh=20M
many() { (($(read_from_swap) - before >= 500)); }
eventually 60 "it waits for pages in swap" many
pid=$(service_pid swapper)
there() { [[ $(signal "$pid" swapin.rate) == [1-9]* ]]; }
eventually 15 "the signal tells" there
expect "the service stops" systemctl stop "$UNIT-swapper"
sysctl -qw vm.page-cluster="$cluster"
read=$(($(read_from_swap) - before))
counted() { curl -fsS "$METRICS" | awk -v of="gotuned_swapin_total{service=\"$UNIT-swapper.service\"}" 'index($0, of) == 1 { printf "%.0f", $NF }'; }
# Two threads may wait for one page, and the kernel may swap in a page of another process.
agree() {
    awk -v counted="$(counted)" -v read="$read" 'BEGIN {
        print "counted: " counted
        exit !(counted >= read * 0.97 - 5 && counted <= read * 1.03 + 5)
    }'
}
eventually 15 "all that the kernel read from swap is in the metrics ($read)" agree
echo "$read pages read, $(counted) counted"
feature "swap-ins by process" yes
