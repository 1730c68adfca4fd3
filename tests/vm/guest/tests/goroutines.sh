# shellcheck shell=bash
# probes.goroutines before Linux 6.6: with its drop-in goroutine.netpoll is measured, and the program runs on.
# kernels: 5.10 6.1
# timeout: 90
service web -p User=web -- "$(workload httpserver)" -listen 127.0.0.1:8080
settings "probes: {goroutines: [$UNIT-web.service]}"
# As systemd/examples/goroutines.conf: the image has no documentation.
mkdir -p /run/systemd/system/gotuned.service.d
printf '[Service]\nCapabilityBoundingSet=CAP_SYS_ADMIN\nSystemCallFilter=perf_event_open\n' \
    >/run/systemd/system/gotuned.service.d/goroutines.conf
trap 'rm -r /run/systemd/system/gotuned.service.d; systemctl daemon-reload' EXIT
systemctl daemon-reload
start_gotuned
asked() {
    for _ in {1..20}; do curl -fsS -o /dev/null http://127.0.0.1:8080/ || return 1; done
    signal_is_there "$(service_pid web)" goroutine.netpoll
}
eventually 30 "goroutine.netpoll is measured" asked
stop_gotuned
expect "the program runs on without the probes" curl -fsS -o /dev/null http://127.0.0.1:8080/
feature "signal goroutine.netpoll with examples/goroutines.conf" yes
