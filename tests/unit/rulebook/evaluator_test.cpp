// When a rule fires, and for whom.
#include "rulebook/evaluator.h"

#include "rulebook/rule_state.h"
#include "rules.h"

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;

TEST_CASE("a rule for 0s fires at the first Snapshot where its condition is true") {
    Scene scene({rule()});
    scene.roomy();
    scene.look();
    CHECK_FALSE(scene.fired());
    CHECK(scene.standing().state == RuleStanding::State::idle);
    scene.full();
    scene.look();
    CHECK(scene.fired());
    CHECK(scene.standing().state == RuleStanding::State::firing);
}

TEST_CASE("an idle rule remembers nothing of a target, and sees when its state is another") {
    Scene scene({rule()});
    scene.roomy();
    for (int i = 0; i < 3; ++i) {
        scene.look();
        CHECK(scene.last.targets.at("raise-nofile") == 1);
        CHECK(scene.last.standings.empty());
        CHECK(scene.state.data().cells.empty());
        CHECK(scene.state.data().judged.size() == 1);
    }
    scene.full();
    scene.look();
    CHECK(scene.fired());
    scene.blind();
    scene.look();
    CHECK(scene.last.unknowns.size() == 1);
    scene.look();
    CHECK(scene.last.unknowns.size() == 1);  // each time anew
    scene.world.snapshot.processes.clear();
    scene.look();
    CHECK(scene.state.data().judged.empty());
    CHECK(scene.last.targets.at("raise-nofile") == 0);
}

TEST_CASE("a rule for 5s at a tick of 5s fires at the second Snapshot") {
    Rule five = rule();
    five.for_ = 5s;
    Scene scene({five});
    scene.full();
    scene.look();
    CHECK_FALSE(scene.fired());
    CHECK(scene.standing().state == RuleStanding::State::pending);
    scene.look();
    CHECK(scene.fired());
    CHECK(scene.standing().held == 5s);
}

TEST_CASE("the clock of `for` follows this table") {
    // t true, f false, ? unknown; the answer: at which Snapshots a rule for 10s fires at a tick of 5 s.
    const struct {
        std::string seen, fires;
    } table[] = {{"tttt", "..!!"},         {"ttfttt", ".....!"}, {"tt?tt", "....!"},    {"tt??tt", ".....!"},
                 {"tt???ttt", ".......!"}, {"???ttt", ".....!"}, {"ttt?t", "..!.!"},    {"t?t?t?t", "......."},
                 {"ffff", "...."},         {"????", "...."},     {"tttfttt", "..!...!"}};
    for (const auto& row : table) {
        INFO(row.seen);
        Rule ten = rule();
        ten.for_ = 10s;
        Scene scene({ten});
        std::string fires;
        for (const char seen : row.seen) {
            if (seen == 't') scene.full();
            if (seen == 'f') scene.roomy();
            if (seen == '?') scene.blind();
            scene.look();
            fires += scene.fired() ? '!' : '.';
        }
        CHECK(fires == row.fires);
    }
}

TEST_CASE("the same Snapshot again moves no clock") {
    Rule five = rule();
    five.for_ = 5s;
    Scene scene({five});
    scene.full();
    scene.look();
    for (int i = 0; i < 5; ++i) scene.again();
    CHECK_FALSE(scene.fired());
    CHECK(scene.standing().held == 0s);
    scene.look();
    scene.again();
    CHECK(scene.fired());
}

TEST_CASE("an unknown condition never fires and is counted with its reason") {
    Scene scene({rule()});
    scene.blind();
    for (int i = 0; i < 10; ++i) {
        scene.look();
        CHECK(scene.last.decisions.empty());
        CHECK(scene.last.unknowns.at({"raise-nofile", Absence::not_permitted}) == 1);
        CHECK(scene.standing().state == RuleStanding::State::unknown);
        CHECK(scene.standing().unknown->reason == Absence::not_permitted);
    }
}

TEST_CASE("a decision that was not acted upon is repeated while its condition holds") {
    Scene scene({rule()});
    scene.full();
    for (int i = 0; i < 3; ++i) {
        scene.look();
        CHECK(scene.fired());
    }
    scene.roomy();
    scene.look();
    CHECK_FALSE(scene.fired());
}

