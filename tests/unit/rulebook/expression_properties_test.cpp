// Properties of the language for random expressions on random hosts.
#if __has_include(<rapidcheck.h>)
#include <rapidcheck.h>

#include "catch.h"
#include "rulebook/ast.h"
#include "rules.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

template <typename... T>
std::string pick(T... choices) {
    return *rc::gen::element(std::string(choices)...);
}

std::string count_text(int depth);
std::string time_text(int depth);

std::string condition_text(int depth) {
    switch (depth <= 0 ? *rc::gen::inRange(0, 2) : *rc::gen::inRange(0, 9)) {
        case 0:
            return pick("true", "false", "present(fd.used)", "present(runq)", "env(\"A\") == \"x\"",
                        "go.version != \"go1.1\"", "present(host.tcp.timewait)");
        case 1:
            return pick("fd.used > 3", "runq.p99 > 1ms", "errors.emfile.rate > 0/s", "host.sysctl(\"vm.x\") < 5",
                        "host.cpu.psi.some_10s < 20%", "host.tcp.timewait > 3");
        case 2:
            return "not (" + condition_text(depth - 1) + ")";
        case 3:
            return "(" + condition_text(depth - 1) + ") and (" + condition_text(depth - 1) + ")";
        case 4:
            return "(" + condition_text(depth - 1) + ") or (" + condition_text(depth - 1) + ")";
        case 5:
            return condition_text(depth - 1) + pick(" and ", " or ") + condition_text(depth - 1);
        case 6:
            return time_text(depth - 1) + pick(" < ", " <= ", " > ", " >= ", " == ", " != ") + time_text(depth - 1);
        case 7:
            return "(" + condition_text(depth - 1) + ") == (" + condition_text(depth - 1) + ")";
        default:
            return count_text(depth - 1) + pick(" < ", " <= ", " > ", " >= ", " == ", " != ") + count_text(depth - 1);
    }
}
std::string count_text(int depth) {
    switch (depth <= 0 ? *rc::gen::inRange(0, 2) : *rc::gen::inRange(0, 9)) {
        case 0:
            return pick("1", "0", "1e300", "65536", "unlimited", "0.5");
        case 1:
            return pick("fd.used", "fd.limit", "fd.hard", "cgroup.pids.max", "runq.count", "host.sysctl(\"vm.x\")",
                        "env(\"A\")", "host.tcp.timewait");
        case 2:
            return "(" + count_text(depth - 1) + ")" + pick(" + ", " - ") + "(" + count_text(depth - 1) + ")";
        case 3:
            return "(" + count_text(depth - 1) + ") * " + pick("2", "80%", "(1 - 3)", "1e300");
        case 4:
            return "-(" + count_text(depth - 1) + ")";
        case 5:
            return pick("min", "max") + "(" + count_text(depth - 1) + ", fd.used, " + count_text(depth - 1) + ")";
        case 6:
            return "clamp(" + count_text(depth - 1) + ", fd.used, " + count_text(depth - 1) + ")";
        case 7:
            return pick("avg", "max_over") + "(" + count_text(depth - 1) + ", " + pick("1s", "10s", "1m") + ")";
        default:
            return "fd.used / (" + time_text(depth - 1) + ") * 1s";
    }
}
std::string time_text(int depth) {
    switch (depth <= 0 ? *rc::gen::inRange(0, 2) : *rc::gen::inRange(0, 6)) {
        case 0:
            return pick("1ms", "5s", "100us", "unlimited * 1s", "0s");
        case 1:
            return pick("runq.p99", "epoll.wake.max", "syscall.read.mean", "p99(runq, 10s)", "p50(syscall.read, 10s)");
        case 2:
            return "(" + time_text(depth - 1) + ") " + pick("+", "-") + " (" + time_text(depth - 1) + ")";
        case 3:
            return "abs(" + time_text(depth - 1) + ")";
        case 4:
            return "avg(" + time_text(depth - 1) + ", 10s)";
        default:
            return "(" + time_text(depth - 1) + ") * (" + time_text(depth - 1) + ") / (" + time_text(depth - 1) + ")";
    }
}

SignalReading any_number(Unit unit) {
    switch (*rc::gen::inRange(0, 7)) {
        case 0:
            return {Reading<SignalValue>(Absent{Absence::no_data, {}}), {}};
        case 1:
            return looked({0, unit}, tick);
        case 2:
            return looked({unlimited_value, unit}, tick);
        case 3:
            return looked({1e308, unit}, tick);
        case 4:
            return looked({std::numeric_limits<double>::quiet_NaN(), unit}, tick);
        case 5:
            return looked({5, unit}, std::chrono::milliseconds(*rc::gen::inRange(0, 200)));
        default:
            return looked({static_cast<double>(*rc::gen::inRange(-5, 2000)), unit}, tick);
    }
}
void shake_host(World& world) {
    world.snapshot.host.signals.set(Signal::host_tcp_timewait, any_number(unit::count));
    world.snapshot.host.signals.set(Signal::host_cpu_psi_some, any_number(unit::ratio));
}

