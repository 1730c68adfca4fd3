#include "main/table.h"

#include "catch.h"

using namespace gotuned;

namespace {

std::shared_ptr<ProcessState> process(int pid, const std::string& service, double cpu) {
    auto facts = std::make_shared<GoProcess>();
    facts->id = ProcessId{pid, 1, 1};
    facts->build.version = "go1.19.8";
    auto state = std::make_shared<ProcessState>();
    state->process = facts;
    state->service = service;
    state->signals.set(Signal::cpu_usage, ratio(cpu));
    return state;
}

Snapshot snapshot_of(std::initializer_list<std::shared_ptr<ProcessState>> states) {
    Snapshot snapshot;
    for (const auto& state : states) snapshot.processes[state->process->id] = state;
    return snapshot;
}

}  // namespace

TEST_CASE("the busiest process comes first and an absent value is a dash") {
    const std::string table = render_table(snapshot_of({process(1, "idle", 0.01), process(2, "busy", 0.9)}), 120, 10);
    CHECK(table.find("busy") < table.find("idle"));
    CHECK(table.find("-/-") != std::string::npos);
    CHECK(table.find("90%") != std::string::npos);
}

TEST_CASE("a hostile name does not break the table") {
    const std::string table = render_table(snapshot_of({process(1, "a\n\x1b[2Jb\xff\"", 0.5)}), 120, 10);
    CHECK(std::count(table.begin(), table.end(), '\n') == 2);
    CHECK(table.find('\x1b') == std::string::npos);
    CHECK(table.find('\xff') == std::string::npos);
}

TEST_CASE("rows beyond the limit are counted, and a process that exited is not shown") {
    auto gone = process(4, "gone", 0.1);
    gone->exited = true;
    const std::string table =
        render_table(snapshot_of({process(1, "a", 0.1), process(2, "b", 0.2), process(3, "c", 0.3), gone}), 120, 2);
    CHECK(table.find("and 1 more") != std::string::npos);
    CHECK(table.find("gone") == std::string::npos);
}

TEST_CASE("no line is wider than the terminal") {
    const std::string table = render_table(snapshot_of({process(1, std::string(300, 'x'), 0.1)}), 80, 10);
    for (std::size_t at = 0, end = 0; (end = table.find('\n', at)) != std::string::npos; at = end + 1)
        CHECK(end - at <= 80);
}
