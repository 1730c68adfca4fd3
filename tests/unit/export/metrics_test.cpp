#include "export/metrics.h"

#include <algorithm>
#include <cmath>

#include "catch.h"
#include "world.h"

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;

TEST_CASE("a counter does not fall when a process exits", "[metrics]") {
    World world;
    Metrics metrics({});
    const auto emfile = [](double rate_value) {
        return [rate_value](SignalTable& table) { table.set(Signal::errors_emfile, over(rate(rate_value), tick)); };
    };
    world.process(1, "payments", emfile(10));
    world.process(2, "payments", emfile(2));
    world.tell(metrics);
    const std::string name = "gotuned_errors_total{service=\"payments\",errno=\"emfile\"}";
    CHECK(sample(metrics, name) == 60);

    world.process(2, "payments", emfile(4), true);
    world.process(1, "payments", emfile(0));
    world.tell(metrics);
    CHECK(sample(metrics, name) == 80);  // with what it did in its last tick

    world.gone(2);
    world.process(1, "payments", emfile(0));
    world.tell(metrics);
    CHECK(sample(metrics, name) == 80);
}

TEST_CASE("a state that is published again, because nothing happened, is counted once", "[metrics]") {
    World world;
    Metrics metrics({});
    world.process(1, "idle", [](SignalTable& table) {
        table.set(Signal::cpu_migrations, over(rate(3), tick));
        table.set(Signal::epoll_wake, distribution({10us}));
        table.set(Signal::mem_rss, bytes(4096));
    });
    world.tell(metrics);
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_cpu_migrations_total{service=\"idle\"}") == 15);
    CHECK(sample(metrics, "gotuned_epoll_wake_seconds_count{service=\"idle\"}") == 1);
    CHECK(sample(metrics, "gotuned_mem_rss_bytes{service=\"idle\"}") == 4096);
}

TEST_CASE("a cgroup that was read late is counted over the time since it was read before", "[metrics]") {
    World world;
    Metrics metrics({});
    world.cgroup_of_new_processes = 9;
    world.process(1, "x");
    const auto reads = [&world] {
        world.cgroup(9, [](SignalTable& table) { table.set(Signal::cg_memory_events_high, rate(2)); });
    };
    reads();
    world.tell(metrics);
    world.tell(metrics);  // not read: the same state
    world.snapshot.at += tick;
    reads();
    world.snapshot.at -= tick;
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_cgroup_memory_events_total{service=\"x\",event=\"high\"}") == 2 * 5 + 2 * 15);
}

TEST_CASE("calls of a tick in which no window was open are counted though their signal is absent", "[metrics]") {
    World world;
    Metrics metrics({});
    const std::string count = "gotuned_syscall_seconds_count{service=\"x\",class=\"fsync\"}";
    world.process(1, "x", [](SignalTable& table) { table.set(Signal::syscall_fsync, distribution({1ms})); });
    world.tell(metrics);
    CHECK(sample(metrics, count) == 1);
    world.process(1, "x",
                  [](SignalTable& table) { table.set(Signal::syscall_fsync, Absent{Absence::not_observed, {}}); });
    auto state = std::make_shared<ProcessState>(*world.snapshot.processes.begin()->second);
    state->beside = {{Signal::syscall_fsync, std::get<DistributionPtr>(*distribution({40ms, 50ms}).value)}};
    world.snapshot.processes.begin()->second = state;
    world.tell(metrics);
    CHECK(sample(metrics, count) == 3);
    world.tell(metrics);  // the same state
    CHECK(sample(metrics, count) == 3);
}

