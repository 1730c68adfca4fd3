#include "condition.h"

#include <array>
#include <cerrno>
#include <thread>

#include "floor.skel.h"
#include "probe/loaded_probes.h"
#include "tests/support/optional_probes.h"

namespace gotuned::bench {
namespace {

enum class Seen : unsigned char { scheduler, sockets, calls, interrupts };

class AttachedProbes final : public Attached {
public:
    explicit AttachedProbes(LoadedProbes& probes) : probes_(probes) {}
    AttachedProbes(const AttachedProbes&) = delete;
    AttachedProbes& operator=(const AttachedProbes&) = delete;
    ~AttachedProbes() override {
        probes_.close_interrupts();
        probes_.close_window();
        probes_.detach();
    }

private:
    LoadedProbes& probes_;
};

class AttachedFloor final : public Attached {
public:
    AttachedFloor(bpf_program* enter, bpf_program* exit)
        : links_{bpf_program__attach(enter), bpf_program__attach(exit)} {}
    AttachedFloor(const AttachedFloor&) = delete;
    AttachedFloor& operator=(const AttachedFloor&) = delete;
    ~AttachedFloor() override {
        for (bpf_link* link : links_) bpf_link__destroy(link);
    }
    [[nodiscard]] bool whole() const { return links_[0] != nullptr && links_[1] != nullptr; }

private:
    std::array<bpf_link*, 2> links_;
};

ProbeOptions options() {
    ProbeOptions options;
    options.max_processes = 64;
    return options;
}

/// The daemon's probes, with one process that is watched.
class WatchingProbes {
public:
    WatchingProbes(ProcessId watched, bool sockets_in_windows)
        : watched_(watched), sockets_in_windows_(sockets_in_windows) {
        probes_.detach();
    }

    Result<std::unique_ptr<Attached>> attach(Seen seen) {
        probes_.attach();
        auto attached = std::make_unique<AttachedProbes>(probes_);
        for (const ProbeReport& report : probes_.reports())
            if (!report.attached && !may_be_missing(report))
                return fail("cannot attach " + report.probe + ": " + report.reason);
        if (const Status done = probes_.watch(watched_); !done) return fail(done.error());
        const bool window = seen == Seen::calls || seen == Seen::interrupts;
        if (seen == Seen::scheduler || (window && !sockets_in_windows_)) probes_.pause(PartTime::sockets);
        if (seen == Seen::calls) {
            if (const Status done = probes_.open_window(); !done) return fail(done.error());
        }
        if (seen == Seen::interrupts) probes_.open_interrupts();
        // As it is after the daemon's first tick: a busy process counts into copies of its slot.
        std::this_thread::sleep_for(std::chrono::milliseconds(15));
        (void)probes_.take(watched_, MonoClock::now());
        probes_.tick(MonoClock::now());
        return attached;
    }

private:
    ProcessId watched_;
    bool sockets_in_windows_;
    LoadedProbes probes_{options()};
};

}  // namespace

std::string_view to_string(Condition condition) {
    switch (condition) {
        case Condition::bare:
            return "bare";
        case Condition::scheduler_watched:
            return "scheduler, watched";
        case Condition::scheduler_neighbour:
            return "scheduler, neighbour";
        case Condition::sockets_watched:
            return "sockets too, watched";
        case Condition::sockets_neighbour:
            return "sockets too, neighbour";
        case Condition::calls_watched:
            return "window of system calls, watched";
        case Condition::calls_neighbour:
            return "window of system calls, neighbour";
        case Condition::interrupts_watched:
            return "window of interrupts, watched";
        case Condition::interrupts_neighbour:
            return "window of interrupts, neighbour";
        case Condition::floor:
            return "floor: empty sys_enter and sys_exit";
        case Condition::timing_floor:
            return "floor of timing: they read the clock";
    }
    return "";
}

struct ProgramSets::Loaded {
    Loaded(ProcessId server, ProcessId neighbour, bool sockets_in_windows)
        : watched(server, sockets_in_windows), beside(neighbour, sockets_in_windows) {}
    Loaded(const Loaded&) = delete;
    Loaded& operator=(const Loaded&) = delete;
    ~Loaded() {
        if (floor != nullptr) floor_bpf__destroy(floor);
    }
    WatchingProbes watched;
    WatchingProbes beside;
    floor_bpf* floor = nullptr;
};

ProgramSets::ProgramSets(ProcessId server, ProcessId neighbour, bool sockets_in_windows)
    : loaded_(std::make_unique<Loaded>(server, neighbour, sockets_in_windows)) {}
ProgramSets::~ProgramSets() = default;

Result<std::unique_ptr<Attached>> ProgramSets::attach(Condition condition) {
    switch (condition) {
        case Condition::bare:
            return std::make_unique<Attached>();
        case Condition::scheduler_watched:
            return loaded_->watched.attach(Seen::scheduler);
        case Condition::scheduler_neighbour:
            return loaded_->beside.attach(Seen::scheduler);
        case Condition::sockets_watched:
            return loaded_->watched.attach(Seen::sockets);
        case Condition::sockets_neighbour:
            return loaded_->beside.attach(Seen::sockets);
        case Condition::calls_watched:
            return loaded_->watched.attach(Seen::calls);
        case Condition::calls_neighbour:
            return loaded_->beside.attach(Seen::calls);
        case Condition::interrupts_watched:
            return loaded_->watched.attach(Seen::interrupts);
        case Condition::interrupts_neighbour:
            return loaded_->beside.attach(Seen::interrupts);
        case Condition::floor:
        case Condition::timing_floor:
            break;
    }
    if (loaded_->floor == nullptr) loaded_->floor = floor_bpf__open_and_load();
    if (loaded_->floor == nullptr) return fail("cannot load the programs of the floor", errno);
    const auto& programs = loaded_->floor->progs;
    auto attached = condition == Condition::floor
                        ? std::make_unique<AttachedFloor>(programs.floor_enter, programs.floor_exit)
                        : std::make_unique<AttachedFloor>(programs.clock_enter, programs.clock_exit);
    if (!attached->whole()) return fail("cannot attach the programs of the floor", errno);
    return attached;
}

}  // namespace gotuned::bench
