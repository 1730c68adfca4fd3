# shellcheck shell=bash
# A service that the OOM killer ends is told from one that somebody kills, and its restarts are counted.
# timeout: 90
rules <<'YAML'
version: 1
YAML
settings
service killed -p Restart=always -p RestartSec=1 -- "$(workload httpserver)" -listen 127.0.0.1:8082
start_gotuned
eventually 20 "the service is found" sees_service vmtest-killed
kill -KILL "$(service_pid killed)"
killed='^gotuned_exit_causes_total{service="vmtest-killed.service",cause="killed"} [1-9]'
eventually 20 "a kill is a kill" metric_is_there "$killed"
eventually 20 "it was restarted" metric_is_there '^gotuned_restarts_total{service="vmtest-killed.service"} [1-9]'
service greedy -p MemoryMax=24M -p MemorySwapMax=0 -p Restart=always -p RestartSec=3 -- "$(workload workingset)" -mib 60 -block 4096
oom='^gotuned_exit_causes_total{service="vmtest-greedy.service",cause="oom"} [1-9]'
eventually 40 "an OOM kill is an OOM kill" metric_is_there "$oom"
feature "exits by cause" yes
