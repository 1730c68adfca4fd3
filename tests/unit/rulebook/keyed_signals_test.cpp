// Signals of which there is one of each: host.block.await("sda").
#include "catch.h"
#include "rules.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

tl::expected<ExpressionPtr, ExpressionError> parse(std::string_view text) {
    return parse_expression(text, Scope::process, ExpressionRole::when, condition);
}
ExpressionError refused(std::string_view text) {
    const auto parsed = parse(text);
    REQUIRE_FALSE(parsed.has_value());
    return parsed.error();
}

struct Disks {
    World world{};
    Disks() {
        auto& await = world.snapshot.host.keyed[Signal::host_block_await];
        await["sda"] = {SignalValue(Quantity{0.02, unit::time}), {}};
        await["dm-0"] = {SignalValue(Quantity{0.08, unit::time}), {}};
        await["sdb"] = {Absent{Absence::no_data, {}}, {}};
    }
    [[nodiscard]] Reading<Value> value(std::string_view text) const {
        const ExpressionPtr made = expression(text);
        const auto state = made->make_state();
        return made->evaluate(EvaluationContext{world.snapshot, first_process, {}}, *state);
    }
};

}  // namespace

TEST_CASE("a device is named, whatever characters its name has") {
    const Disks disks;
    CHECK(disks.value("host.block.await(\"sda\") > 10ms") == Value(true));
    CHECK(disks.value("host.block.await(\"sda\") > 50ms") == Value(false));
    CHECK(disks.value("host.block.await(\"dm-0\") > 50ms") == Value(true));
}

TEST_CASE("a star is the largest of those that have a value") {
    Disks disks;
    CHECK(disks.value("host.block.await(\"*\") == 80ms") == Value(true));
    auto& await = disks.world.snapshot.host.keyed[Signal::host_block_await];
    await.erase("sda");
    await.erase("dm-0");
    CHECK(disks.value("host.block.await(\"*\") > 1ms").absent().reason == Absence::no_data);
}

TEST_CASE("a device that this host does not have is not supported, one without a request has no data") {
    Disks disks;
    const auto unknown = disks.value("host.block.await(\"nvme9n1\") > 10ms");
    CHECK(unknown.absent() == Absent{Absence::not_supported, "this host has no device nvme9n1"});
    CHECK(disks.value("host.block.await(\"sdb\") > 10ms").absent().reason == Absence::no_data);
    disks.world.snapshot.host.keyed.clear();
    disks.world.snapshot.host.signals.set(Signal::host_block_await, Absent{Absence::not_permitted, {}});
    CHECK(disks.value("host.block.await(\"sda\") > 10ms").absent().reason == Absence::not_permitted);
}

TEST_CASE("what is printed is read again as the same") {
    for (const char* text : {"host.block.await(\"sda\") > 10ms", "avg(host.block.inflight(\"*\"), 1m) > 5",
                             "host.block.util.ratio(\"a\\\"b\") > 5% and present(host.block.await(\"dm-0\"))"}) {
        const ExpressionPtr made = expression(text);
        CHECK(made->print() == text);
        CHECK(expression(made->print())->print() == made->print());
    }
}

TEST_CASE("a device's signal without a device, and one with rubbish for it, are errors that help") {
    CHECK(refused("host.block.await > 10ms").message == "there is one host.block.await of each device");
    CHECK(refused("host.block.await > 10ms").hint.find("host.block.await(\"NAME\")") != std::string::npos);
    CHECK(refused("host.block.await(sda) > 10ms").hint == "write host.block.await(\"NAME\")");
    CHECK(refused("host.block.await() > 10ms").message == "host.block.await() takes the name of a device");
    CHECK(refused("host.block.await(\"\") > 10ms").message == "there is one host.block.await of each device");
    CHECK(refused("host.block.await(\"sda\", 1m) > 10ms").message == "unexpected ,");
    CHECK(refused("host.block.await(\"sda\" > 10ms").message == "unexpected >");
    CHECK(refused("host.memory.available(\"sda\") > 1").message.find("unknown function") != std::string::npos);
}

TEST_CASE("a series of one device goes on from Snapshot to Snapshot") {
    Disks disks;
    const ExpressionPtr made = expression("max_over(host.block.await(\"sda\"), 10s) > 15ms");
    const auto state = made->make_state();
    for (int i = 0; i < 4; ++i) {
        made->observe(EvaluationContext{disks.world.snapshot, first_process, {}}, *state);
        disks.world.advance();
    }
    CHECK(made->evaluate(EvaluationContext{disks.world.snapshot, first_process, {}}, *state) == Value(true));
}
