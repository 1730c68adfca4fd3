// The daemon's JSON answers as text for people. Field names are those of docs/gotunectl.md. An answer that is not
// understood is printed as it came: better than nothing.
#pragma once

#include <string>
#include <vector>

namespace gotuned {

/// `width`: of the terminal; 0: as wide as it takes.
std::string render_status(const std::string& json, unsigned width);
std::string render_catalogue(const std::string& json, unsigned width);
std::string render_values(const std::string& json, unsigned width);
std::string render_plan(const std::string& json, unsigned width);
std::string render_explanation(const std::string& json, unsigned width);
std::string render_history(const std::string& json, unsigned width);
std::string render_outcomes(const std::string& json, unsigned width);
std::string render_loaded(const std::string& json);
std::string render_done(const std::string& json);

/// Whether every outcome of an undo is as wished: put back, or its target is gone.
bool all_undone(const std::string& outcomes_json);
/// Whether there was nothing to undo.
bool nothing_undone(const std::string& outcomes_json);
/// What `undo --force` is about to touch: lines of "17  rlimit.nofile of payments pid 4711: 65536 → 1024".
std::vector<std::string> describe_adjustments(const std::string& status_json, long long id);
/// "balanced"; empty when the answer is not understood.
std::string profile_of(const std::string& status_json);

}  // namespace gotuned
