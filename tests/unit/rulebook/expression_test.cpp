// What parses, what is refused and how it says so, and the values that come out.
#include "rulebook/expression.h"

#include <cmath>

#include "catch.h"
#include "world.h"

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;

namespace {

ExpressionPtr parsed(std::string_view text, const Type& wanted = condition, ExpressionRole role = ExpressionRole::when,
                     Scope scope = Scope::process) {
    auto expression = parse_expression(text, scope, role, wanted);
    INFO(text << ": " << (expression ? std::string() : expression.error().message + " / " + expression.error().hint));
    REQUIRE(expression.has_value());
    return *expression;
}
ExpressionError refused(std::string_view text, const Type& wanted = condition,
                        ExpressionRole role = ExpressionRole::when, Scope scope = Scope::process) {
    auto expression = parse_expression(text, scope, role, wanted);
    INFO(text);
    REQUIRE_FALSE(expression.has_value());
    return expression.error();
}
Reading<Value> value_of(const ExpressionPtr& expression, const World& world, TargetId target = first_process,
                        std::vector<const LiveAdjustment*> adjustments = {}) {
    const auto state = expression->make_state();
    const EvaluationContext context{world.snapshot, target, std::move(adjustments)};
    expression->observe(context, *state);
    return expression->evaluate(context, *state);
}
Reading<Value> truth(std::string_view text, const World& world) { return value_of(parsed(text), world); }
double number(std::string_view text, Unit unit, const World& world) {
    const auto value = value_of(parsed(text, quantity_of(unit), ExpressionRole::to), world);
    INFO(text);
    REQUIRE(value.present());
    CHECK(std::get<Quantity>(*value).unit == unit);
    return std::get<Quantity>(*value).value;
}
std::string printed(std::string_view text) { return parsed(text)->print(); }
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a comparison written the other way round gets its right form") {
    CHECK(refused("fd.used => 5").hint == "write >=");
    CHECK(refused("fd.used =< 5").hint == "write <=");
    CHECK(refused("fd.used = 5").hint == "write == to compare");
}

TEST_CASE("literals carry their unit exactly") {
    CHECK(parse_literal("100us") == Quantity{1e-4, unit::time});
    CHECK(parse_literal("5ms") == Quantity{5e-3, unit::time});
    CHECK(parse_literal("30s") == Quantity{30, unit::time});
    CHECK(parse_literal("10m") == Quantity{600, unit::time});
    CHECK(parse_literal("1h") == Quantity{3600, unit::time});
    CHECK(parse_literal("4KiB") == Quantity{4096, unit::bytes});
    CHECK(parse_literal("2GiB") == Quantity{2147483648.0, unit::bytes});
    CHECK(parse_literal("80%") == Quantity{0.8, unit::ratio});
    CHECK(parse_literal("3/s") == Quantity{3, unit::per_second});
    CHECK(parse_literal("10MiB/s") == Quantity{10485760, unit::bytes_per_second});
    CHECK(parse_literal("65536") == Quantity{65536, unit::count});
    CHECK(parse_literal("1.5h") == Quantity{5400, unit::time});
}

TEST_CASE("a literal that is none is refused at its place with the right spelling") {
    const auto wrong = [](std::string_view text) { return parse_literal(text).error(); };
    CHECK(wrong("10GB").hint == "did you mean 10GiB?");
    CHECK(wrong("5min").hint == "did you mean 5m?");
    CHECK(contains(wrong("1h30m").hint, "90m"));
    CHECK(contains(wrong("010").message, "does not begin with 0"));
    CHECK(wrong("1h 30m").offset == 3);
    CHECK(contains(wrong("5 s").message, "only one number"));
    for (const char* text :
         {"", "s", "-5s", "unlimited", "\"5s\"", "1e999", "1.", ".5", "0x10", "5/m", "5s/s", "\xff"}) {
        INFO(text);
        CHECK_FALSE(parse_literal(text).has_value());
    }
}