TEST_CASE("a decision carries its writes, its evidence and the values of before") {
    Rule full_rule = verified("fd.used / fd.limit < before(fd.used / fd.limit)");
    full_rule.cooldown = 7min;
    full_rule.severity = Severity::warning;
    Scene scene({full_rule});
    scene.full();
    scene.look();
    const auto fires = scene.of(DecisionKind::fire);
    REQUIRE(fires.size() == 1);
    const Decision& fire = fires.front();
    CHECK(fire.target == TargetId(first_process));
    CHECK(fire.at == scene.world.snapshot.at);
    CHECK(fire.mode == Mode::enforce);
    CHECK(fire.severity == Severity::warning);
    CHECK(fire.cooldown == 7min);
    CHECK(fire.step == 1);
    REQUIRE(fire.writes.size() == 1);
    CHECK(fire.writes[0].knob == "rlimit.nofile");
    CHECK(fire.writes[0].to == Reading<Value>(Value(count(2000))));
    CHECK(to_string(fire.evidence) == "fd.used (900) / fd.limit (1000) = 90% > 80%  ⇒ true");
    CHECK(fire.before.at("fd.used / fd.limit") == Reading<Value>(Value(ratio(0.9))));
}

TEST_CASE("a write whose value is unknown is planned as absent") {
    Rule unknown = rule();
    unknown.adjust = {nofile("fd.hard")};
    Scene scene({unknown});
    scene.full();
    scene.look();
    REQUIRE(scene.fired());
    CHECK(scene.of(DecisionKind::fire)[0].writes[0].to.absent().reason == Absence::not_observed);
}

TEST_CASE("a rule in mode observe fires for the record") {
    Rule observed = rule();
    observed.mode = Mode::observe;
    Scene scene({observed});
    scene.full();
    scene.look();
    REQUIRE(scene.fired());
    CHECK(scene.of(DecisionKind::fire)[0].mode == Mode::observe);
}

TEST_CASE("a restarted process is another target: its clock starts anew") {
    Rule ten = rule();
    ten.for_ = 10s;
    Scene scene({ten});
    scene.full();
    scene.look();
    scene.look();
    const ProcessId reborn{first_process.pid, 2000, first_process.exe_inode};
    scene.world.advance();
    scene.world.snapshot.processes.clear();
    scene.world.add_process(reborn, first_cgroup);
    scene.world.set(Signal::fd_used, count(900), reborn);
    scene.again();
    CHECK_FALSE(scene.fired());
    CHECK(scene.standing("raise-nofile", reborn).held == 0s);
    CHECK(scene.last.standings.size() == 1);
}

TEST_CASE("a process that has ended or opted out is no target") {
    Scene scene({rule()});
    scene.full();
    scene.world.change([](ProcessState& state) { state.exited = true; });
    scene.look();
    CHECK(scene.last.standings.empty());
    scene.world.change([](ProcessState& state) { state.exited = false; });
    auto& process = scene.world.add_process(first_process, first_cgroup);
    process.opted_out = true;
    process.opt_out_source = "environment";
    scene.look();
    CHECK(scene.last.standings.empty());
    CHECK(explain(scene.rulebook, scene.world.snapshot, scene.state, "raise-nofile", first_process)->note ==
          "opted out by environment");
}

TEST_CASE("the targets list chooses processes, and their cgroups") {
    Rule chosen = rule();
    chosen.targets = {"payments"};
    Rule grouped = rule("high", "true");
    grouped.scope = Scope::cgroup;
    grouped.targets = {"payments"};
    Rule host = rule("host", "true");
    host.scope = Scope::host;
    host.targets = {"payments"};
    Scene scene({chosen, grouped, host});
    TargetDefinition payments;
    payments.name = "payments";
    payments.match = {{MatchClause::Key::unit, {"payment*.service"}, {}}};
    scene.rulebook.targets = {payments};
    const ProcessId other{200, 2000, 8};
    const CgroupId elsewhere{43};
    scene.world.add_cgroup(elsewhere, "/other");
    scene.world.add_process(other, elsewhere, "other.service");
    const auto targets = [&](const Rule& of) { return targets_of(scene.rulebook, of, scene.world.snapshot); };
    CHECK(targets(chosen) == std::vector<TargetId>{first_process});
    CHECK(targets(grouped) == std::vector<TargetId>{first_cgroup});
    CHECK(targets(host) == std::vector<TargetId>{HostId{}});
    CHECK(targets(rule()) == std::vector<TargetId>{first_process, other});
    scene.world.snapshot.processes.erase(first_process);
    CHECK(targets(chosen).empty());
    CHECK(targets(grouped).empty());
    CHECK(targets(host).empty());
    CHECK(explain(scene.rulebook, scene.world.snapshot, scene.state, "raise-nofile", other)->note ==
          "does not match: not in targets [payments]");
}