void shake(World& world) {
    for (const Signal signal : {Signal::fd_used, Signal::fd_limit, Signal::fd_hard, Signal::errors_emfile})
        world.set(signal, any_number(info(signal).unit));
    for (const Signal signal : {Signal::runq, Signal::epoll_wake, Signal::syscall_read}) {
        const int n = *rc::gen::inRange(-1, 60);
        const auto observed = std::chrono::milliseconds(*rc::gen::inRange(0, 5000));
        if (n < 0) {
            world.set(signal, Absent{Absence::not_attached, {}});
        } else {
            world.set(signal,
                      seen(events(n, std::chrono::microseconds(*rc::gen::inRange(1, 1000000))), tick, observed));
        }
    }
    shake_host(world);
    world.snapshot.host.sysctls["vm.x"] = pick("5", "60\n", "1 2 3", "", "nan", "-inf", "x");
}

template <typename F>
void holds(const char* what, F&& property) {
    INFO(what);
    CHECK(rc::check(what, std::forward<F>(property)));
}

}  // namespace

TEST_CASE("printing and parsing again gives the same tree") {
    holds("parse(print(e)) == e", [] {
        const std::string text = condition_text(4);
        const auto first = parse_expression(text, Scope::process, ExpressionRole::when, condition);
        RC_PRE(first.has_value());
        const auto second = parse_expression((*first)->print(), Scope::process, ExpressionRole::when, condition);
        RC_ASSERT(second.has_value());
        RC_ASSERT(**first == **second);
        RC_ASSERT((*first)->type() == (*second)->type());
        RC_ASSERT(structure_of(**parse_tree(text)) == structure_of(**parse_tree((*first)->print())));
    });
}

TEST_CASE("every expression has a value or a reason on every host") {
    holds("evaluation is total", [] {
        const auto made = parse_expression(condition_text(4), Scope::process, ExpressionRole::when, condition);
        RC_PRE(made.has_value());
        World world;
        const auto state = (*made)->make_state();
        for (int i = 0; i < 4; ++i) {
            shake(world);
            const EvaluationContext context{world.snapshot, first_process, {}};
            (*made)->observe(context, *state);
            const auto value = (*made)->evaluate(context, *state);
            if (value) RC_ASSERT(std::holds_alternative<bool>(*value));
            const Evidence evidence = (*made)->explain(context, *state);
            RC_ASSERT(evidence.value == value);
            RC_ASSERT(!to_string(evidence).empty());
            world.advance();
        }
    });
}

TEST_CASE("no number that comes out is NaN or below every number") {
    holds("numbers are numbers", [] {
        const auto made = parse_expression(count_text(4), Scope::process, ExpressionRole::to, quantity_of(unit::count));
        RC_PRE(made.has_value());
        World world;
        const auto state = (*made)->make_state();
        for (int i = 0; i < 4; ++i) {
            shake(world);
            const EvaluationContext context{world.snapshot, first_process, {}};
            (*made)->observe(context, *state);
            const auto value = (*made)->evaluate(context, *state);
            if (value) RC_ASSERT(std::get<Quantity>(*value).value > -unlimited_value);
            if (value) RC_ASSERT(std::get<Quantity>(*value).unit == unit::count);
            world.advance();
        }
    });
}

TEST_CASE("taking knowledge away never makes an unknown condition known, nor a false one true") {
    // Kleene's logic is monotonic in what is known, except for present(), which asks for just that.
    holds("adding unknown never fires", [] {
        std::string text = condition_text(4);
        RC_PRE(text.find("present") == std::string::npos);
        const auto made = parse_expression(text, Scope::process, ExpressionRole::when, condition);
        RC_PRE(made.has_value());
        World world;
        shake(world);
        const auto state = (*made)->make_state();
        const auto value = [&] { return (*made)->evaluate({world.snapshot, first_process, {}}, *state); };
        const auto before = value();
        const Signal lost = *rc::gen::element(Signal::fd_used, Signal::fd_limit, Signal::runq, Signal::errors_emfile,
                                              Signal::epoll_wake);
        world.set(lost, Absent{Absence::not_permitted, {}});
        const auto after = value();
        if (after) RC_ASSERT(before.present() && *after == *before);
    });
}

