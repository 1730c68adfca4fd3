// Reads the history for gotunectl off the loop: the disk it is on may stall, and a scrape or a tick must not wait for
// it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/worker.h"
#include "export/control.h"
#include "tune/history.h"

namespace gotuned {

struct HistoryQuestion {
    unsigned limit = 0;
    std::string rule{};
    std::string target{};
};

class HistoryReader {
public:
    explicit HistoryReader(std::shared_ptr<History> history);

    /// Replies from complete(); at once with an error when reads are stuck or too many wait.
    void ask(const HistoryQuestion& question, MonoTime now, Control::Reply reply);
    /// For the loop: readable when complete() has something to do.
    [[nodiscard]] int fd() const { return worker_.fd(); }
    void complete(MonoTime now) { worker_.complete(now); }

private:
    std::shared_ptr<History> history_;
    /// Here and not in the job: a reply holds a connection of the loop's, and a job may end in the worker's thread.
    std::map<std::uint64_t, Control::Reply> waiting_{};
    std::uint64_t last_ = 0;
    Worker worker_;  // goes first: it may be reading
};

}  // namespace gotuned