TEST_CASE("app() reads the page of that target of the rule which the process matches, or a process of the cgroup") {
    Rule of_process = rule("slow", "app(\"latency\") > 5");
    of_process.targets = {"ledger", "payments"};
    of_process.app = {"latency"};
    Rule of_cgroup = rule("grouped");
    of_cgroup.scope = Scope::cgroup;
    of_cgroup.when = expression("app(\"latency\") > 5", ExpressionRole::when, Scope::cgroup);
    of_cgroup.targets = of_process.targets;
    of_cgroup.app = {"latency"};
    Scene scene({of_process, of_cgroup});
    TargetDefinition payments;
    payments.name = "payments";
    payments.match = {{MatchClause::Key::unit, {"payment*.service"}, {}}};
    TargetDefinition ledger;
    ledger.name = "ledger";
    ledger.match = {{MatchClause::Key::unit, {"ledger.service"}, {}}};
    scene.rulebook.targets = {payments, ledger};
    const ProcessId other{200, 2000, 8};
    const CgroupId elsewhere{43};
    scene.world.add_cgroup(elsewhere, "/other");
    scene.world.add_process(other, elsewhere, "ledger.service");
    auto outside = std::make_shared<OutsideReadings>();
    outside->app["payments"]["latency"] = 9;
    outside->app["ledger"]["latency"] = 1;
    scene.world.snapshot.outside = outside;
    scene.look();
    CHECK(scene.standing("slow", first_process).state == RuleStanding::State::firing);
    CHECK(scene.standing("slow", other).state == RuleStanding::State::idle);
    CHECK(scene.standing("grouped", first_cgroup).state == RuleStanding::State::firing);
    CHECK(scene.standing("grouped", elsewhere).state == RuleStanding::State::idle);
    const auto explained = explain(scene.rulebook, scene.world.snapshot, scene.state, "slow", other);
    CHECK(to_string(explained->when) == "app(\"latency\") (1) > 5  ⇒ false");
}

TEST_CASE("a cgroup with a process that opted out is never touched") {
    Rule grouped = rule("high", "true");
    grouped.scope = Scope::cgroup;
    Scene scene({grouped});
    CHECK(targets_of(scene.rulebook, grouped, scene.world.snapshot).size() == 1);
    scene.world.add_process({300, 1, 1}, first_cgroup).opted_out = true;
    CHECK(targets_of(scene.rulebook, grouped, scene.world.snapshot).empty());
}

TEST_CASE("of two enforced rules for one knob the first of the rulebook fires and the other yields") {
    Scene scene({rule("operators"), rule("packaged")});
    scene.full();
    scene.look();
    CHECK(scene.fired("operators"));
    CHECK_FALSE(scene.fired("packaged"));
    CHECK(scene.standing("packaged").state == RuleStanding::State::yielding);
    CHECK(scene.standing("packaged").yields_to == "operators");
}

TEST_CASE("a rule yields to one that only comes later in the rulebook when it says so") {
    Rule yielding = rule("a");
    yielding.yields_to = {"b"};
    Scene scene({yielding, rule("b")});
    scene.full();
    scene.look();
    CHECK_FALSE(scene.fired("a"));
    CHECK(scene.fired("b"));
    scene.rulebook.rules[1].mode = Mode::observe;  // it does not act, so nobody needs to wait for it
    scene.look();
    CHECK(scene.fired("a"));
}

TEST_CASE("a knob that another rule holds live is not fired at, whoever comes first") {
    Scene scene({rule("first"), rule("second")});
    scene.full();
    scene.look();
    scene.apply(1, "second");
    scene.look();
    CHECK(scene.standing("first").state == RuleStanding::State::yielding);
    CHECK(scene.standing("first").yields_to == "second");
}

