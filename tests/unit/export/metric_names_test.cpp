#include "export/metric_names.h"

#include <algorithm>
#include <map>
#include <set>

#include "catch.h"

using namespace gotuned;

namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

MetricName named(Signal signal) { return metric_name(info(signal)); }

}  // namespace

TEST_CASE("a distribution is one histogram in seconds", "[metric_names]") {
    CHECK(named(Signal::epoll_wake).family == "gotuned_epoll_wake_seconds");
    CHECK(named(Signal::epoll_wake).kind == MetricKind::histogram);
    CHECK(named(Signal::netpoll_timer_late).family == "gotuned_netpoll_timer_late_seconds");
    CHECK(named(Signal::netpoll_sleep).family == "gotuned_netpoll_sleep_seconds");
    CHECK(named(Signal::runq).family == "gotuned_runq_seconds");
}

TEST_CASE("parts of a name that stand for a kind become labels", "[metric_names]") {
    CHECK(named(Signal::syscall_read).family == "gotuned_syscall_seconds");
    CHECK(named(Signal::syscall_read).labels == Labels{{"class", "read"}});
    CHECK(named(Signal::errors_emfile).family == "gotuned_errors_total");
    CHECK(named(Signal::errors_emfile).labels == Labels{{"errno", "emfile"}});
    CHECK(named(Signal::cg_memory_events_oom_kill).family == "gotuned_cgroup_memory_events_total");
    CHECK(named(Signal::cg_memory_events_oom_kill).labels == Labels{{"event", "oom_kill"}});
}

TEST_CASE("pressure carries kind and window as labels", "[metric_names]") {
    const MetricName memory = named(Signal::cg_memory_psi_full);
    CHECK(memory.family == "gotuned_cgroup_memory_pressure_ratio");
    CHECK(memory.labels == Labels{{"kind", "full"}, {"window", "10s"}});
    CHECK(named(Signal::host_cpu_psi_some).family == "gotuned_host_cpu_pressure_ratio");
}

TEST_CASE("rates become the counters they are rates of", "[metric_names]") {
    CHECK(named(Signal::cpu_migrations).family == "gotuned_cpu_migrations_total");
    CHECK(named(Signal::cpu_migrations).kind == MetricKind::counter);
    CHECK(named(Signal::cg_memory_refault).family == "gotuned_cgroup_memory_workingset_refault_total");
    CHECK(named(Signal::cg_memory_stall_rate).family == "gotuned_cgroup_memory_stall_seconds_total");
    CHECK(named(Signal::host_cpu_context_switch).family == "gotuned_host_cpu_context_switch_total");
}

TEST_CASE("gauges carry their unit, counts carry none", "[metric_names]") {
    CHECK(named(Signal::mem_rss).family == "gotuned_mem_rss_bytes");
    CHECK(named(Signal::fd_used).family == "gotuned_fd_used");
    CHECK(named(Signal::netpoll_empty_ratio).family == "gotuned_netpoll_empty_ratio");
    CHECK(named(Signal::syscall_jitter).family == "gotuned_syscall_jitter_seconds");
    CHECK(named(Signal::cpu_allowed).family == "gotuned_cpu_allowed");
}

TEST_CASE("texts are labels of an info metric", "[metric_names]") {
    CHECK(named(Signal::go_version).kind == MetricKind::info);
    CHECK(named(Signal::go_version).family == "go_version");
    CHECK(named(Signal::host_kernel).family == "kernel");
}

TEST_CASE("limits take the smallest, counts and bytes the sum", "[metric_names]") {
    CHECK(named(Signal::fd_limit).together == Together::smallest);
    CHECK(named(Signal::cg_memory_max).together == Together::smallest);
    CHECK(named(Signal::fd_used).together == Together::sum);
    CHECK(named(Signal::mem_rss).together == Together::sum);
    CHECK(named(Signal::cpu_usage).together == Together::sum);
    CHECK(named(Signal::cg_cpu_throttled).together == Together::mean);
    CHECK(named(Signal::conn_open).together == Together::sum);
}

TEST_CASE("ratios are weighted by what they are a share of, what a namespace shares is not added up",
          "[metric_names]") {
    CHECK(named(Signal::tcp_retransmit_ratio).family == "gotuned_tcp_retransmit_ratio");
    CHECK(named(Signal::tcp_retransmit_ratio).together == Together::weighted);
    CHECK(named(Signal::tcp_retransmit_ratio).weight == Signal::tcp_segments);
    CHECK(named(Signal::tcp_connect_success).weight == Signal::tcp_connect);
    CHECK(named(Signal::conn_active_close).weight == Signal::conn_close);
    CHECK(named(Signal::conn_stale).weight == Signal::conn_open);
    CHECK(named(Signal::netpoll_empty_ratio).weight == Signal::netpoll_poll_rate);
    CHECK(named(Signal::udp_rcvbuf_errors).family == "gotuned_udp_rcvbuf_errors_total");
    CHECK(named(Signal::udp_rcvbuf_errors).together == Together::largest);
    CHECK(named(Signal::netpoll_wait).family == "gotuned_netpoll_wait_seconds");
    CHECK(named(Signal::conn_rate).family == "gotuned_conn_total");
    CHECK(named(Signal::conn_lifetime).family == "gotuned_conn_lifetime_seconds");
}

TEST_CASE("a family has one kind, and each of its signals labels of its own", "[metric_names]") {
    std::map<std::string, MetricKind> kinds;
    std::set<std::pair<std::string, Labels>> series;
    for (const SignalInfo& signal : signals()) {
        const MetricName name = metric_name(signal);
        if (name.kind == MetricKind::info) continue;
        CAPTURE(signal.name, name.family);
        CHECK(kinds.try_emplace(name.family, name.kind).first->second == name.kind);
        CHECK(series.insert({name.family, name.labels}).second);
        CHECK_FALSE(name.help.empty());
        CHECK(std::all_of(name.family.begin(), name.family.end(),
                          [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }));
    }
}
