// What the Go runtime of a process knows of itself, read from its memory without stopping it: one process_vm_readv(2) a
// reading, two or three when it is the first. Used by the Observer in its worker, since a read may have to wait for
// swap. Fails closed: a stripped executable, an unknown release, a changed runtime, and every value that cannot be true
// are absent, with the reason.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/reading.h"
#include "discover/go_process.h"
#include "observe/go_layout.h"
#include "observe/remote_memory.h"

namespace gotuned {

/// One reading. The numbers of one reading were copied one after the other, while the program ran: they fit together as
/// well as those that the runtime itself gives without stopping the world.
struct GoRuntimeValues {
    /// The runtime's own words: the executable of a PIE before Go 1.18 does not tell its version.
    Reading<std::string> version{};
    Reading<std::uint64_t> gomaxprocs{};
    Reading<std::uint64_t> goroutines{};  ///< runtime.NumGoroutine()
    Reading<std::uint64_t> gc_count{};    ///< MemStats.NumGC
    /// MemStats.PauseNs: that of collection n, counted from 0, at n % 256. Of those before gc_count.
    std::array<std::uint64_t, 256> pauses_ns{};
    Reading<std::uint64_t> gc_cpu_ns{};  ///< CPU time of all collections, that of idle CPUs left out
    Reading<std::uint64_t> heap_live{};  ///< what the last collection found in use
    /// MemStats.NextGC; never: the collector is off and no limit is set.
    Reading<std::uint64_t> heap_goal{};
    Reading<std::uint64_t> memory_limit{};  ///< debug.SetMemoryLimit(-1); never: none is set
    Reading<std::uint64_t> sys{};           ///< MemStats.Sys
    Reading<std::uint64_t> in_use{};        ///< of it, what was not given back to the kernel
    Reading<std::uint64_t> total_alloc{};   ///< MemStats.TotalAlloc, that of spans still being filled left out
    static constexpr std::uint64_t never = UINT64_MAX;
};
GoRuntimeValues absent_values(const Absent& why);

/// Whether there is any use in reading this program: absent, with the reason, when its executable tells too little.
Reading<bool> can_be_read(const GoBuild& build);

class GoRuntime {
public:
    /// `proc` is where PROC is.
    GoRuntime(const GoProcess& process, std::string proc, std::shared_ptr<const RemoteMemory> memory);

    /// Not for two threads at once.
    GoRuntimeValues read();

private:
    struct Slice {
        std::uint64_t data = 0, length = 0, capacity = 0;
        friend bool operator==(const Slice&, const Slice&) = default;
    };
    struct Text {
        std::uint64_t data = 0, length = 0;
        friend bool operator==(const Text&, const Text&) = default;
    };
    struct Copied;  // what one reading copies: a daemon that follows thousands of processes keeps none of it

    Reading<bool> attach();
    Reading<bool> read_version();
    [[nodiscard]] std::vector<RemotePart> plan(Copied& into) const;
    Reading<bool> copy(Copied& into);
    Reading<bool> find_ps(const Slice& allp);
    GoRuntimeValues understand(const Copied& from) const;
    [[nodiscard]] Reading<std::uint64_t> goroutines(const Copied& from) const;
    [[nodiscard]] Reading<std::uint64_t> gc_cpu(const Copied& from) const;
    [[nodiscard]] Reading<std::uint64_t> heap_goal(const Copied& from) const;
    [[nodiscard]] Reading<std::uint64_t> memory_limit(const Copied& from) const;
    void set_memory(GoRuntimeValues& out, const Copied& from) const;
    [[nodiscard]] std::uint64_t address_of(GoSymbol symbol) const;

    pid_t pid_;
    GoBuild build_;
    std::string proc_;
    std::shared_ptr<const RemoteMemory> memory_;

    const GoLayout* layout_ = nullptr;  ///< null: not attached
    Absent hopeless_{};                 ///< why it never will be
    bool is_hopeless_ = false;
    std::uint64_t bias_ = 0;
    Text version_text_{};
    std::string version_{};
    Slice known_allp_{};               ///< whose Ps are in ps_
    Reading<bool> ps_known_{};         ///< or why the goroutines cannot be counted
    std::vector<std::uint64_t> ps_{};  ///< addresses; a P is never freed
};

}  // namespace gotuned
