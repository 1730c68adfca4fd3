// The record for people: what was decided, refused, changed, verified and undone, and who commanded what.
// /var/lib/gotuned/history.db (SQLite, WAL, NORMAL), written off the loop, bounded by age and size. Losing it loses
// no undo: that is the journal's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace gotuned {

struct HistoryEntry {
    std::int64_t id = 0;  ///< given by the database
    WallTime at{};
    std::string event{};  ///< planned applied kept undone undo_deferred refused drifted gone failed reload pause …
    std::int64_t adjustment = 0;  ///< 0 when not about one
    std::int64_t group = 0;
    std::string rule{};
    std::string target{};     ///< for people: "payments pid 4711"
    std::string target_id{};  ///< to_string(TargetId)
    std::string knob{};
    std::string original{};  ///< for people
    std::string from{};
    std::string to{};
    std::string reason{};
    std::string evidence{};  ///< the printed tree
    std::string actor{};     ///< "rule", "uid 0 (root)", "start", "lease"
};

class History {
public:
    virtual ~History() = default;
    /// Queued; written by the worker.
    virtual void add(HistoryEntry entry) = 0;
    /// Newest first. `target` and `rule` filter when not empty.
    virtual Result<std::vector<HistoryEntry>> newest(std::size_t limit, const std::string& rule,
                                                     const std::string& target) = 0;
};

/// Opens or makes the file. Entries older than `keep`, and the oldest beyond `max_bytes`, are removed in the worker.
/// A file that is no history database is moved aside (PATH.unusable-N) and said so. Errors: the directory cannot be
/// written, the disk is full, another process holds a lock; the file then stays as it is.
Result<std::unique_ptr<History>> open_history(const std::string& path, Duration keep, std::uint64_t max_bytes);

}  // namespace gotuned
