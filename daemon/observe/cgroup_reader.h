// Reads one cgroup of the unified hierarchy: limits, usage, pressure, events (Documentation/admin-guide/cgroup-v2.rst).
// One reader a cgroup, because rates need the last reading. A cgroup is its inode: a recreated name is another one.
#pragma once

#include <string>

#include "base/files.h"
#include "base/target.h"
#include "observe/counter.h"
#include "observe/held_directory.h"
#include "observe/snapshot.h"

namespace gotuned {

/// Where a resource controller is mounted: on hybrid hosts some are on cgroup v1 (PROC/cgroups, hierarchy above 0),
/// and the unified hierarchy then has no files for them.
class ControllerPlaces {
public:
    explicit ControllerPlaces(const Roots& roots);
    [[nodiscard]] bool on_v1(std::string_view controller) const;

private:
    std::string table_;
};

class CgroupReader {
public:
    CgroupReader(CgroupId id, std::string path) : id_(id), path_(std::move(path)) {}

    /// Its directory, held open, for read(). Absent: vanished (no such directory, or another inode),
    /// not_supported (no cgroup v2), not_permitted.
    [[nodiscard]] Reading<HeldDirectory> open(const Roots& roots) const;
    /// CPU time that the whole cgroup ever used, in µs: when it does not move, nothing ran in it. Of whatever has its
    /// path now: open() tells. Absent: it cannot be read.
    [[nodiscard]] Reading<std::uint64_t> usage(const Roots& roots) const;
    /// How many processes are in it; 0 when others may be in cgroups below it, or when that cannot be told.
    [[nodiscard]] static std::size_t processes(const Reading<HeldDirectory>& directory);
    /// Every signal of the cgroup. Absent: as open(); not_supported (the controller is on cgroup v1, is not enabled
    /// here, the root cgroup or this kernel has no such file).
    SignalTable read(const Reading<HeldDirectory>& directory, const ControllerPlaces& places, MonoTime now);
    /// Memory and pressure alone (answers_pressure()) in a table that read() has filled. False: the cgroup cannot be
    /// read now, and the table is as it was.
    bool refresh(SignalTable& table, const Roots& roots, const ControllerPlaces& places, MonoTime now);
    /// Whether threads of it were stalled on memory since the last reading; false when that cannot be told.
    [[nodiscard]] bool stalled_since(const Roots& roots) const;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    struct Source;
    static void read_pressure(SignalTable& table, const Source& source);
    void read_memory(SignalTable& table, const Source& source, MonoTime now);
    void read_cpu(SignalTable& table, const Source& source, MonoTime now);

    CgroupId id_;
    std::string path_;
    Counter stall_, high_, max_, oom_kill_, refault_anon_, refault_file_, swapin_, periods_, throttled_;
};

/// Nothing in a table that read() filled changes by itself while nothing runs in the cgroup: every rate is zero, and
/// the pressure that a kernel takes a minute to forget is below 1%.
bool at_rest(const SignalTable& table);

/// "max" is unlimited. Absent: malformed.
Reading<SignalValue> parse_cgroup_limit(std::string_view text, Unit unit);
/// cpu.max "QUOTA PERIOD" in CPUs; "max …" is unlimited. Absent: malformed.
Reading<SignalValue> parse_cpu_max(std::string_view text);

}  // namespace gotuned
