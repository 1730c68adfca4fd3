// Which knobs exist, for the loader: name, scope, type of value and constant bounds. tune/ implements them;
// a test holds that both tables name the same.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/target.h"
#include "base/value.h"

namespace gotuned {

struct KnobInfo {
    std::string_view name;  ///< "rlimit.nofile", "cpu.affinity", "cgroup.memory.high", "sysctl." (a prefix), "advise"
    bool prefix = false;    ///< the name goes on: sysctl.NAME
    Scope scope{};          ///< whose knob it is: a rule of narrower scope must not turn it
    enum class Takes { count, bytes, time, cpus, sysctl, word, text } takes{};
    double least = 0;  ///< constant safe bounds of a quantity (packaged; a rule may narrow)
    double most = unlimited_value;
    bool shared = false;       ///< moves a resource that processes share (affinity, swappiness, memory.low/min)
    std::string_view words{};  ///< Takes::word: the packaged ones, by spaces; empty: whatever the host offers
    std::string_view meaning;

    /// Of a quantity.
    [[nodiscard]] constexpr Unit unit() const {
        return takes == Takes::bytes ? unit::bytes : takes == Takes::time ? unit::time : unit::count;
    }
};
std::span<const KnobInfo> knob_catalogue();
/// The entry for a full knob name ("sysctl.vm.swappiness"); nullptr when there is none.
const KnobInfo* find_knob_info(std::string_view name);
/// Constant bounds of one sysctl ("vm.swappiness": 0–200); nothing when the name has none packaged.
struct SysctlBounds {
    double least = 0, most = unlimited_value;
};
std::optional<SysctlBounds> sysctl_bounds(std::string_view name);
/// The names that have packaged bounds: what a mistyped one may have meant.
std::vector<std::string_view> bounded_sysctls();
/// Why a sysctl that is often recommended does not exist; empty when nothing is known against it.
std::string_view sysctl_myth(std::string_view name);

/// Where a sysfs.* knob's file is below /sys: "sysfs.block.sda.scheduler" → "block/sda/queue/scheduler".
std::string sysfs_file(std::string_view knob);

/// Knobs of the catalogue that this version does not build yet (naming one is a load error that says so). A name that
/// ends in a dot is a prefix.
std::span<const std::string_view> unbuilt_knobs();

}  // namespace gotuned
