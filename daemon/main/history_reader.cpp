#include "main/history_reader.h"

#include "export/json.h"

namespace gotuned {
namespace {

constexpr Duration deadline = std::chrono::seconds(5);
/// As many as the control socket has peers; one that asks again before it was answered waits for no more than these.
constexpr std::size_t most_waiting = 64;

}  // namespace

HistoryReader::HistoryReader(std::shared_ptr<History> history) : history_(std::move(history)), worker_(deadline) {}

void HistoryReader::ask(const HistoryQuestion& question, MonoTime now, Control::Reply reply) {
    if (worker_.blocked(now)) return reply(fail("reading the history takes too long", 0, {}, "is its disk stuck?"));
    if (waiting_.size() >= most_waiting) return reply(fail("too many ask for the history at once", 0, {}, "try again"));
    const std::uint64_t id = ++last_;
    waiting_.emplace(id, std::move(reply));
    worker_.submit(now, [this, id, history = history_, question]() -> Worker::Finish {
        auto answer = history->newest(question.limit, question.rule, question.target).map(history_json);
        return [this, id, answer = std::move(answer)] {  // on the loop, and only while we live
            const auto waiting = waiting_.extract(id);
            waiting.mapped()(answer);
        };
    });
}

}  // namespace gotuned
