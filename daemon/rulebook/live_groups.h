// The live adjustments of a Snapshot, by the decision that made them: one group is kept, fails and is undone as one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "observe/snapshot.h"

namespace gotuned {

struct LiveGroup {
    enum class Phase : std::uint8_t {
        writing,    ///< not all written and read back yet
        verifying,  ///< applied, not kept yet
        kept,
        hands_off,  ///< an undo is deferred (tune retries it), or all of it has drifted
    };
    std::int64_t id = 0;
    Phase phase = Phase::hands_off;
    bool drifted = false;         ///< some of it
    bool condition_over = false;  ///< phase hands_off: an undo that undo_when began is deferred
    int step = 1;
    MonoTime read_back{};  ///< of the last write
    MonoTime kept_at{};    ///< of the last one kept
    std::vector<const LiveAdjustment*> adjustments{};
};

using RuleAndTarget = std::pair<std::string, TargetId>;
/// The same without a copy of the name, to look for it in a map of RuleAndTarget.
using RuleAndTargetView = std::pair<std::string_view, const TargetId&>;
struct RuleAndTargetOrder {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
        const int names = std::string_view(a.first).compare(b.first);
        return names != 0 ? names < 0 : a.second < b.second;
    }
};
using LiveGroups = std::map<RuleAndTarget, std::vector<LiveGroup>, RuleAndTargetOrder>;

/// Points into the Snapshot.
LiveGroups live_groups(const Snapshot& snapshot);

}  // namespace gotuned
