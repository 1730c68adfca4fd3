// Asks a confined child process which executables are Go programs. The child is forked when there is something to ask,
// gets opened descriptors over a socket pair, and is retired after a number of answers or when idle. Whatever a file
// makes it do (crash, spin, hang), the daemon gets an answer. Used by ProcessTable, on the loop's thread; never blocks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"
#include "discover/confinement.h"
#include "discover/go_process.h"

namespace gotuned {

/// What is known of an executable.
struct Recognition {
    enum class Kind : std::uint8_t {
        go,
        not_go,
        failed,   ///< could not be understood, or the child died of it: reason says why
        unknown,  ///< no child could be had: nothing was learned about the file, ask again later
    };
    Kind kind = Kind::not_go;
    GoBuild build{};       ///< of `go`
    std::string reason{};  ///< of the others, for people
};

class Inspector {
public:
    struct Options {
        Duration deadline = std::chrono::seconds(2);  ///< without an answer: killed at the next tick()
        Duration idle = std::chrono::seconds(5);      ///< without a question: retired
        std::size_t answers = 128;                    ///< then retired
        std::size_t in_flight = 16;                   ///< descriptors held open at once
    };
    struct Answer {
        std::uint64_t id = 0;
        Recognition recognition{};
    };

    static Result<std::unique_ptr<Inspector>> make(const Options& options);
    Inspector(const Inspector&) = delete;
    Inspector& operator=(const Inspector&) = delete;
    ~Inspector();  ///< kills the child

    /// Readable when collect() has something to do. The same descriptor for the whole life.
    [[nodiscard]] int fd() const { return poll_.get(); }
    [[nodiscard]] bool has_room() const { return asked_.size() < options_.in_flight; }
    [[nodiscard]] bool idle() const { return asked_.empty(); }
    /// Asks about an executable opened for reading; the answer carries `id`. On an error (fork refused, and the like)
    /// nothing was asked and nothing was learned about the file.
    Status ask(std::uint64_t id, Fd executable);
    /// The answers that have come. When the child died, the question it was at is answered `failed` and the others are
    /// put to a new child.
    std::vector<Answer> collect();
    /// Gives up a child past its deadline, which answers what it was at, and retires an idle one.
    std::vector<Answer> tick(MonoTime now);

    [[nodiscard]] std::uint64_t killed() const { return killed_; }
    [[nodiscard]] pid_t child() const { return child_; }  ///< 0: none runs

private:
    struct Question {
        std::uint64_t id = 0;
        Fd executable{};
    };

    Inspector(const Options& options, std::vector<sock_filter> filter, Fd poll);
    Status start();
    Status send(const Question& question);
    void child_is_gone(std::string why, std::vector<Answer>& answers);
    bool receive(std::vector<Answer>& answers, std::string& ended);
    void retire();
    void end_child();
    void reap();

    Options options_;
    std::vector<sock_filter> filter_;
    Fd poll_;  // epoll: stays while sockets come and go
    Fd socket_;
    pid_t child_ = 0;
    std::vector<pid_t> ended_;    // not waited for yet
    std::deque<Question> asked_;  // in the order of asking, which is the order of the answers
    bool confined_ = false;       // the child has said so
    bool told_kept_uid_ = false;
    std::size_t answered_ = 0;    // by this child
    std::uint64_t progress_ = 0;  // answers ever
    std::uint64_t seen_progress_ = 0;
    MonoTime since_{};      // of that progress, by tick()'s clock
    bool waiting_ = false;  // since_ counts for a question
    std::uint64_t killed_ = 0;
};

}  // namespace gotuned
