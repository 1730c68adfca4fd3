// `gotuned undo --unless-running`: what a daemon left behind is put back by whoever finds no daemon.
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "tune/engine_impl.h"

namespace gotuned {

Result<std::vector<UndoOutcome>> undo_offline(const EngineOptions& options, const Clock& clock, bool force,
                                              bool& running, const std::function<History*()>& history) {
    running = false;
    const std::string path = options.run_dir + "/journal.db";
    if (::access(options.run_dir.c_str(), F_OK) != 0 && errno == ENOENT) return std::vector<UndoOutcome>{};
    auto lock = RunLock::take(options.run_dir);
    if (!lock && lock.error().code == EWOULDBLOCK) {
        running = true;
        return std::vector<UndoOutcome>{};
    }
    if (!lock) return fail(lock.error());
    // Behind the lock: a daemon that is just ending may still be writing it.
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return std::vector<UndoOutcome>{};
    const std::string boot = boot_id(options.roots);
    auto journal = Journal::open(path, boot);
    if (!journal) return fail(journal.error());
    EngineImpl engine(options, clock, history ? history() : nullptr, std::move(*lock), std::move(*journal), boot);
    if (auto loaded = engine.load(); !loaded) return fail(loaded.error());
    auto outcomes =
        engine.undo_everything(force, std::max<Duration>(options.write_deadline * 2, std::chrono::minutes(2)));
    if (std::string lost = engine.journal_warning(); !lost.empty()) {
        outcomes.push_back({.id = 0,
                            .rule = {},
                            .target = "host",
                            .knob = "what the journal cannot tell",
                            .state = AdjustmentState::failed,
                            .reason = std::move(lost)});
    }
    return outcomes;
}

}  // namespace gotuned