TEST_CASE("a process rule yields to a cgroup rule only within that cgroup") {
    Rule yielding = rule("a");
    yielding.yields_to = {"group"};
    Rule group = rule("group", "true");
    group.scope = Scope::cgroup;
    group.when = expression("cgroup.memory.current > 1B", ExpressionRole::when, Scope::cgroup);
    group.adjust = {};
    group.adjust.push_back(Adjust{"cgroup.memory.high",
                                  expression("2GiB", ExpressionRole::to, Scope::cgroup, quantity_of(unit::bytes)),
                                  {},
                                  {},
                                  {},
                                  {},
                                  {}});
    Scene scene({yielding, group});
    const ProcessId outside{200, 2000, 8};
    scene.world.add_process(outside, CgroupId{99});
    scene.world.set(Signal::fd_used, count(900), outside);
    scene.full();
    scene.look();
    CHECK(scene.standing("a").state == RuleStanding::State::yielding);
    CHECK(scene.standing("a", outside).state == RuleStanding::State::firing);
}

TEST_CASE("evaluating a clone leaves the original as it is and decides the same") {
    Rule ten = rule("raise-nofile", "avg(fd.used, 10s) / fd.limit > 80%");
    ten.for_ = 10s;
    Scene scene({ten});
    scene.full();
    for (int i = 0; i < 4; ++i) scene.look();
    RuleState copy = scene.state.clone();
    World ahead = scene.world;
    ahead.set(Signal::fd_used, count(100));
    for (int i = 0; i < 20; ++i) {
        ahead.advance();
        evaluate(scene.rulebook, ahead.snapshot, copy);
    }
    RuleState second = scene.state.clone();
    Snapshot next = scene.world.snapshot;
    next.at += tick;
    const auto from_copy = evaluate(scene.rulebook, next, second);
    scene.look();
    REQUIRE(from_copy.standings.size() == scene.last.standings.size());
    CHECK(from_copy.standings[0].held == scene.last.standings[0].held);
    CHECK(from_copy.decisions.size() == 1);
    CHECK(scene.fired());
}

TEST_CASE("explain shows the tree, the clock and what would be written") {
    Rule five = verified();
    five.for_ = 20s;
    Scene scene({five});
    scene.full();
    scene.look();
    scene.look();
    const auto shown = explain(scene.rulebook, scene.world.snapshot, scene.state, "raise-nofile", first_process);
    REQUIRE(shown.has_value());
    CHECK(to_string(shown->when) == "fd.used (900) / fd.limit (1000) = 90% > 80%  ⇒ true");
    CHECK(shown->held == 5s);
    CHECK(shown->needed == 20s);
    CHECK(shown->note.empty());
    CHECK_FALSE(shown->expect.has_value());
    REQUIRE(shown->writes.size() == 1);
    CHECK(shown->writes[0].to == Reading<Value>(Value(count(2000))));
    scene.apply();
    CHECK(
        explain(scene.rulebook, scene.world.snapshot, scene.state, "raise-nofile", first_process)->expect.has_value());
    CHECK(explain(scene.rulebook, scene.world.snapshot, scene.state, "rise-nofile", first_process).error().hint ==
          "did you mean raise-nofile?");
    CHECK(explain(scene.rulebook, scene.world.snapshot, scene.state, "raise-nofile", HostId{})->note ==
          "is a host; the rule is for a process");
}

TEST_CASE("a rule that reaches back is not asked again while its whole window is one value") {
    Scene scene({rule("average", "avg(fd.used, 20s) > 800")});
    const auto waits = [&scene] { return scene.state.data().cells.begin()->second.waits; };
    scene.roomy();
    for (int i = 0; i < 5; ++i) {
        scene.look();
        CHECK_FALSE(waits());
    }
    for (int i = 0; i < 20; ++i) {
        scene.look();
        CHECK(waits());
    }
    scene.full();  // 900 for 15 of 20 s, and 500 before, is 800
    for (int i = 0; i < 3; ++i) {
        scene.look();
        CHECK_FALSE(waits());
        CHECK_FALSE(scene.fired("average"));
    }
    scene.look();
    CHECK(scene.fired("average"));
}
