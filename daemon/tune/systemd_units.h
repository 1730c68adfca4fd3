// Units of systemd: which cgroup is whose, and their settings, changed through the manager
// (org.freedesktop.systemd1(5)) so that a daemon-reload keeps them. Such a change of the running system leaves a
// drop-in, 50-SETTING.conf; undo takes back exactly that one, so that the unit's own files count again. What calls the
// manager blocks, but not for longer than the patience below, whatever becomes of systemd or its bus: for the Worker
// only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/value.h"

namespace gotuned {

/// For connecting and for a call. A manager that reads all units again answers nobody meanwhile: seconds on a busy
/// host, and another adjustment of ours may be what it does so for.
inline constexpr std::chrono::seconds manager_patience{20};
inline constexpr std::chrono::seconds reload_patience{35};
/// For a setting of a unit and its undo, which has systemd read all units again: seconds on a host with many units.
/// Zero where systemd does not run.
Duration unit_patience(const Roots& roots);

/// A setting by its name on the bus and in unit files.
struct UnitSetting {
    std::string_view property{};  ///< "CPUQuotaPerSecUSec"
    std::string_view name{};      ///< "CPUQuota": of the file 50-CPUQuota.conf, and of the line in it
};
/// A number (UINT64_MAX is infinity), or the mask of CPUs that unit_mask() makes.
using UnitValue = std::variant<std::uint64_t, std::vector<std::uint8_t>>;
/// Bit n%8 of byte n/8 is CPU n.
std::vector<std::uint8_t> unit_mask(const CpuSet& cpus);
CpuSet cpus_of_mask(const std::vector<std::uint8_t>& mask);

/// The unit whose own cgroup this is by its path: "web.service" of "/system.slice/web.service". Empty for a cgroup
/// below that of a unit (a delegated one, or one of a user's own manager), and where systemd does not run.
std::string unit_of_cgroup(const Roots& roots, std::string_view place);

/// The drop-in that a change of the running system leaves.
struct DropIn {
    std::string path{};
    std::optional<std::string> text{};  ///< nothing: it is not there
    friend bool operator==(const DropIn&, const DropIn&) = default;
};
/// A unit that was made over the bus (systemd-run, a container's scope) has its drop-ins beside it.
Result<DropIn> find_drop_in(const Roots& roots, const std::string& unit, const UnitSetting& setting);

/// Why a change of the setting would not last or could not be taken back: a drop-in that comes after ours has the
/// setting, too, and wins at the next daemon-reload; or ours could not be removed. Looks at files alone.
Status drop_in_objection(const Roots& roots, const std::string& unit, const UnitSetting& setting);

/// SetUnitProperties(runtime). False, and nothing done: systemd does not know this cgroup as that unit's.
/// Errors: ETIMEDOUT (it may still be done), EACCES, what systemd answers.
Result<bool> set_unit_property(const Roots& roots, const std::string& unit, std::string_view place,
                               const UnitSetting& setting, const UnitValue& value);

/// What systemd holds to be set of the unit, by its files and by calls. Errors: ETIMEDOUT, what systemd answers.
Result<UnitValue> unit_property(const Roots& roots, const std::string& unit, const UnitSetting& setting);

/// Removes a drop-in, or puts the text back that was there before, and has the units read again. Doing it twice is
/// doing it once. False, and nothing done: systemd does not know this cgroup as that unit's. With an empty `place` the
/// cgroup is not asked for: the unit has ended, and what is left of it is taken away. Whether the cgroup's files follow
/// is up to systemd: 252 writes them when it has read the units, 257 does not.
Result<bool> put_drop_in_back(const Roots& roots, const std::string& unit, std::string_view place,
                              const DropIn& former);

}  // namespace gotuned