TEST_CASE("histogram buckets are cumulative powers of 4 by default and of 2 when full", "[metrics]") {
    const auto text_with = [](bool full) {
        World world;
        SeriesLimits limits;
        limits.full_buckets = full;
        Metrics metrics(limits);
        world.process(1, "s",
                      [](SignalTable& table) { table.set(Signal::runq, distribution({500ns, 1500ns, 3us, 20s})); });
        world.tell(metrics);
        return *metrics.text();
    };
    const std::string coarse = text_with(false);
    CHECK(coarse.find("gotuned_runq_seconds_bucket{service=\"s\",le=\"1.024e-06\"} 1\n") != std::string::npos);
    CHECK(coarse.find("le=\"2.048e-06\"") == std::string::npos);
    CHECK(coarse.find("gotuned_runq_seconds_bucket{service=\"s\",le=\"4.096e-06\"} 3\n") != std::string::npos);
    CHECK(coarse.find("gotuned_runq_seconds_bucket{service=\"s\",le=\"17.179869184\"} 3\n") != std::string::npos);
    CHECK(coarse.find("gotuned_runq_seconds_bucket{service=\"s\",le=\"+Inf\"} 4\n") != std::string::npos);
    CHECK(coarse.find("gotuned_runq_seconds_count{service=\"s\"} 4\n") != std::string::npos);
    CHECK(text_with(true).find("gotuned_runq_seconds_bucket{service=\"s\",le=\"2.048e-06\"} 2\n") != std::string::npos);
}

TEST_CASE("fractions of events add up over ticks and never make a bucket fall", "[metrics]") {
    World world;
    Metrics metrics({});
    double last = 0;
    for (int i = 0; i < 10; ++i) {
        world.process(1, "s", [](SignalTable& table) { table.set(Signal::syscall_read, distribution({2us}, 0.4)); });
        world.tell(metrics);
        const double count =
            std::max(0.0, sample(metrics, "gotuned_syscall_seconds_count{service=\"s\",class=\"read\"}"));
        CHECK(count >= last);
        last = count;
    }
    CHECK(last >= 3);  // 10 × 0.4, rounded down
}

TEST_CASE("leave to exceed the safe bounds is exported", "[metrics]") {
    World world;
    Metrics metrics({});
    world.tell(metrics);
    CHECK(has(metrics, "gotuned_adjust_unsafe 0\n"));
    world.input.unsafe_bounds = true;
    world.tell(metrics);
    CHECK(has(metrics, "gotuned_adjust_unsafe 1\n"));
}

TEST_CASE("an empty histogram is not exported", "[metrics]") {
    World world;
    Metrics metrics({});
    world.process(1, "s", [](SignalTable& table) { table.set(Signal::epoll_wake, distribution({})); });
    world.tell(metrics);
    CHECK_FALSE(has(metrics, "gotuned_epoll_wake_seconds"));
}

TEST_CASE("gauges of a service are summed, of limits the smallest is taken", "[metrics]") {
    World world;
    Metrics metrics({});
    for (const int pid : {1, 2})
        world.process(pid, "s", [pid](SignalTable& table) {
            table.set(Signal::fd_used, count(10.0 * pid));
            table.set(Signal::fd_limit, count(1000.0 * pid));
            table.set(Signal::fd_hard, count(unlimited_value));
            table.set(Signal::nproc_used, count(77));
        });
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_fd_used{service=\"s\"}") == 30);
    CHECK(sample(metrics, "gotuned_fd_limit{service=\"s\"}") == 1000);
    CHECK(has(metrics, "gotuned_fd_hard{service=\"s\"} +Inf\n"));
    CHECK(sample(metrics, "gotuned_nproc_used{service=\"s\"}") == 77);  // both say the whole of their user
    CHECK(sample(metrics, "gotuned_service_processes{service=\"s\"}") == 2);
}

