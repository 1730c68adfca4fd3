// What a rule says of a target follows, for most rules, from what the target's own signals are now. As long as those
// are the same the rule need not be asked again: on most hosts most services do nothing most of the time.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "observe/snapshot.h"
#include "rulebook/rulebook.h"

namespace gotuned {

struct Cell;

/// What of a rule is asked at each target and each Snapshot, found once a rulebook.
struct RuleFacts {
    bool follows = false;         ///< follows_from_state()
    std::vector<Signal> reads{};  ///< of the target, by its `when`; of one that reaches back, by all its expressions
    bool reads_host = false;      ///< by its `when`
    std::vector<Reading<Value>> host_parts{};  ///< of `when` in the last Snapshot
    bool host_changed = false;                 ///< they are others than in the one before
};
/// By the place in Rulebook::rules.
std::vector<RuleFacts> facts_of(const Rulebook& rulebook);

/// What a target was when its rules were last judged, and what came of those that follow from that.
struct JudgedTarget {
    enum class Outcome : std::uint8_t {
        anew,     ///< to be asked, or no rule for this target
        idle,     ///< its condition is false
        unknown,  ///< it cannot be told, and nothing is remembered from when it could
    };
    std::shared_ptr<const ProcessState> process{};
    std::shared_ptr<const CgroupState> cgroup{};
    std::vector<Outcome> outcomes{};  ///< by the place in Rulebook::rules
    /// Why, of the outcomes that are, by the place.
    std::vector<std::pair<std::size_t, std::shared_ptr<const Absent>>> unknown{};
    /// Of the outcomes of rules that reach back: the cell, settled, that waits for the target to change, by the place.
    std::vector<std::pair<std::size_t, Cell*>> waiting{};
    std::uint64_t round = 0;

    /// The target is this now: what depends on what has changed is to be judged anew.
    void renew(const std::vector<RuleFacts>& facts, std::shared_ptr<const ProcessState> process_now,
               std::shared_ptr<const CgroupState> cgroup_now);
    /// Of an outcome that is unknown.
    [[nodiscard]] const std::shared_ptr<const Absent>& why_unknown(std::size_t place) const;
    /// Of an outcome that is not anew. Null: the rule does not reach back.
    [[nodiscard]] Cell* waiting_cell(std::size_t place) const;
    /// It is to be judged anew.
    void forget(std::size_t place);
};

}  // namespace gotuned
