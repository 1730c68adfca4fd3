# shellcheck shell=bash
# A step of the wall clock is told at once: in the log, the history and the metrics.
# boot: own
# timeout: 60
rules <<'YAML'
version: 1
YAML
settings
start_gotuned
eventually 20 "the clock's source is known" metric_is_there '^gotuned_host_info{.*clock_source="'
expect "the clock can be set" date -s '+90 seconds'
# date(1) reads the clock, adds, and sets it: what passes between is not in the step.
stepped() { logged "the wall clock was set forward by " | grep -E 'by (8[5-9][.s]|90[.s]|1m2[5-9]|1m30)' >/dev/null; }
eventually 10 "the log tells of it" stepped
eventually 20 "the metric counts it" metric_is_there '^gotuned_host_clock_step_total [1-9]'
told() { gotunectl --json history | jq -e '.entries | any(.event == "clock_step")' >/dev/null; }
eventually 10 "the history tells of it" told
date -s '-90 seconds' >/dev/null
feature "steps of the wall clock" yes
