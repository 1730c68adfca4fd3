// One cgroup that a watched process is in. It is read in full only when something ran in it since the last tick.
#pragma once

#include <memory>
#include <string>

#include "observe/cgroup_reader.h"
#include "observe/snapshot.h"

namespace gotuned {

class WatchedCgroup {
public:
    WatchedCgroup(CgroupId id, std::string path, std::string unit)
        : id_(id), unit_(std::move(unit)), reader_(id, std::move(path)) {}

    /// The same object as before when next to no CPU time was used in the cgroup since and it is at_rest(). Where
    /// others than watched processes are in it, or below it, and these do not run, that is looked for each idle_look.
    /// After `idle_reread` it is read again, if so many may be (`rereads`) at this time; each idle_look, if nobody
    /// tells when its limits are written to.
    std::shared_ptr<const CgroupState> observe(const Roots& roots, const ControllerPlaces& places, MonoTime now,
                                               Duration idle_reread, std::size_t& rereads);
    /// Between two ticks: the last state with memory and pressure read anew. Null: there is none yet, or the cgroup
    /// cannot be read.
    std::shared_ptr<const CgroupState> refresh(const Roots& roots, const ControllerPlaces& places, MonoTime now);
    /// How often it is read at least: each `idle_reread`, or idle_look.
    [[nodiscard]] Duration reread(Duration idle_reread) const;
    [[nodiscard]] const CgroupReader& reader() const { return reader_; }
    /// Something was written to it: it is read at the next tick, whether something ran in it or not.
    void touch() { touched_ = true; }
    std::size_t processes = 0;    ///< watched ones that were in it in this tick
    bool active = false;          ///< some of them ran in this tick, or may have
    bool told_of_writes = false;  ///< touch() is called when somebody writes to its limits

private:
    CgroupId id_;
    std::string unit_;
    CgroupReader reader_;
    Reading<std::uint64_t> usage_{};  ///< when it was last read
    MonoTime looked_at_{};            ///< its CPU time was
    bool touched_ = false;
    bool quiet_ = false;     ///< nothing ran in it since last_, which is at rest
    std::size_t alone_ = 0;  ///< how many were in it when it was read; 0: not known, or it has cgroups below it
    std::shared_ptr<const CgroupState> last_{};
};

}  // namespace gotuned
