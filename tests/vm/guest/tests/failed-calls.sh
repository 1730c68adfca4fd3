# shellcheck shell=bash
# Calls that fail for want of descriptors are seen always where fexit is to be had: each one that the program itself counts.
# timeout: 100
settings
start_gotuned
has_fexit failed_calls "failed calls are seen always" || return 0
service limit -p User=web -p LimitNOFILE=64:100 -- "$(workload fdlimit)" -soft 64 -connections 60 -close-after 0
eventually 40 "the server runs into its limit" service_said limit '"event":"full"'
tally() { service_log limit | jq -r 'select(.event == "state") | .emfile_accept + .emfile_dial' | tail -n 1; }
many() { (($(tally) >= 50)); }
eventually 40 "and goes on failing" many
expect "its limit is raised" prlimit --pid "$(service_pid limit)" --nofile=1000:1000
sleep 4
counted() { curl -fsS "$METRICS" | awk -v of="{service=\"$UNIT-limit.service\",errno=\"emfile\"}" 'index($0, "gotuned_errors_total" of) == 1 { printf "%.0f", $NF }'; }
all_counted() { [[ $(counted) == "$(tally)" ]]; }
eventually 15 "all that the program counted are in the metrics, and no more" all_counted
echo "$(tally) failed calls, $(counted) counted"
feature "failed calls are seen always" yes
