// The running rulebook: loads it, reloads it, keeps the old one when the new one is wrong, and falls back to last-good
// at start. A typo never takes a rulebook away.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "rulebook/loader.h"

namespace gotuned {

class RulebookStore {
public:
    /// `last_good` is the directory it is saved in.
    RulebookStore(RulebookSources sources, std::string last_good)
        : sources_(std::move(sources)), last_good_(std::move(last_good)) {}

    enum class Origin { none, sources, last_good };
    /// At start: the sources, else last-good, else none (then the daemon decides nothing and is not ready).
    void load_at_start();
    /// The sources again. On errors the running rulebook stays, and the errors are returned (and kept for status).
    Status reload();
    /// As reload(), with another profile; on errors the profile stays as well.
    Status set_profile(const std::string& profile);

    /// Null when there is none.
    [[nodiscard]] const RulebookPtr& running() const { return running_; }
    [[nodiscard]] Origin origin() const { return origin_; }
    /// Of the last load that failed since the last that did not; empty when the sources are what runs.
    [[nodiscard]] const Diagnostics& errors() const { return errors_; }
    [[nodiscard]] std::uint64_t failed_loads() const { return failed_loads_; }
    [[nodiscard]] const RulebookSources& sources() const { return sources_; }

private:
    RulebookSources sources_;
    std::string last_good_;
    RulebookPtr running_;
    Origin origin_ = Origin::none;
    Diagnostics errors_;
    std::uint64_t failed_loads_ = 0;

    bool take(const RulebookSources& sources);
    bool refuse(Diagnostics errors);
    /// Directories of the running rulebook that are not there any more: a failed mount or a half-done deployment must
    /// not be taken for an operator who wants no rules.
    [[nodiscard]] Diagnostics missing(const RulebookSources& sources) const;
    std::vector<std::string> directories_{};  ///< those that were there at the last good load
};
std::string_view to_string(RulebookStore::Origin origin);

}  // namespace gotuned