TEST_CASE("operators bind as people read them") {
    CHECK(printed("fd.used+1*2 > 3 or not fd.used > 4 and true") == "fd.used + 1 * 2 > 3 or not fd.used > 4 and true");
    CHECK(printed("((fd.used + 1) * 2) > (3)") == "(fd.used + 1) * 2 > 3");
    CHECK(printed("fd.used - (1 - 2) > 3") == "fd.used - (1 - 2) > 3");
    CHECK(printed("(fd.used - 1) - 2 > 3") == "fd.used - 1 - 2 > 3");
    CHECK(printed("not (true and false)") == "not (true and false)");
    CHECK(printed("(not true) == false") == "(not true) == false");
    CHECK(printed("fd.used * -(1 + 2) > --3") == "fd.used * -(1 + 2) > --3");
    CHECK(printed("env(\"A\\\"B\\\\\") == \"x\"") == "env(\"A\\\"B\\\\\") == \"x\"");
}

TEST_CASE("units are derived and plain numbers adapt to counts and ratios") {
    World world;
    CHECK(number("fd.limit * 2", unit::count, world) == 2000);
    CHECK(number("fd.used / fd.limit", unit::ratio, world) == 0.5);
    CHECK(number("clamp(fd.limit * 2, 65536, 1048576)", unit::count, world) == 65536);
    CHECK(number("fd.used / 5s * 10s", unit::count, world) == 1000);
    CHECK(number("3/s * 2s + 1", unit::count, world) == 7);
    CHECK(number("10MiB/s * 1m", unit::bytes, world) == 629145600);
    CHECK(number("65536", unit::count, world) == 65536);
    CHECK(number("0.5", unit::ratio, world) == 0.5);
    CHECK(truth("fd.used / fd.limit >= 0.5", world) == Value(true));
    CHECK(number("min(fd.used, 10, fd.limit)", unit::count, world) == 10);
    CHECK(number("abs(10 - fd.used)", unit::count, world) == 490);
    CHECK(parsed("epoll.wake.p99 * epoll.wake.p99 > 1s * 1s")->type() == condition);
}

TEST_CASE("a comparison of two units is refused and names both") {
    const auto wrong = refused("epoll.wake.p99 > 4KiB");
    CHECK(contains(wrong.message, "epoll.wake.p99 is time"));
    CHECK(contains(wrong.message, "4KiB is bytes"));
    CHECK(wrong.offset == 15);
    CHECK(refused("epoll.wake.p99 > 5").hint == "write its unit: 5s or 5ms");
    CHECK(refused("errors.emfile.rate > 0").hint == "write its unit: 0/s");
    CHECK(contains(refused("fd.used + 80% > 3").message, "cannot add"));
    CHECK(contains(refused("max(mem.rss, fd.used) > 3").message, "max"));
    CHECK(contains(refused("go.version > \"go1.2\"").hint, "only == and !="));
    CHECK(contains(refused("go.version == 3").message, "text"));
    CHECK(contains(refused("fd.used and true").message, "'and' joins conditions"));
    CHECK(contains(refused("fd.used").hint, "compare it"));
    CHECK(contains(refused("fd.used > 3", quantity_of(unit::count), ExpressionRole::to).message, "true or false"));
    CHECK(refused("65536", quantity_of(unit::bytes), ExpressionRole::to).hint == "write its unit: 65536B or 65536MiB");
}

TEST_CASE("a unit whose exponents overflow is refused") {
    std::string text = "mem.rss";
    for (int i = 0; i < 8; ++i) text += " * mem.rss";
    CHECK(contains(refused(text + " > 1").message, "exponent above 8"));
    std::string divided = "1 / mem.rss";
    for (int i = 0; i < 8; ++i) divided += " / mem.rss";
    CHECK(contains(refused(divided + " > 1").message, "exponent above 8"));
}

