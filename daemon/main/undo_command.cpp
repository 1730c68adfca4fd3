#include "main/undo_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/log.h"
#include "base/text.h"
#include "rulebook/settings.h"
#include "tune/engine.h"

namespace gotuned {

int undo_command(const Options& options) {
    EngineOptions engine;
    engine.roots.cgroup2 = find_cgroup2(engine.roots.proc);
    engine.run_dir = options.run_dir;
    const SystemClock clock;
    bool running = false;
    // Without a history (the directory is gone, the disk is full) the undo is as good.
    std::unique_ptr<History> history;
    const auto open = [&options, &history]() -> History* {
        const Settings settings;
        auto opened = open_history(options.state_dir + "/history.db", settings.history.keep,
                                   static_cast<std::uint64_t>(settings.history.max_bytes));
        if (opened)
            history = std::move(*opened);
        else
            log_warning("this undo will not be in the history: {}", to_string(opened.error()));
        return history.get();
    };
    const auto outcomes = undo_offline(engine, clock, options.force, running, open);
    if (!outcomes) {
        fmt::print(stderr, "gotuned undo: {}\n", to_string(outcomes.error()));
        return 1;
    }
    if (running) {
        if (options.unless_running) return 0;
        fmt::print(stderr, "gotuned undo: a daemon is running and holds the journal; ask it: gotunectl undo --all\n");
        return 1;
    }
    std::size_t back = 0;
    for (const UndoOutcome& outcome : *outcomes) {
        fmt::print("{} {}{} on {}{}{}\n", to_string(outcome.state), outcome.knob,
                   outcome.rule.empty() ? "" : " of " + outcome.rule, clean_text(outcome.target),
                   outcome.reason.empty() ? "" : ": ", clean_text(outcome.reason, 1024));
        // A process that has ended took its value with it.
        if (outcome.state == AdjustmentState::undone || outcome.state == AdjustmentState::gone) ++back;
    }
    const auto left = outcomes->size() - back;
    if (left == 0) {
        if (outcomes->empty()) fmt::print("nothing was to be put back by the journal in {}\n", options.run_dir);
        return 0;
    }
    fmt::print(stderr, "gotuned undo: {} of {} values were not put back\n", left, outcomes->size());
    return 1;
}

}  // namespace gotuned