TEST_CASE("ratios of polls and jitter are weighted by what they are made of", "[metrics]") {
    World world;
    Metrics metrics({});
    const auto fill = [&world](pid_t pid, double polls, double empty, double jitter_value,
                               std::initializer_list<Duration> reads) {
        world.process(pid, "s", [&](SignalTable& table) {
            table.set(Signal::netpoll_poll_rate, over(rate(polls), tick));
            table.set(Signal::netpoll_empty_ratio, over(ratio(empty), tick));
            table.set(Signal::syscall_read, distribution(reads));
            table.set(Signal::syscall_jitter, over(Quantity{jitter_value, unit::time}, tick));
        });
    };
    fill(1, 300, 0.5, 0.003, {1us, 1us, 1us});
    fill(2, 100, 0.1, 0.001, {1us});
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_netpoll_empty_ratio{service=\"s\"}") == Approx(0.4));
    CHECK(sample(metrics, "gotuned_syscall_jitter_seconds{service=\"s\"}") == Approx(std::sqrt((3 * 9e-6 + 1e-6) / 4)));
}

TEST_CASE("a service's retransmission ratio is that of all its segments, and what a namespace lost is lost once",
          "[metrics]") {
    World world;
    Metrics metrics(SeriesLimits{});
    const auto add = [&world](pid_t pid, double segments, double share) {
        world.process(pid, "s", [&](SignalTable& table) {
            table.set(Signal::tcp_segments, over(rate(segments), tick));
            table.set(Signal::tcp_retransmit_ratio, over(ratio(share), tick));
            table.set(Signal::udp_rcvbuf_errors, over(rate(2), tick));
        });
    };
    for (int i = 0; i < 3; ++i) {
        add(1, 300, 0.0);
        add(2, 100, 0.2);
        world.tell(metrics);
        CHECK(sample(metrics, "gotuned_tcp_retransmit_ratio{service=\"s\"}") == Approx(0.05));
        CHECK(sample(metrics, "gotuned_tcp_segments_total{service=\"s\"}") == Approx(2000 * (i + 1)));
        CHECK(sample(metrics, "gotuned_udp_rcvbuf_errors_total{service=\"s\"}") == Approx(10 * (i + 1)));
    }
}

TEST_CASE("an absent signal is no number, but is counted with its reason", "[metrics]") {
    World world;
    Metrics metrics({});
    world.process(1, "s", [](SignalTable& table) {
        table.set(Signal::fd_used, Absent{Absence::not_permitted, {}});
        table.set(Signal::fd_limit, count(5));
    });
    world.process(2, "s", [](SignalTable& table) { table.set(Signal::fd_used, Absent{Absence::not_permitted, {}}); });
    world.tell(metrics);
    CHECK_FALSE(has(metrics, "gotuned_fd_used{"));
    CHECK(sample(metrics, "gotuned_signal_absent{signal=\"fd.used\",reason=\"not_permitted\"}") == 2);
    CHECK(sample(metrics, "gotuned_signal_absent{signal=\"fd.limit\",reason=\"not_observed\"}") == 1);
}

TEST_CASE("services beyond the cap are summed as other", "[metrics]") {
    World world;
    SeriesLimits limits;
    limits.max_services = 2;
    Metrics metrics(limits);
    for (const int pid : {1, 2, 3, 4})
        world.process(pid, "s" + std::to_string(pid),
                      [](SignalTable& table) { table.set(Signal::mem_rss, bytes(100)); });
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_mem_rss_bytes{service=\"s1\"}") == 100);
    CHECK(sample(metrics, "gotuned_mem_rss_bytes{service=\"other\"}") == 200);
    CHECK(sample(metrics, "gotuned_services") == 2);
}

TEST_CASE("the text has no more lines than it may", "[metrics]") {
    World world;
    SeriesLimits limits;
    limits.max_lines = 1000;
    Metrics metrics(limits);
    for (int i = 0; i < 5; ++i) {
        for (pid_t pid = 1; pid <= 80; ++pid)
            world.process(pid, "s" + std::to_string(pid), [](SignalTable& table) {
                for (const Signal signal : {Signal::epoll_wake, Signal::runq, Signal::syscall_read})
                    table.set(signal, distribution({5us}));
            });
        world.tell(metrics);
        const std::string& text = *metrics.text();
        CHECK(std::count(text.begin(), text.end(), '\n') <= 1000);
    }
    CHECK(has(metrics, "service=\"other\""));
    CHECK(has(metrics, "service=\"s1\""));
}