TEST_CASE("a wrong name is refused with the nearest one") {
    CHECK(refused("fd.usde > 3").message == "unknown signal fd.usde");
    CHECK(refused("fd.usde > 3").hint == "did you mean fd.used?");
    CHECK(refused("true and epoll.wake.p98 > 3").offset == 9);
    CHECK(contains(refused("epoll.wake.p98 > 3s").message, "has no statistic p98"));
    CHECK(contains(refused("epoll.wkae.p99 > 3s").hint, "epoll.wake.p99"));
    CHECK(refused("memory.high > 3B").hint == "did you mean cgroup.memory.high?");
    CHECK(contains(refused("epoll.wake > 3s").hint, "epoll.wake.p99"));
    CHECK(contains(refused("fd.used.p99 > 3").message, "no distribution"));
    CHECK(refused("clmap(fd.used, 1, 2) > 3").hint == "did you mean clamp()?");
    CHECK(contains(refused("FD.used > 3").message, "lower case"));
    CHECK(contains(refused("rate > 3").hint, "rate("));
}

TEST_CASE("what this version does not have yet says so by name") {
    CHECK(contains(refused("slope(fd.used, 5m) > 3").message, "slope() is not built yet"));
    CHECK(contains(refused("time_to(fd.used, fd.limit, 5m) < 3s").message, "time_to() is not built yet"));
}

TEST_CASE("what services and Prometheus say is a plain number, unknown with the reason while there is none") {
    World world;
    const auto sampled = parsed("app(\"latency_seconds{quantile=\\\"0.99\\\"}\") * 1s > 5ms");
    CHECK(sampled->print() == "app(\"latency_seconds{quantile=\\\"0.99\\\"}\") * 1s > 5ms");
    CHECK(sampled->needs().app == std::set<std::string>{"latency_seconds{quantile=\"0.99\"}"});
    CHECK_FALSE(sampled->constant());
    const auto value = [&world](const ExpressionPtr& expression, const std::string& page) {
        const auto state = expression->make_state();
        const EvaluationContext context{world.snapshot, first_process, {}, page};
        return expression->evaluate(context, *state);
    };
    CHECK(value(sampled, "payments").absent().reason == Absence::not_observed);
    auto outside = std::make_shared<OutsideReadings>();
    outside->app["payments"]["latency_seconds{quantile=\"0.99\"}"] = 0.006;
    outside->app["ledger"]["latency_seconds{quantile=\"0.99\"}"] = Absent{Absence::no_data, "HTTP status 500"};
    outside->prometheus["up"] = 1;
    world.snapshot.outside = outside;
    CHECK(value(sampled, "payments") == Reading<Value>(Value(true)));
    CHECK(value(sampled, "ledger").absent() == Absent{Absence::no_data, "HTTP status 500"});
    CHECK(value(sampled, "").absent().reason == Absence::not_observed);
    CHECK(value(sampled, "other").absent().reason == Absence::not_observed);
    CHECK(truth("prometheus(\"up\") == 1", world) == Reading<Value>(Value(true)));
    CHECK(truth("present(prometheus(\"up\"))", world) == Reading<Value>(Value(true)));
    CHECK_FALSE(truth("prometheus(\"down\") == 1", world).present());
    CHECK(parsed("rate(app(\"x_total\")) > 3/s")->needs().app == std::set<std::string>{"x_total"});
    CHECK(contains(refused("app(\"x{\") > 3").message, "a label's name or '}' is wanted here"));
    CHECK(contains(refused("app(\"x\") > 3s").message, "cannot compare"));
    CHECK(contains(refused("prometheus(\" \") > 3").message, "names a query"));
    CHECK(contains(refused("app(fd.used) > 3").hint, "app(\"NAME\")"));
}

TEST_CASE("a rule reads the signals of its own scope and of wider ones only") {
    CHECK(parse_expression("fd.used > 1 and cgroup.memory.high > 1B and host.memory.available > 1B", Scope::process,
                           ExpressionRole::when, condition));
    CHECK(parse_expression("cgroup.memory.high > 1B and host.memory.available > 1B", Scope::cgroup,
                           ExpressionRole::when, condition));
    const auto wrong = refused("fd.used > 1", condition, ExpressionRole::when, Scope::cgroup);
    CHECK(contains(wrong.message, "a cgroup rule reads only cgroup.… and host.…"));
    CHECK(wrong.hint == "write scope: process");
    CHECK(contains(refused("cgroup.memory.high > 1B", condition, ExpressionRole::when, Scope::host).message,
                   "only host.…"));
}

