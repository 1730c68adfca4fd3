// One setting of /sys: a number, or one of several words with the chosen one in brackets ("always [madvise] never").
// Used by the knobs of huge pages and of disks.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "tune/knob.h"

namespace gotuned {

struct SysfsSetting {
    std::string text{};                  ///< the number, or the chosen word
    std::vector<std::string> offered{};  ///< the words that the file has; empty of a number
    /// A word as text, anything else as a count.
    [[nodiscard]] KnobState state() const;
};
/// Errors: ENOENT when this kernel has none (`knob` names it for people); EPROTO when none of its words is chosen.
Result<SysfsSetting> read_setting(const std::string& path, const std::string& knob);

/// One write(2), never creates. Errors: EACCES, EROFS with what makes it read-only.
Status write_setting(const std::string& path, const std::string& knob, const std::string& text);

/// Whether it can be opened for writing.
KnobAbility setting_ability(const std::string& path, const std::string& knob);

/// A word that the file offers, and of `packaged` (by spaces; empty: any) unless `unsafe`.
Result<Fitted> fit_word(const SysfsSetting& now, const PlannedWrite& planned, std::string_view packaged, bool unsafe);

}  // namespace gotuned