TEST_CASE("a hostile name cannot break the text", "[metrics]") {
    World world;
    Metrics metrics({});
    world.process(1, "a\xff\"\n\\x{} 1\nfake_metric 1",
                  [](SignalTable& table) { table.set(Signal::mem_rss, bytes(1)); });
    world.tell(metrics);
    const std::string& text = *metrics.text();
    CHECK(text.find("\nfake_metric") == std::string::npos);
    CHECK(text.find('\xff') == std::string::npos);
    CHECK(has(metrics, "gotuned_mem_rss_bytes{service=\"a\xEF\xBF\xBD\\\"?\\\\x{} 1?fake_metric 1\"} 1\n"));
}

TEST_CASE("one text is made a tick, and it stays as it was for who holds it", "[metrics]") {
    World world;
    Metrics metrics({});
    world.process(1, "s", [](SignalTable& table) { table.set(Signal::mem_rss, bytes(1)); });
    world.tell(metrics);
    const auto first = metrics.text();
    CHECK(metrics.text() == first);
    world.process(1, "s", [](SignalTable& table) { table.set(Signal::mem_rss, bytes(2)); });
    world.tell(metrics);
    CHECK(first->find("gotuned_mem_rss_bytes{service=\"s\"} 1\n") != std::string::npos);
    CHECK(sample(metrics, "gotuned_mem_rss_bytes{service=\"s\"}") == 2);
}

TEST_CASE("a firing counts once while it is repeated, and verification is timed from the condition's start",
          "[metrics]") {
    World world;
    Metrics metrics({});
    const ProcessId target{1, 100, 7};
    Evaluation evaluation;
    Decision decision;
    decision.kind = DecisionKind::fire;
    decision.rule = "raise-nofile";
    decision.target = target;
    RuleStanding standing;
    standing.rule = "raise-nofile";
    standing.target = target;
    standing.state = RuleStanding::State::firing;
    standing.held = 5s;
    evaluation.decisions = {decision};
    evaluation.standings = {standing};
    evaluation.targets = {{standing.rule, 3}};
    evaluation.unknowns[{"raise-nofile", Absence::low_exposure}] = 2;
    world.input.evaluation = &evaluation;
    world.tell(metrics);
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_decisions_total{rule=\"raise-nofile\"}") == 1);
    CHECK(sample(metrics, "gotuned_rule_state{rule=\"raise-nofile\",state=\"firing\"}") == 1);
    CHECK(sample(metrics, "gotuned_rule_state{rule=\"raise-nofile\",state=\"idle\"}") == 2);
    CHECK(sample(metrics, "gotuned_unknown_conditions_total{rule=\"raise-nofile\",reason=\"low_exposure\"}") == 4);

    LiveAdjustment live;
    live.rule = "raise-nofile";
    live.target = target;
    world.input.adjustments = {live};
    evaluation.decisions.clear();
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_adjustments{state=\"applied\"}") == 1);
    decision.kind = DecisionKind::keep;
    decision.verified = true;
    evaluation.decisions = {decision};
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_detect_to_verified_seconds_sum") == 20);  // 5 s held, and three ticks
    CHECK(sample(metrics, "gotuned_detect_to_verified_seconds_count") == 1);

    // A second step, while the condition has held all the time: a tick from its own firing to its own verification.
    decision.kind = DecisionKind::fire;
    decision.step = 2;
    evaluation.decisions = {decision};
    evaluation.standings[0].held = 1h;
    world.tell(metrics);
    decision.kind = DecisionKind::keep;
    evaluation.decisions = {decision};
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_detect_to_verified_seconds_sum") == 25);
    CHECK(sample(metrics, "gotuned_detect_to_verified_seconds_count") == 2);
}