TEST_CASE("functions of verification are refused where they have no value") {
    CHECK(contains(refused("before(fd.used) > 3").message, "only in expect"));
    CHECK(contains(refused("before(fd.used) > 3", condition, ExpressionRole::undo_when).message, "only in expect"));
    CHECK(contains(refused("original(rlimit.nofile) > 3").message, "only in expect and undo_when"));
    CHECK(contains(refused("original(rlimit.nofil) > 3", condition, ExpressionRole::expect).hint, "rlimit.nofile"));
    CHECK(contains(refused("before(before(fd.used)) > 3", condition, ExpressionRole::expect).message, "within before"));
    CHECK(contains(refused("before(fd.used + original(rlimit.nofile)) > 3", condition, ExpressionRole::expect).message,
                   "within before"));
    CHECK(parsed("fd.used < original(rlimit.nofile) * 50%", condition, ExpressionRole::undo_when)->needs().originals ==
          std::set<std::string>{"rlimit.nofile"});
    CHECK(
        parsed("original(sysctl.kernel.threads-max) > 5", condition, ExpressionRole::undo_when, Scope::host)->print() ==
        "original(sysctl.kernel.threads-max) > 5");
}

TEST_CASE("what is no expression is refused at its place, never a crash") {
    const struct {
        const char* text;
        const char* says;
    } cases[] = {{"", "empty"},
                 {"   ", "empty"},
                 {"(", "ends too early"},
                 {"(fd.used > 1", "never closed"},
                 {")", "unexpected )"},
                 {"fd.used >", "ends too early"},
                 {"fd.used > 1 2", "unexpected 2"},
                 {"1 < 2 < 3", "do not chain"},
                 {"fd.used = 3", "unexpected '='"},
                 {"true && true", "unexpected '&&'"},
                 {"!true", "unexpected '!'"},
                 {"env('X') == \"a\"", "unexpected '''"},
                 {"env(\"X) == 3", "no closing"},
                 {"fd.used > 80 %", "unexpected '%'"},
                 {"fd.used > 5 ms", "unexpected ms"},
                 {"fd..used > 1", "not a name"},
                 {"fd.used. > 1", "not a name"},
                 {"env() == 3", "takes a name"},
                 {"env(\"\") == 3", "names an environment variable"},
                 {"min(1) > 2", "argument"},
                 {"clamp(fd.used, 9, 3) > 1", "above its most"},
                 {"avg(fd.used) > 1", "argument"},
                 {"avg(fd.used, 5) > 1", "is a time"},
                 {"avg(fd.used, 1ms) > 1", "a window is"},
                 {"avg(fd.used, 25h) > 1", "a window is"},
                 {"p99(epoll.wake.p99, 1m) > 1s", "takes a distribution"},
                 {"p99(fd.used, 1m) > 1", "takes a distribution"},
                 {"fd.used / 0 > 1", "division by zero"},
                 {"pack(2) > 1", "cpu.affinity"},
                 {"and", "unexpected and"},
                 {"\xff\xfe", "unexpected"},
                 {"fd.used \xe2\x89\xa5 1", "unexpected '≥'"},
                 {"a\x01", "unexpected"}};
    for (const auto& entry : cases) {
        INFO(entry.text);
        const auto wrong = refused(entry.text);
        INFO(wrong.message);
        CHECK(contains(wrong.message, entry.says));
        CHECK(wrong.offset <= std::string_view(entry.text).size());
    }
    CHECK(refused("p99(epoll.wake.p99, 1m) > 1s").hint == "write p99(epoll.wake, 1m)");
}

