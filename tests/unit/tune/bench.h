// An engine on a bench: a clock that is moved by hand, a run directory of its own, sysctls in a fake tree (or the
// real /proc), decisions made by the test.
#pragma once

#include <poll.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "catch.h"
#include "temporary.h"
#include "tune/engine.h"
#include "tune/journal.h"

namespace gotuned::test {

/// Keeps what it is told.
class Told final : public History {
public:
    void add(HistoryEntry entry) override { all.push_back(std::move(entry)); }
    Result<std::vector<HistoryEntry>> newest(std::size_t, const std::string&, const std::string&) override {
        return all;
    }
    [[nodiscard]] std::size_t count(const std::string& event) const {
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [&](const HistoryEntry& e) { return e.event == event; }));
    }
    [[nodiscard]] HistoryEntry last(const std::string& event) const {
        for (auto e = all.rbegin(); e != all.rend(); ++e)
            if (e->event == event) return *e;
        return {};
    }
    std::vector<HistoryEntry> all{};
};

inline Rule rule(const std::string& name, const std::vector<std::string>& knobs, Mode mode = Mode::enforce) {
    Rule made;
    made.name = name;
    made.mode = mode;
    for (const std::string& knob : knobs) made.adjust.emplace_back().knob = knob;
    return made;
}
inline Rulebook rulebook(std::vector<Rule> rules) {
    Rulebook made;
    made.rules = std::move(rules);
    return made;
}

struct Bench {
    Temporary dir{};
    ManualClock clock{};
    Told told{};
    EngineOptions options{};
    std::unique_ptr<Engine> engine{};

    /// With sysctls in a fake tree; `real_proc`: with the machine's own /proc and processes.
    enum class Proc { fake, real };
    explicit Bench(Proc proc = Proc::fake) {
        if (proc == Proc::fake) {
            dir.put("proc/sys/kernel/random/boot_id", "boot-a\n");
            dir.put("proc/sys/vm/swappiness", "60\n");
            dir.put("proc/sys/vm/page-cluster", "3\n");
            dir.put("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
            options.roots.proc = dir / "proc";
        }
        options.roots.systemd = dir / "systemd";  // not there: no systemd
        options.run_dir = dir / "run";
        options.per_minute = 100;
    }

    Engine& start() {
        engine.reset();
        auto opened = Engine::open(options, clock, &told);
        if (!opened) FAIL(to_string(opened.error()));
        engine = std::move(*opened);
        return *engine;
    }
    /// As after a restart of the daemon: opens, recovers, and waits for what that puts back.
    Engine& restart(const Rulebook* book) {
        start();
        REQUIRE(engine->recover(*snapshot(), book));
        settle();
        return *engine;
    }
    void settle() const {
        while (engine->busy()) {
            pollfd waiter{engine->completion_fd(), POLLIN, 0};
            REQUIRE(::poll(&waiter, 1, 10000) == 1);
            engine->complete();
        }
    }

    std::shared_ptr<Snapshot> now_seen = std::make_shared<Snapshot>();
    [[nodiscard]] SnapshotPtr snapshot() const {
        now_seen->at = clock.mono();
        return now_seen;
    }
    void see(const ProcessId& id, const std::string& service = "payments") const {
        auto process = std::make_shared<GoProcess>();
        process->id = id;
        auto state = std::make_shared<ProcessState>();
        state->process = process;
        state->service = service;
        now_seen->processes[id] = state;
    }

    [[nodiscard]] Decision fire(const std::string& by, const TargetId& target,
                                const std::vector<std::pair<std::string, Value>>& writes) const {
        Decision decision;
        decision.kind = DecisionKind::fire;
        decision.rule = by;
        decision.target = target;
        decision.at = clock.mono();
        decision.mode = Mode::enforce;
        decision.cooldown = std::chrono::minutes(10);
        decision.evidence.text = "fd.used / fd.limit";
        for (const auto& [knob, to] : writes) {
            PlannedWrite& write = decision.writes.emplace_back();
            write.knob = knob;
            write.to = to;
        }
        return decision;
    }
    void act(const Decision& decision) const {
        engine->act({decision}, snapshot());
        settle();
    }
    void verdict(DecisionKind kind, Otherwise otherwise = Otherwise::undo, UndoCause cause = UndoCause::other) const {
        const LiveAdjustment live = engine->live().at(0);
        Decision decision;
        decision.kind = kind;
        decision.rule = live.rule;
        decision.target = live.target;
        decision.group = live.group;
        decision.at = clock.mono();
        decision.cause = cause;
        decision.mode = Mode::enforce;
        decision.verified = true;
        decision.otherwise = otherwise;
        decision.reason = "the test says so";
        act(decision);
    }
    void keep() const { verdict(DecisionKind::keep); }
    void fail() const { verdict(DecisionKind::fail); }
    void undo(UndoCause cause = UndoCause::other) const { verdict(DecisionKind::undo, Otherwise::undo, cause); }
    void call_off() const { verdict(DecisionKind::call_off); }
    void tick(Duration after = std::chrono::seconds(5)) {
        clock.advance(after);
        engine->tick(snapshot());
        settle();
    }
    std::vector<UndoOutcome> undo_asked(std::int64_t id, bool force) const {
        std::vector<UndoOutcome> outcomes;
        bool called = false;
        engine->undo(id, force, "uid 0 (root)", [&](std::vector<UndoOutcome> all) {
            called = true;
            outcomes = std::move(all);
        });
        settle();
        REQUIRE(called);
        return outcomes;
    }

    [[nodiscard]] std::string sysctl(const std::string& name) const {
        const std::string content = dir.get("proc/sys/" + name);
        return std::string(trim(content));
    }
    void set_sysctl(const std::string& name, const std::string& text) const {
        dir.put("proc/sys/" + name, text + "\n");
    }
    [[nodiscard]] LiveAdjustment only() const {
        REQUIRE(engine->live().size() == 1);
        return engine->live()[0];
    }
    [[nodiscard]] std::string refusal() const { return told.last("refused").reason; }
};

inline constexpr const char* swappiness = "sysctl.vm.swappiness";
inline constexpr const char* page_cluster = "sysctl.vm.page-cluster";

}  // namespace gotuned::test
