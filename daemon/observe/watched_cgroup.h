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

    /// The same object as before when no CPU time was used in the cgroup since and it is at_rest(). That nobody else
    /// uses any in a quiet cgroup whose watched processes do not run is looked for each idle_look.
    std::shared_ptr<const CgroupState> observe(const Roots& roots, const ControllerPlaces& places, MonoTime now,
                                               Duration idle_reread);
    /// Between two ticks: the last state with memory and pressure read anew. Null: there is none yet, or the cgroup
    /// cannot be read.
    std::shared_ptr<const CgroupState> refresh(const Roots& roots, const ControllerPlaces& places, MonoTime now);
    [[nodiscard]] const CgroupReader& reader() const { return reader_; }
    /// Something was written to it: it is read at the next tick, whether something ran in it or not.
    void touch() { touched_ = true; }
    bool in_use = true;   ///< some watched process was in it in this tick
    bool active = false;  ///< some watched process in it ran in this tick, or may have

private:
    CgroupId id_;
    std::string unit_;
    CgroupReader reader_;
    Reading<std::uint64_t> usage_{};
    MonoTime looked_at_{};  ///< its CPU time was
    bool touched_ = false;
    bool quiet_ = false;  ///< nothing ran in it since last_, which is at rest
    std::shared_ptr<const CgroupState> last_{};
};

}  // namespace gotuned