TEST_CASE("a text that is too long, too large or too deep is refused without deep recursion") {
    CHECK(contains(refused(std::string(10000, '(')).message, "longer than 4096"));
    CHECK(contains(refused(std::string(4000, '(')).message, "nested deeper than 64"));
    CHECK(contains(refused(std::string(4000, '-')).message, "nested deeper"));
    std::string nots;
    for (int i = 0; i < 900; ++i) nots += "not ";
    CHECK(contains(refused(nots + "true").message, "nested deeper"));
    std::string chain = "true";
    for (int i = 0; i < 300; ++i) chain += " or true";
    CHECK(contains(refused(chain).message, "more than 256 parts"));
    CHECK(parsed(std::string(60, '(') + "true" + std::string(60, ')'))->print() == "true");
}

TEST_CASE("unlimited is above every number and adapts to every unit") {
    World world;
    world.set(Signal::fd_limit, count(unlimited_value));
    CHECK(truth("fd.limit == unlimited", world) == Value(true));
    CHECK(truth("fd.limit > 1000000", world) == Value(true));
    CHECK(truth("cgroup.memory.high == unlimited", world) == Value(true));
    CHECK(truth("fd.used < unlimited and epoll.wake.p99 * 0 + 1s < unlimited or true", world) == Value(true));
    CHECK(number("fd.used / fd.limit", unit::ratio, world) == 0);
    CHECK(number("min(fd.limit, 4096)", unit::count, world) == 4096);
    CHECK(std::isinf(number("fd.limit * 2", unit::count, world)));
    for (const char* text :
         {"fd.limit / fd.limit > 1", "fd.limit - fd.limit > 1", "fd.limit * 0 > 1", "fd.used - fd.limit > 1"}) {
        INFO(text);
        const auto unknown = truth(text, world);
        REQUIRE_FALSE(unknown.present());
        CHECK(unknown.absent().reason == Absence::no_data);
    }
}

TEST_CASE("division by zero is unknown and an overflow is not unlimited") {
    World world;
    world.set(Signal::fd_limit, count(0));
    CHECK(truth("fd.used / fd.limit > 80%", world).absent().detail == "division by zero");
    world.set(Signal::fd_limit, count(1e308));
    CHECK(truth("fd.limit * 100 > 1", world).absent().detail == "too large");
    world.set(Signal::fd_limit, count(std::nan("")));
    CHECK(truth("fd.limit > 1", world).absent().reason == Absence::malformed);
}

TEST_CASE("a sampled signal below its least exposure is unknown, not zero") {
    World world;
    world.set(Signal::errors_emfile, looked(rate(0), 99ms));
    CHECK(truth("errors.emfile.rate > 0/s", world).absent().reason == Absence::low_exposure);
    CHECK(truth("not errors.emfile.rate > 0/s", world).absent().reason == Absence::low_exposure);
    world.set(Signal::errors_emfile, looked(rate(0), 100ms));
    CHECK(truth("errors.emfile.rate > 0/s", world) == Value(false));
}

TEST_CASE("a percentile of fewer than 20 samples is unknown") {
    World world;
    world.set(Signal::epoll_wake, seen(events(19, 1ms)));
    CHECK(truth("epoll.wake.p99 > 1us", world).absent().reason == Absence::no_data);
    CHECK(truth("epoll.wake.max > 1us", world) == Value(true));
    CHECK(truth("epoll.wake.count == 19", world) == Value(true));
    CHECK(truth("epoll.wake.rate == 3.8/s", world) == Value(true));
    world.set(Signal::epoll_wake, seen(events(20, 1ms)));
    CHECK(truth("epoll.wake.p99 > 1us", world) == Value(true));
    // 100 events by scaling, but only 4 of them were really seen.
    world.set(Signal::syscall_read, seen(events(100, 1ms), 5s, 200ms));
    CHECK(truth("syscall.read.p99 > 1us", world).absent().reason == Absence::no_data);
}

