#include "observe/watched_cgroup.h"

#include <utility>

namespace gotuned {
namespace {

constexpr Duration idle_look = std::chrono::seconds(15);

}  // namespace

std::shared_ptr<const CgroupState> WatchedCgroup::observe(const Roots& roots, const ControllerPlaces& places,
                                                          MonoTime now, Duration idle_reread) {
    if (last_ != nullptr && quiet_ && !active && !touched_ && now - looked_at_ < idle_look &&
        now - last_->read_at < idle_reread)
        return last_;
    looked_at_ = now;
    const auto directory = reader_.open(roots);
    const auto usage = CgroupReader::usage(directory);
    const bool ran = !usage || usage != usage_;
    usage_ = usage;
    const bool touched = std::exchange(touched_, false);
    if (last_ != nullptr && !ran && !touched && at_rest(last_->signals) && now - last_->read_at < idle_reread) {
        quiet_ = true;
        return last_;
    }
    auto state = std::make_shared<CgroupState>();
    state->id = id_;
    state->path = reader_.path();
    state->unit = unit_;
    state->read_at = now;
    state->signals = reader_.read(directory, places, now);
    quiet_ = !ran && at_rest(state->signals);
    last_ = std::move(state);
    return last_;
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
