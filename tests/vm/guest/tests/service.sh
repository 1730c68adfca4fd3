# shellcheck shell=bash
# The service as systemd and an operator see it: started, ready, scraped, reloaded, watched by the watchdog, stopped.
# timeout: 90
service web -p User=web -- "$(workload httpserver)" -listen 127.0.0.1:8080

before=$(bpf_programs)
settings "probes: {goroutines: [$UNIT-web.service]}"
start_gotuned
expect_equal "the unit is active once start returns (Type=notify)" "$(systemctl show -P ActiveState,SubState gotuned | paste -sd/)" active/running
expect "a status is given" gotunectl status
expect "metrics are served" curl -fsS -o /tmp/metrics "$METRICS"
expect "the rulebook is in the metrics" grep -q '^gotuned_rulebook_info' /tmp/metrics

eventually 10 "the Go service is found, by its unit" sees_service "$UNIT-web"
expect_equal "its owner" "$(process_field "$UNIT-web" user | head -c 3)" web
expect_equal "its Go version is known" "$(process_field "$UNIT-web" go | grep -cE '^(go)?1\.')" 1
eventually 10 "its descriptors are counted" gotunectl --json signals "$(service_pid web)"
eventually 15 "its series are exported" metric_is_there "gotuned_.*$UNIT-web"

# The Go runtime's state, from the memory of another user's process.
for name in go.gomaxprocs go.goroutines go.heap.goal; do eventually 20 "$name is read" signal_is_there "$(service_pid web)" "$name"; done
feature "signals of the Go runtime" yes

# Requests, so that there is something to measure.
for _ in {1..30}; do curl -fsS -o /dev/null http://127.0.0.1:8080/; done
if kernel_is_at_least 6.6; then
    eventually 20 "goroutine.netpoll is measured" signal_is_there "$(service_pid web)" goroutine.netpoll
else
    expect "goroutine.netpoll says what it takes" logged goroutines.conf
fi
for probe in $(status '.probes[].probe'); do
    feature "probe $probe" "$(probe "$probe" | sed 's/^attached$/yes/')"
done

# Nothing is lost by a reload that fails.
sha=$(status .rulebook.sha256)
printf 'version: 1\nrules:\n  - name: broken\n    scope: process\n    when: fd.usde > 1\n' | rules
expect_not "reload fails with a broken rulebook" systemctl reload gotuned
expect "the log says where the error is" logged 50-test.yaml:5
expect_equal "the running rulebook goes on" "$(status .rulebook.sha256)" "$sha"
expect "the unit is still active" unit_is gotuned active
rm /etc/gotuned/rulebook.d/50-test.yaml
expect "reload succeeds when it is mended" systemctl reload gotuned

expect "it stops" systemctl stop gotuned
expect_equal "it ended well" "$(systemctl show -P Result gotuned)" success
expect_not "no process of it is left" pgrep -x gotuned
expect_not "the control socket is gone" test -e /run/gotuned/control.sock
expect_equal "no BPF program of it is left" "$(bpf_programs)" "$before"