TEST_CASE("an empty or missing distribution has a count of zero or none, and no percentile") {
    World world;
    world.set(Signal::epoll_wake, seen(events(0, 1ms)));
    CHECK(truth("epoll.wake.count == 0", world) == Value(true));
    CHECK(truth("epoll.wake.mean > 0s", world).absent().reason == Absence::no_data);
    world.set(Signal::epoll_wake, Absent{Absence::not_attached, {}});
    CHECK(truth("epoll.wake.count == 0", world).absent().reason == Absence::not_attached);
    CHECK(truth("present(epoll.wake)", world) == Value(false));
    CHECK(truth("present(fd.used)", world) == Value(true));
}

TEST_CASE("text from outside is a number where a number is wanted") {
    World world;
    world.snapshot.host.sysctls["vm.swappiness"] = std::string("60\n");
    world.snapshot.host.sysctls["net.ipv4.tcp_rmem"] = std::string("4096\t131072\t6291456\n");
    world.snapshot.host.sysctls["kernel.secret"] = Absent{Absence::not_permitted, {}};
    CHECK(truth("host.sysctl(\"vm.swappiness\") > 10", world) == Value(true));
    CHECK(truth("host.sysctl(\"vm.swappiness\") == \"60\"", world) == Value(true));
    CHECK(truth("host.sysctl(\"net.ipv4.tcp_rmem\") == \"4096 131072 6291456\"", world) == Value(true));
    CHECK(truth("host.sysctl(\"net.ipv4.tcp_rmem\") > 3", world).absent().reason == Absence::malformed);
    CHECK(truth("host.sysctl(\"kernel.secret\") > 3", world).absent().reason == Absence::not_permitted);
    CHECK(truth("host.sysctl(\"not.asked\") > 3", world).absent().reason == Absence::not_observed);
    CHECK(truth("host.sysctl(\"vm.swappiness\") * 1B < 4MiB", world) == Value(true));
    CHECK(contains(refused("host.sysctl(\"vm.swappiness\") < 4MiB").message, "cannot compare"));
    const auto to = parsed("min(host.sysctl(\"vm.swappiness\"), 10)", Type{Type::Kind::number, {}}, ExpressionRole::to);
    CHECK(value_of(to, world) == Value(count(10)));
    CHECK(to->needs().sysctls == std::set<std::string>{"vm.swappiness"});
}

TEST_CASE("a process reads its own environment and the host's environment name") {
    World world;
    world.snapshot.host.environment["GOTUNED_ENVIRONMENT"] = "production";
    world.snapshot.host.environment["GOTUNED_OTHER"] = "x";
    world.add_process(first_process, first_cgroup).environment["GOMAXPROCS"] = "4";
    CHECK(truth("env(\"GOMAXPROCS\") == \"4\" and env(\"GOMAXPROCS\") > 3", world) == Value(true));
    CHECK(truth("env(\"GOTUNED_ENVIRONMENT\") == \"production\"", world) == Value(true));
    CHECK(truth("env(\"GOTUNED_OTHER\") == \"x\"", world).absent().reason == Absence::no_data);
    CHECK(value_of(parsed("env(\"GOTUNED_OTHER\") == \"x\"", condition, ExpressionRole::when, Scope::host), world,
                   HostId{}) == Value(true));
}

TEST_CASE("CPU sets are compared with lists, and a list stands bare where CPUs are wanted") {
    World world;
    world.set(Signal::cpu_allowed, SignalReading{Reading<SignalValue>(SignalValue(CpuSet({0, 1, 2, 3}))), {}});
    CHECK(truth("cpu.allowed == \"0-3\"", world) == Value(true));
    CHECK(truth("\"0-1\" != cpu.allowed", world) == Value(true));
    CHECK(contains(refused("cpu.allowed == \"x\"").message, "cannot compare"));
    const Type cpus{Type::Kind::cpus, {}};
    CHECK(parsed("0-3,8", cpus, ExpressionRole::to)->constant() == Value(CpuSet({0, 1, 2, 3, 8})));
    CHECK(parsed("\"0-3\"", cpus, ExpressionRole::to)->print() == "\"0-3\"");
    CHECK(contains(refused("fd.used", cpus, ExpressionRole::to).message, "a CPU set is wanted"));
}

