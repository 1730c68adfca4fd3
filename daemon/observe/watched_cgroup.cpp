#include "observe/watched_cgroup.h"

#include <algorithm>
#include <utility>

namespace gotuned {
namespace {

constexpr Duration idle_look = std::chrono::seconds(15);
/// Less CPU time than this since the last reading, and what it said is still near enough.
constexpr std::uint64_t little_us = 1000;

}  // namespace

std::shared_ptr<const CgroupState> WatchedCgroup::observe(const Roots& roots, const ControllerPlaces& places,
                                                          MonoTime now, Duration idle_reread, std::size_t& rereads) {
    const bool due = last_ == nullptr || (now - last_->read_at >= reread(idle_reread) && rereads > 0);
    const bool alone = alone_ > 0 && alone_ == processes;
    if (last_ != nullptr && quiet_ && !active && !touched_ && !due && (alone || now - looked_at_ < idle_look))
        return last_;
    looked_at_ = now;
    const auto usage = reader_.usage(roots);
    const bool ran = !usage || !usage_ || *usage - *usage_ >= little_us;
    const bool touched = std::exchange(touched_, false);
    if (!ran && !touched && !due && at_rest(last_->signals)) {
        quiet_ = true;
        return last_;
    }
    if (due && last_ != nullptr) --rereads;
    usage_ = usage;
    const auto directory = reader_.open(roots);
    auto state = std::make_shared<CgroupState>();
    state->id = id_;
    state->path = reader_.path();
    state->unit = unit_;
    state->read_at = now;
    state->signals = reader_.read(directory, places, now);
    alone_ = CgroupReader::processes(directory);
    quiet_ = !ran && at_rest(state->signals);
    last_ = std::move(state);
    return last_;
}

Duration WatchedCgroup::reread(Duration idle_reread) const {
    return told_of_writes ? idle_reread : std::min(idle_reread, idle_look);
}

std::shared_ptr<const CgroupState> WatchedCgroup::refresh(const Roots& roots, const ControllerPlaces& places,
                                                          MonoTime now) {
    if (last_ == nullptr) return nullptr;
    auto state = std::make_shared<CgroupState>(*last_);
    if (!reader_.refresh(state->signals, roots, places, now)) return nullptr;
    state->read_at = now;
    quiet_ = false;  // the next tick reads it whole: the rates that are in it now end here
    last_ = std::move(state);
    return last_;
}

}  // namespace gotuned