TEST_CASE("the daemon tells of its probes, its rulebook and itself", "[metrics]") {
    World world;
    Metrics metrics({});
    ProbeReport attached;
    attached.probe = "sched_switch";
    attached.tier = "raw_tp";
    attached.attached = true;
    attached.cpu_seconds = 1.5;
    ProbeReport refused;
    refused.probe = "sys_exit";
    refused.tier = "none";
    refused.reason = "lockdown";
    world.input.probes = {attached, refused};
    world.input.drops = {{"sched", "ring_full", 3}};
    world.input.totals = {{"r", "rlimit.nofile", "kept", 2}};
    world.input.rulebook.sha256 = "abc";
    world.input.rulebook.version = 1;
    world.input.rulebook.profile = "observe";
    world.input.cost.tick = 3ms;
    world.input.cost.cpu_seconds = 12;
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_probe_attached{probe=\"sched_switch\",tier=\"raw_tp\",reason=\"\"}") == 1);
    CHECK(sample(metrics, "gotuned_probe_attached{probe=\"sys_exit\",tier=\"none\",reason=\"lockdown\"}") == 0);
    CHECK(sample(metrics, "gotuned_probe_cpu_seconds_total{probe=\"sched_switch\"}") == 1.5);
    CHECK(sample(metrics, "gotuned_probe_dropped_total{probe=\"sched\",reason=\"ring_full\"}") == 3);
    CHECK(sample(metrics, "gotuned_adjustments_total{rule=\"r\",knob=\"rlimit.nofile\",outcome=\"kept\"}") == 2);
    CHECK(sample(metrics, "gotuned_rulebook_info{sha256=\"abc\",version=\"1\",profile=\"observe\"}") == 1);
    CHECK(sample(metrics, "gotuned_tick_seconds_count") == 1);
    CHECK(sample(metrics, "process_cpu_seconds_total") == 12);
    CHECK(has(metrics, "gotuned_build_info{version="));
}

TEST_CASE("before the first Snapshot there is a text already", "[metrics]") {
    const Metrics metrics({});
    CHECK(has(metrics, "gotuned_build_info"));
}

TEST_CASE("two reports of one name become one sample, since a duplicate fails the whole scrape", "[metrics]") {
    World world;
    Metrics metrics({});
    ProbeReport one;
    one.probe = "sys_exit";
    one.tier = "raw_tp";
    one.attached = true;
    one.cpu_seconds = 1;
    ProbeReport other = one;
    other.tier = "tracepoint";
    other.cpu_seconds = 2;
    world.input.probes = {one, other};
    world.input.totals = {{"r", "k", "kept", 1}, {"r", "k", "kept", 2}};
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_probe_cpu_seconds_total{probe=\"sys_exit\"}") == 3);
    CHECK(sample(metrics, "gotuned_adjustments_total{rule=\"r\",knob=\"k\",outcome=\"kept\"}") == 3);
    const std::string& text = *metrics.text();
    const std::string name = "gotuned_probe_cpu_seconds_total{probe=\"sys_exit\"}";
    CHECK(text.find(name) == text.rfind(name));
}