TEST_CASE("no text at all makes the parser do more than refuse") {
    holds("any bytes", [] {
        const auto text = *rc::gen::container<std::string>(rc::gen::oneOf(
            rc::gen::arbitrary<char>(), rc::gen::elementOf(std::string("()<>=\"/*+-%. ,0123456789abcdefnorts"))));
        const auto made = parse_expression(text, Scope::process, ExpressionRole::expect, condition);
        if (!made) RC_ASSERT(made.error().offset <= text.size() && !made.error().message.empty());
        (void)parse_literal(text);
    });
    holds("a random cut through an expression", [] {
        std::string text = condition_text(3);
        text.erase(static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(text.size()) + 1)));
        const auto made = parse_expression(text, Scope::process, ExpressionRole::expect, condition);
        if (!made) RC_ASSERT(made.error().offset <= text.size() && !made.error().message.empty());
    });
}

TEST_CASE("a clone of the state decides what the original decides") {
    holds("evaluating twice from cloned state", [] {
        const auto when = parse_expression(condition_text(3), Scope::process, ExpressionRole::when, condition);
        RC_PRE(when.has_value());
        Rule one = rule();
        one.when = *when;
        one.for_ = tick * *rc::gen::inRange(0, 3);
        Scene scene({one});
        for (int i = 0; i < 4; ++i) {
            shake(scene.world);
            scene.look();
        }
        RuleState a = scene.state.clone();
        RuleState b = scene.state.clone();
        shake(scene.world);
        scene.world.advance();
        const Evaluation first = evaluate(scene.rulebook, scene.world.snapshot, a);
        const Evaluation second = evaluate(scene.rulebook, scene.world.snapshot, b);
        const Evaluation third = evaluate(scene.rulebook, scene.world.snapshot, scene.state);
        for (const Evaluation* other : {&second, &third}) {
            RC_ASSERT(first.decisions.size() == other->decisions.size());
            for (std::size_t i = 0; i < first.decisions.size(); ++i)
                RC_ASSERT(to_string(first.decisions[i].evidence) == to_string(other->decisions[i].evidence));
            RC_ASSERT(first.standings.size() == other->standings.size());
            for (std::size_t i = 0; i < first.standings.size(); ++i) {
                RC_ASSERT(first.standings[i].state == other->standings[i].state);
                RC_ASSERT(first.standings[i].held == other->standings[i].held);
            }
            RC_ASSERT(first.unknowns == other->unknowns);
        }
    });
}

TEST_CASE("a rule that is not asked again, since what it reads is the same, would say the same") {
    holds("evaluating with and without what was judged before", [] {
        Rulebook rulebook;
        for (const char* name : {"a", "b", "c"}) {
            const auto when = parse_expression(condition_text(2), Scope::process, ExpressionRole::when, condition);
            RC_PRE(when.has_value());
            Rule one = rule(name);
            one.when = *when;
            one.for_ = tick * *rc::gen::inRange(0, 3);
            if (*rc::gen::inRange(0, 2) == 0)
                one.verify.expect = expression("fd.used < before(avg(fd.used, 10s)) + avg(fd.hard, 10s)",
                                               ExpressionRole::expect, Scope::process);
            rulebook.rules.push_back(one);
        }
        World world;
        RuleState remembers;
        RuleState forgets;
        for (int i = 0; i < 24; ++i) {
            switch (*rc::gen::inRange(0, 8)) {
                case 0:
                    shake(world);
                    break;
                case 1:
                    world.set(Signal::fd_used, any_number(unit::count));
                    break;
                case 2:
                    world.change([](ProcessState&) {});  // another state that says the same
                    break;
                case 4:
                    shake_host(world);
                    break;
                case 3:  // few events, mostly none
                    for (const Signal signal : {Signal::runq, Signal::syscall_read})
                        world.set(signal, seen(events(*rc::gen::element(0, 0, 0, 0, 7), std::chrono::milliseconds(1)),
                                               tick, std::chrono::milliseconds(*rc::gen::element(0, 30, 200, 5000))));
                    break;
                default:
                    break;
            }
            const Evaluation first = evaluate(rulebook, world.snapshot, remembers);
            carry_over(rulebook, rulebook, forgets);
            const Evaluation second = evaluate(rulebook, world.snapshot, forgets);
            RC_ASSERT(first.unknowns == second.unknowns);
            RC_ASSERT(first.decisions.size() == second.decisions.size());
            RC_ASSERT(first.standings.size() == second.standings.size());
            for (std::size_t n = 0; n < first.standings.size(); ++n) {
                const RuleStanding& a = first.standings[n];
                const RuleStanding& b = second.standings[n];
                RC_ASSERT(a.rule == b.rule && a.target == b.target && a.state == b.state && a.held == b.held);
                RC_ASSERT((a.unknown == nullptr) == (b.unknown == nullptr));
                if (a.unknown != nullptr) RC_ASSERT(*a.unknown == *b.unknown);
            }
            world.advance();
        }
    });
}
#endif
