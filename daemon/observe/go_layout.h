// Where a Go release keeps what gotuned reads of its runtime: offsets in the runtime's own variables and types, which
// no release promises to keep. A release that is not in the table is not read.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/reading.h"
#include "discover/go_symbols.h"

namespace gotuned {

enum class GoVariable : std::uint8_t {
    none,
    sched,       ///< runtime.sched
    memstats,    ///< runtime.memstats
    controller,  ///< runtime.gcController
    work,        ///< runtime.work
    p,           ///< each runtime.p of runtime.allp
    poll_desc,   ///< each runtime.pollDesc
};

/// Of `none`: this release has no such thing.
struct GoPlace {
    GoVariable in = GoVariable::none;
    std::uint16_t offset = 0;
    [[nodiscard]] explicit operator bool() const { return in != GoVariable::none; }
};

struct GoLayout {
    int minor = 0;              ///< 22 of Go 1.22
    std::uint16_t machine = 0;  ///< EM_…
    /// Of sched, memstats, gcController and work: a runtime that was changed has other sizes.
    struct Sizes {
        std::uint16_t sched = 0, memstats = 0, controller = 0, work = 0;
    } sizes{};

    // Goroutines: int32.
    GoPlace sched_free{};           ///< on the global list of free ones; from 1.25 of those with a stack
    GoPlace sched_free_no_stack{};  ///< from 1.25
    GoPlace sched_system{};         ///< the runtime's own
    GoPlace p_id{};
    GoPlace p_free_head{};  ///< pointer: the P's own list of free ones
    GoPlace p_free{};       ///< its length, right behind

    // Garbage collection.
    GoPlace gc_count{};      ///< uint32
    GoPlace gc_pauses{};     ///< [256]uint64, ns
    GoPlace gc_time{};       ///< int64, CPU ns of all cycles that ended; from 1.21 with idle time
    GoPlace gc_idle_time{};  ///< int64, the part that used only CPUs that had nothing else to do

    // The heap: uint64 bytes.
    GoPlace heap_marked{};
    GoPlace next_gc{};        ///< to 1.18: the goal itself
    GoPlace percent_goal{};   ///< from 1.19: the parts of the goal (gcControllerState.heapGoalInternal)
    GoPlace sweep_trigger{};  ///<
    GoPlace triggered{};      ///<
    GoPlace memory_limit{};   ///< int64
    GoPlace mapped_ready{};   ///< from 1.19: all that is mapped and not released
    GoPlace heap_released{};  ///< given back to the kernel, still mapped
    GoPlace heap_free{};
    GoPlace total_alloc{};
    GoPlace total_free{};

    // Before 1.19: the parts of MemStats.Sys, uint64 bytes.
    GoPlace heap_sys{}, stacks_sys{}, stacks_in_use{}, mspan_sys{}, mcache_sys{}, buckhash_sys{}, gc_sys{}, other_sys{};

    /// Pointer to the goroutine that waits to read; that which waits to write is right behind.
    GoPlace waiting_reader{};
};

std::span<const GoLayout> go_layouts();

/// The layout of a program that says to be of this version ("go1.22.3"). Absent, not_supported: a release that is not
/// in the table, one that was not finished (beta, rc, devel), one built with experiments that may have changed the
/// runtime.
Reading<const GoLayout*> find_go_layout(std::string_view version, std::uint16_t machine);

/// Absent, not_supported: the program's variables have other sizes than the release's, so somebody changed the runtime.
Reading<const GoLayout*> check_sizes(const GoLayout& layout, const GoSymbols& symbols);

}  // namespace gotuned