TEST_CASE("a Snapshot between two ticks adds only what it has read anew", "[metrics]") {
    World world;
    Metrics metrics({});
    world.cgroup_of_new_processes = 9;
    world.process(1, "x", [](SignalTable& table) { table.set(Signal::cpu_migrations, over(rate(3), tick)); });
    const auto reads = [&world](double stall, double high, Duration window) {
        world.cgroup(9, [&](SignalTable& table) {
            table.set(Signal::cg_memory_events_high, over(rate(high), window));
            table.set(Signal::cg_memory_stall_rate, over(ratio(stall), window));
            table.set(Signal::cg_pids_current, count(4));
        });
    };
    reads(0, 1, tick);
    world.snapshot.host.signals.set(Signal::host_cpu_context_switch, over(rate(100), tick));
    world.snapshot.host.signals.set(Signal::host_swap_in, over(Quantity{1000, unit::bytes_per_second}, tick));
    world.tell(metrics);

    reads(0.5, 10, 200ms);
    world.snapshot.host.signals.set(Signal::host_swap_in, over(Quantity{5000, unit::bytes_per_second}, 200ms));
    world.snapshot.woken_for = {{CgroupId{9}}};
    PressureReport pressure;
    pressure.events = 3;
    pressure.empty = 1;
    pressure.wakes = 2;
    metrics.woken(world.next(200ms), Evaluation{}, pressure);
    CHECK(sample(metrics, "gotuned_pressure_wakeups_total") == 2);
    CHECK(sample(metrics, "gotuned_pressure_events_total{kind=\"stall\"}") == 2);
    CHECK(sample(metrics, "gotuned_cgroup_memory_stall_seconds_total{service=\"x\"}") == Approx(0.1));
    CHECK(sample(metrics, "gotuned_cgroup_memory_events_total{service=\"x\",event=\"high\"}") == Approx(7));
    CHECK(sample(metrics, "gotuned_host_swap_in_bytes_total") == Approx(6000));
    CHECK(sample(metrics, "gotuned_host_cpu_context_switch_total") == Approx(500));
    CHECK(sample(metrics, "gotuned_cpu_migrations_total{service=\"x\"}") == Approx(15));
    CHECK(sample(metrics, "gotuned_cgroup_pids_current{service=\"x\"}") == 4);
}

TEST_CASE("one event is one, whatever the time it was seen in", "[metrics]") {
    World world;
    Metrics metrics({});
    world.snapshot.host.signals.set(Signal::host_clock_step, over(rate(1.0 / 49), 49s));
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_host_clock_step_total") == 1);
}

TEST_CASE("exits are counted once a service, however many processes tell of them", "[metrics]") {
    World world;
    Metrics metrics({});
    const auto fill = [](SignalTable& table) {
        table.set(Signal::exit_total, over(rate(0.4), tick));
        table.set(Signal::exit_oom, over(rate(0.2), tick));
    };
    world.process(1, "x", fill);
    world.process(2, "x", fill);
    world.snapshot.lives["x"] = ServiceLife{2, 0, 1, 0, 1};
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_exits_total{service=\"x\"}") == 2);
    CHECK(sample(metrics, "gotuned_exit_causes_total{service=\"x\",cause=\"oom\"}") == 1);
    CHECK(sample(metrics, "gotuned_restarts_total{service=\"x\"}") == 1);
    world.snapshot.lives.clear();
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_exits_total{service=\"x\"}") == 2);
}

TEST_CASE("a service whose processes live has counted no exit", "[metrics]") {
    World world;
    Metrics metrics({});
    world.process(1, "x", [](SignalTable& table) { table.set(Signal::exit_total, over(rate(0), tick)); });
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_exits_total{service=\"x\"}") == 0);
}

TEST_CASE("what there is one of each of has its name as a label", "[metrics]") {
    World world;
    Metrics metrics({});
    auto& await = world.snapshot.host.keyed[Signal::host_block_await];
    await["vda"] = {SignalValue(Quantity{0.02, unit::time}), {}};
    await["sda"] = {Absent{Absence::no_data, {}}, {}};
    world.tell(metrics);
    CHECK(sample(metrics, "gotuned_host_block_await_seconds{device=\"vda\"}") == 0.02);
    CHECK_FALSE(has(metrics, "device=\"sda\""));
    CHECK_FALSE(has(metrics, "gotuned_signal_absent{signal=\"host.block.await\""));
    world.snapshot.host.keyed.clear();
    world.tell(metrics);
    CHECK_FALSE(has(metrics, "gotuned_host_block_await_seconds{"));
}
