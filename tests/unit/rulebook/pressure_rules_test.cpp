#include "rulebook/pressure_rules.h"

#include "catch.h"
#include "rulebook/rule_state.h"
#include "rules.h"

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;

namespace {

Rule of_cgroup(std::string_view when, const std::string& name = "stalls") {
    Rule made;
    made.name = name;
    made.scope = Scope::cgroup;
    made.when = expression(when, ExpressionRole::when, Scope::cgroup);
    Adjust adjust;
    adjust.knob = "cgroup.memory.high";
    adjust.to = expression("2GiB", ExpressionRole::to, Scope::cgroup, quantity_of(unit::bytes));
    made.adjust = {adjust};
    made.mode = Mode::enforce;
    return made;
}

struct Stalling : Scene {
    using Scene::Scene;
    void stall(double rate) {
        auto cgroup = std::make_shared<CgroupState>(*world.snapshot.cgroups.at(first_cgroup));
        cgroup->signals.set(Signal::cg_memory_stall_rate, ratio(rate));
        world.snapshot.cgroups[first_cgroup] = cgroup;
    }
    const Evaluation& wake(std::set<CgroupId> cgroups = {first_cgroup}, Duration by = 200ms) {
        ++world.snapshot.sequence;
        world.snapshot.at += by;
        world.snapshot.window = by;
        world.snapshot.woken_for = std::move(cgroups);
        again();
        world.snapshot.woken_for.reset();
        return last;
    }
    [[nodiscard]] bool judged(const std::string& name) const {
        return std::any_of(last.standings.begin(), last.standings.end(),
                           [&](const RuleStanding& one) { return one.rule == name; });
    }
};

}  // namespace

TEST_CASE("rules that read nothing but memory and pressure answer to a trigger") {
    CHECK(answers_pressure(of_cgroup("cgroup.memory.stall.rate > 10%")));
    CHECK(answers_pressure(of_cgroup("cgroup.memory.psi.some_10s > 10% and host.memory.available < 1GiB")));
    CHECK(answers_pressure(of_cgroup("avg(cgroup.memory.current, 1m) > 1GiB")));
    CHECK_FALSE(answers_pressure(of_cgroup("cgroup.cpu.throttled.ratio > 10%")));
    CHECK_FALSE(answers_pressure(of_cgroup("cgroup.memory.stall.rate > 10% and cgroup.cpu.throttled.ratio > 1%")));
    CHECK_FALSE(answers_pressure(of_cgroup("cgroup.memory.stall.rate > 10% and host.sysctl(\"vm.swappiness\") > 10")));
    CHECK_FALSE(answers_pressure(of_cgroup("1 > 2")));
    Rule expects = of_cgroup("cgroup.memory.stall.rate > 10%");
    expects.verify.expect = expression("cgroup.pids.current < 5", ExpressionRole::expect, Scope::cgroup);
    CHECK_FALSE(answers_pressure(expects));
}

TEST_CASE("triggers are wanted where such a rule looks") {
    Rulebook rulebook;
    CHECK_FALSE(pressure_needs(rulebook).cgroups);
    rulebook.rules = {of_cgroup("cgroup.cpu.throttled.ratio > 10%")};
    CHECK_FALSE(pressure_needs(rulebook).cgroups);
    rulebook.rules.push_back(of_cgroup("cgroup.memory.stall.rate > 10%"));
    CHECK(pressure_needs(rulebook).cgroups);
    CHECK_FALSE(pressure_needs(rulebook).host);
    rulebook.rules.push_back(of_cgroup("host.memory.psi.full_10s > 10%"));
    CHECK(pressure_needs(rulebook).host);
}

TEST_CASE("between two ticks such a rule fires, and no other is judged") {
    Stalling scene({of_cgroup("cgroup.memory.stall.rate > 10%"), rule()});
    scene.stall(0);
    scene.full();
    scene.look();
    CHECK(scene.fired());
    CHECK_FALSE(scene.fired("stalls"));
    scene.stall(0.5);
    scene.wake();
    CHECK(scene.fired("stalls"));
    CHECK_FALSE(scene.judged("raise-nofile"));
    scene.look();
    CHECK(scene.fired());  // its memory was kept
    CHECK(scene.fired("stalls"));
}

TEST_CASE("a cgroup that was not read again is not judged again") {
    Stalling scene({of_cgroup("cgroup.memory.stall.rate > 10%")});
    scene.stall(0.5);
    scene.look();
    CHECK(scene.fired("stalls"));
    scene.wake({});
    CHECK_FALSE(scene.judged("stalls"));
}

TEST_CASE("`for` counts the time between all Snapshots, and the windows of other rules are whole") {
    Rule held = of_cgroup("cgroup.memory.stall.rate > 10%");
    held.for_ = 300ms;
    Rule average = of_cgroup("avg(cgroup.cpu.throttled.ratio, 10s) > 10%", "throttled");
    average.adjust[0].knob = "cgroup.memory.low";  // else it would yield to the first
    Stalling scene({held, average});
    scene.stall(0.5);
    auto state = std::make_shared<CgroupState>(*scene.world.snapshot.cgroups.at(first_cgroup));
    state->signals.set(Signal::cg_cpu_throttled, ratio(0.5));
    scene.world.snapshot.cgroups[first_cgroup] = state;
    scene.look();
    CHECK_FALSE(scene.fired("stalls"));
    scene.wake();
    CHECK_FALSE(scene.fired("stalls"));
    scene.wake();
    CHECK(scene.fired("stalls"));
    scene.look();
    scene.look();
    scene.look();
    CHECK(scene.fired("throttled"));
}

TEST_CASE("a rule that fires at the ticks keeps a later one from its knob between them, too") {
    Rule first = of_cgroup("cgroup.cpu.throttled.ratio > 10%", "first");
    Stalling scene({first, of_cgroup("cgroup.memory.stall.rate > 10%")});
    auto state = std::make_shared<CgroupState>(*scene.world.snapshot.cgroups.at(first_cgroup));
    state->signals.set(Signal::cg_cpu_throttled, ratio(0.5));
    scene.world.snapshot.cgroups[first_cgroup] = state;
    scene.stall(0);
    scene.look();
    CHECK(scene.fired("first"));
    scene.stall(0.5);
    scene.wake();
    CHECK_FALSE(scene.fired("stalls"));
    CHECK(scene.standing("stalls", first_cgroup).state == RuleStanding::State::yielding);
}

TEST_CASE("what stands is carried on over an evaluation between two ticks") {
    Stalling scene({of_cgroup("cgroup.memory.stall.rate > 10%"), rule()});
    scene.stall(0);
    scene.full();
    const Evaluation tick = scene.look();
    scene.stall(0.5);
    const Evaluation all = carried_on(tick, scene.wake());
    CHECK(all.standings.size() == 2);
    CHECK(all.decisions.size() == 2);
}

TEST_CASE("what a rule that reaches back was told between two ticks is not forgotten at the next one") {
    Stalling scene({of_cgroup("max_over(cgroup.memory.stall.rate, 20s) > 10%")});
    scene.stall(0);
    for (int i = 0; i < 8; ++i) scene.look();
    REQUIRE(scene.state.data().cells.begin()->second.waits);
    scene.stall(0.5);
    scene.wake();
    CHECK(scene.fired("stalls"));
    scene.stall(0);  // as it was at the last tick
    scene.look();
    CHECK(scene.fired("stalls"));
}