TEST_CASE("only what reads nothing is constant") {
    CHECK(parsed("2 * 32768", quantity_of(unit::count), ExpressionRole::to)->constant() == Value(count(65536)));
    CHECK(parsed("true or false")->constant() == Value(true));
    CHECK_FALSE(parsed("fd.used > 3")->constant().has_value());
    CHECK_FALSE(parsed("env(\"X\") == \"y\"")->constant().has_value());
    CHECK_FALSE(parsed("1 / (2 - 2) > 3")->constant().has_value());
    CHECK(parsed("unlimited", quantity_of(unit::bytes), ExpressionRole::to)->constant() ==
          Value(bytes(unlimited_value)));
}

TEST_CASE("before and original come from the live adjustment, and are unknown without one") {
    World world;
    LiveAdjustment live;
    live.knob = "rlimit.nofile";
    live.original = count(256);
    live.before["fd.used"] = Value(count(250));
    live.before["epoll.wake.p99"] = Absence::low_exposure;
    const auto original = parsed("fd.used > original(rlimit.nofile) * 50%", condition, ExpressionRole::expect);
    CHECK(value_of(original, world, first_process, {&live}) == Value(true));
    CHECK(value_of(original, world).absent().reason == Absence::no_data);
    const auto before = parsed("fd.used == before(fd.used) * 2", condition, ExpressionRole::expect);
    CHECK(value_of(before, world, first_process, {&live}) == Value(true));
    CHECK(value_of(before, world).absent().reason == Absence::no_data);
    REQUIRE(before->before_arguments().size() == 1);
    CHECK(before->before_arguments()[0]->print() == "fd.used");
    CHECK(value_of(before->before_arguments()[0], world) == Value(count(500)));
    const auto missing = parsed("before(epoll.wake.p99) > 1s", condition, ExpressionRole::expect);
    CHECK(value_of(missing, world, first_process, {&live}).absent().reason == Absence::low_exposure);
}

TEST_CASE("a target that is not in the Snapshot is unknown") {
    World world;
    CHECK(value_of(parsed("fd.used > 3"), world, ProcessId{1, 1, 1}).absent().reason == Absence::vanished);
    world.snapshot.cgroups.clear();
    CHECK(truth("cgroup.memory.high > 3B", world).absent().reason == Absence::not_observed);
}

TEST_CASE("evidence shows each value that was seen") {
    World world;
    world.set(Signal::fd_used, count(983));
    world.set(Signal::fd_limit, count(1024));
    const auto line = [&world](std::string_view text, const Type& wanted = condition) {
        const auto expression = parsed(text, wanted, wanted == condition ? ExpressionRole::when : ExpressionRole::to);
        const auto state = expression->make_state();
        return to_string(expression->explain({world.snapshot, first_process, {}}, *state));
    };
    CHECK(line("fd.used / fd.limit > 80%") == "fd.used (983) / fd.limit (1024) = 96.0% > 80%  ⇒ true");
    world.set(Signal::errors_emfile, looked(rate(0), 10ms));
    CHECK(line("fd.used / fd.limit > 99% or errors.emfile.rate > 0/s") ==
          "fd.used (983) / fd.limit (1024) = 96.0% > 99% or errors.emfile.rate (unknown: low_exposure) > 0/s  ⇒ "
          "unknown: low_exposure");
    CHECK(line("clamp(fd.limit * 2, 65536, 1048576)", quantity_of(unit::count)) ==
          "clamp(fd.limit (1024) * 2, 65536, 1048576) = 65536");
    CHECK(line("max(fd.used, fd.used + 1) > 3") == "max(fd.used (983), fd.used (983) + 1) = 984 > 3  ⇒ true");
    CHECK(line("not (present(runq) and fd.used > 1)") ==
          "not (present(runq (unknown: not_observed)) and fd.used (983) > 1)  ⇒ true");
}
