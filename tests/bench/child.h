// Programs that the bench starts: they die with it, tell when they are ready, and their CPU time is read from outside.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"

namespace gotuned::bench {

class Child {
public:
    /// Starts argv[0] (looked up in PATH). Its standard output and error come to us.
    static Result<Child> start(const std::vector<std::string>& argv);
    Child(Child&&) noexcept;
    Child& operator=(Child&&) = delete;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();  ///< stop()

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Reads its output up to a line that holds `text`, and gives that line. Errors: the time is over, it ended.
    Result<std::string> wait_for(const std::string& text, Duration patience);
    /// What it has printed since, thrown away: a full pipe would stop it.
    void discard_output();
    /// CPU time of all its threads so far, in nanoseconds' resolution (clock_getcpuclockid(3)).
    [[nodiscard]] Result<Duration> cpu_time() const;
    /// SIGINT, after 5 s SIGKILL; waits.
    void stop();

private:
    Child(pid_t pid, Fd output) : pid_(pid), output_(std::move(output)) {}
    pid_t pid_ = 0;
    Fd output_;
    std::string pending_{};
};

/// The first 8 bytes of a file that a workload maps and counts in.
class SharedCount {
public:
    static Result<SharedCount> open(const std::string& path);
    SharedCount(SharedCount&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
    SharedCount& operator=(SharedCount&&) = delete;
    SharedCount(const SharedCount&) = delete;
    SharedCount& operator=(const SharedCount&) = delete;
    ~SharedCount();
    [[nodiscard]] std::uint64_t value() const;

private:
    explicit SharedCount(std::uint64_t* memory) : memory_(memory) {}
    std::uint64_t* memory_ = nullptr;
};

}  // namespace gotuned::bench
