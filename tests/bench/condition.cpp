#include "condition.h"

#include <cerrno>
#include <thread>

#include "floor.skel.h"
#include "probe/probes.h"
#include "tests/support/optional_probes.h"

namespace gotuned::bench {
namespace {

class AttachedProbes final : public Attached {
public:
    explicit AttachedProbes(std::unique_ptr<Probes> probes) : probes_(std::move(probes)) {}

private:
    std::unique_ptr<Probes> probes_;
};

class AttachedFloor final : public Attached {
public:
    explicit AttachedFloor(floor_bpf* programs) : programs_(programs) {}
    AttachedFloor(const AttachedFloor&) = delete;
    AttachedFloor& operator=(const AttachedFloor&) = delete;
    ~AttachedFloor() override { floor_bpf__destroy(programs_); }

private:
    floor_bpf* programs_;
};

Result<std::unique_ptr<Attached>> attach_probes(const ProcessId& watched, bool window) {
    ProbeOptions options;
    options.max_processes = 64;
    std::unique_ptr<Probes> probes = Probes::load(options);
    for (const ProbeReport& report : probes->reports())
        if (!report.attached && !may_be_missing(report))
            return fail("cannot attach " + report.probe + ": " + report.reason);
    if (const Status done = probes->watch(watched); !done) return fail(done.error());
    if (window) {
        if (const Status done = probes->open_window(); !done) return fail(done.error());
    }
    // As it is after the daemon's first tick: a busy process counts into copies of its slot.
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
    (void)probes->take(watched, MonoClock::now());
    probes->tick(MonoClock::now());
    return std::make_unique<AttachedProbes>(std::move(probes));
}

}  // namespace

std::string_view to_string(Condition condition) {
    switch (condition) {
        case Condition::bare:
            return "bare";
        case Condition::scheduler_watched:
            return "scheduler, watched";
        case Condition::scheduler_neighbour:
            return "scheduler, neighbour";
        case Condition::full_watched:
            return "all windows open, watched";
        case Condition::full_neighbour:
            return "all windows open, neighbour";
        case Condition::floor:
            return "floor: empty sys_enter and sys_exit";
    }
    return "";
}

Result<std::unique_ptr<Attached>> attach(Condition condition, const ProcessId& server, const ProcessId& neighbour) {
    switch (condition) {
        case Condition::bare:
            return std::make_unique<Attached>();
        case Condition::scheduler_watched:
            return attach_probes(server, false);
        case Condition::scheduler_neighbour:
            return attach_probes(neighbour, false);
        case Condition::full_watched:
            return attach_probes(server, true);
        case Condition::full_neighbour:
            return attach_probes(neighbour, true);
        case Condition::floor:
            break;
    }
    floor_bpf* programs = floor_bpf__open_and_load();
    if (programs == nullptr) return fail("cannot load the empty programs", errno);
    if (const int error = floor_bpf__attach(programs); error != 0) {
        floor_bpf__destroy(programs);
        return fail("cannot attach the empty programs", -error);
    }
    return std::make_unique<AttachedFloor>(programs);
}

}  // namespace gotuned::bench
