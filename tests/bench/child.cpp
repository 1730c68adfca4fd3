#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <thread>

namespace gotuned::bench {

Result<Child> Child::start(const std::vector<std::string>& argv) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail("cannot make a pipe", errno);
    Fd output(ends[0]);
    const Fd theirs(ends[1]);
    std::vector<char*> arguments;
    arguments.reserve(argv.size() + 1);
    for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) return fail("cannot start a process", errno, argv.front());
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(theirs.get(), STDOUT_FILENO);
        ::dup2(theirs.get(), STDERR_FILENO);
        ::execvp(arguments.front(), arguments.data());
        ::_exit(127);
    }
    ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
    return Child(pid, std::move(output));
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), output_(std::move(other.output_)), pending_(std::move(other.pending_)) {}

Child::~Child() { stop(); }

Result<std::string> Child::wait_for(const std::string& text, Duration patience) {
    const MonoTime end = MonoClock::now() + patience;
    for (;;) {
        for (std::size_t line_end = pending_.find('\n'); line_end != std::string::npos;
             line_end = pending_.find('\n')) {
            const std::string line = pending_.substr(0, line_end);
            pending_.erase(0, line_end + 1);
            if (line.find(text) != std::string::npos) return line;
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - MonoClock::now()).count();
        if (left <= 0) return fail("it did not say '" + text + "' in time", ETIMEDOUT);
        pollfd ready{output_.get(), POLLIN, 0};
        ::poll(&ready, 1, static_cast<int>(left));
        char buffer[4096];
        const ssize_t got = ::read(output_.get(), buffer, sizeof buffer);
        if (got == 0) return fail("it ended before it said '" + text + "': " + pending_, 0);
        if (got > 0) pending_.append(buffer, static_cast<std::size_t>(got));
    }
}

void Child::discard_output() {
    char buffer[4096];
    while (::read(output_.get(), buffer, sizeof buffer) > 0) {
    }
    pending_.clear();
}

Result<Duration> Child::cpu_time() const {
    clockid_t clock{};
    if (const int error = ::clock_getcpuclockid(pid_, &clock); error != 0)
        return fail("cannot read its CPU clock", error);
    timespec time{};
    if (::clock_gettime(clock, &time) != 0) return fail("cannot read its CPU clock", errno);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void Child::stop() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGINT);
    const MonoTime end = MonoClock::now() + std::chrono::seconds(5);
    while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
        discard_output();
        if (MonoClock::now() > end) ::kill(pid_, SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    pid_ = 0;
}

Result<SharedCount> SharedCount::open(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return fail("cannot open the shared count", errno, path);
    void* memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return fail("cannot map the shared count", errno, path);
    return SharedCount(static_cast<std::uint64_t*>(memory));
}

SharedCount::~SharedCount() {
    if (memory_ != nullptr) ::munmap(memory_, 4096);
}

std::uint64_t SharedCount::value() const { return std::atomic_ref(*memory_).load(std::memory_order_relaxed); }

}  // namespace gotuned::bench
