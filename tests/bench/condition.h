// The sets of BPF programs that the bench compares: each is attached for a slice and detached again.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "base/target.h"

namespace gotuned::bench {

enum class Condition : unsigned char {
    bare,                 ///< nothing attached
    scheduler_watched,    ///< what is always on, the server being watched
    scheduler_neighbour,  ///< the same, another Go process being watched
    sockets_watched,      ///< arrivals at sockets seen as well
    sockets_neighbour,
    calls_watched,  ///< the window of system calls open: the most that is attached at one time where it is dear
    calls_neighbour,
    interrupts_watched,  ///< the window of interrupts open instead
    interrupts_neighbour,
    floor,         ///< empty programs on sys_enter and sys_exit
    timing_floor,  ///< programs there that only read the clock
};
inline constexpr std::size_t conditions = 11;
std::string_view to_string(Condition condition);

/// Attached for as long as it lives.
class Attached {
public:
    virtual ~Attached() = default;
};

/// The sets, loaded once each: loading takes as long as a slice.
class ProgramSets {
public:
    /// One that watches `server`, one that watches `neighbour`. A daemon that sees arrivals at sockets for a part of
    /// the time does not see them while its windows are open: `sockets_in_windows` says whether it sees them always.
    ProgramSets(ProcessId server, ProcessId neighbour, bool sockets_in_windows);
    ProgramSets(const ProgramSets&) = delete;
    ProgramSets& operator=(const ProgramSets&) = delete;
    ~ProgramSets();
    /// Attaches one set. Errors: the kernel refused a program: then there is nothing to measure.
    Result<std::unique_ptr<Attached>> attach(Condition condition);

private:
    struct Loaded;
    std::unique_ptr<Loaded> loaded_;
};

}  // namespace gotuned::bench
