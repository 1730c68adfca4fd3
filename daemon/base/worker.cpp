#include "base/worker.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace gotuned {
namespace {

/// How long an end waits for a job that runs, before it leaves it to itself.
constexpr auto patience_at_end = std::chrono::seconds(1);

/// How long drain() sleeps before it looks for itself: whether a job is overdue, and at what it is not told of.
constexpr int look_ms = 100;
constexpr int look_untold_ms = 10;

}  // namespace

struct Worker::Shared {
    std::mutex mutex{};
    std::condition_variable wake{};
    struct Queued {
        std::uint64_t number = 0;
        Job job{};
    };
    std::deque<Queued> queue{};
    std::deque<std::pair<std::uint64_t, Finish>> done{};
    std::uint64_t running = 0;  ///< the job of the thread that takes; 0: none
    std::uint64_t taker = 0;    ///< the number of that thread
    std::size_t threads = 0;
    bool stop = false;
    Tell tell = Tell::each;
    Fd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

/// The mutex is held, or nobody else knows of `shared` yet.
bool Worker::start(const std::shared_ptr<Shared>& shared, std::uint64_t number) {
    // Signals belong to the loop: a thread inherits the mask it is made under.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = true;
    try {
        std::thread([shared, number] { run(shared, number); }).detach();
        shared->taker = number;
        ++shared->threads;
    } catch (const std::system_error&) {
        started = false;  // no more threads may be had
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
}

Worker::Worker(Duration deadline, Tell tell) : shared_(std::make_shared<Shared>()), deadline_(deadline) {
    const std::lock_guard lock(shared_->mutex);
    shared_->tell = tell;
    if (!start(shared_, 1)) throw std::runtime_error("cannot start a thread");
}

Worker::~Worker() {
    std::unique_lock lock(shared_->mutex);
    shared_->stop = true;
    shared_->queue.clear();
    shared_->wake.notify_all();
    shared_->wake.wait_for(lock, patience_at_end, [this] { return shared_->threads <= left_.size(); });
}

void Worker::run(const std::shared_ptr<Shared>& shared, std::uint64_t number) {
    ::pthread_setname_np(::pthread_self(), "gotuned-worker");
    std::unique_lock lock(shared->mutex);
    for (;;) {
        const auto over = [&] { return shared->stop || shared->taker != number; };
        shared->wake.wait(lock, [&] { return over() || !shared->queue.empty(); });
        if (over()) break;
        Shared::Queued next = std::move(shared->queue.front());
        shared->queue.pop_front();
        shared->running = next.number;
        lock.unlock();
        Finish finish = next.job();
        next.job = nullptr;
        lock.lock();
        if (shared->taker == number) shared->running = 0;
        shared->done.emplace_back(next.number, std::move(finish));
        if (shared->tell == Tell::when_idle && !shared->queue.empty()) continue;
        const std::uint64_t one = 1;
        static_cast<void>(!::write(shared->event.get(), &one, sizeof one));  // cannot fail short of 2^64 completions
    }
    --shared->threads;
    shared->wake.notify_all();
}

void Worker::submit(MonoTime now, Job job, Finish late, Duration patience) {
    const std::uint64_t number = ++last_;
    jobs_.emplace(number, Submitted{now, std::move(late), std::max(patience, deadline_), {}});
    const std::lock_guard lock(shared_->mutex);
    shared_->queue.push_back({number, std::move(job)});
    shared_->wake.notify_all();
}

int Worker::fd() const { return shared_->event.get(); }

void Worker::complete(MonoTime now) {
    std::uint64_t ignored = 0;
    static_cast<void>(!::read(shared_->event.get(), &ignored, sizeof ignored));  // EAGAIN: nothing was signalled
    for (;;) {
        Finish finish;
        {
            const std::lock_guard lock(shared_->mutex);
            if (shared_->done.empty()) return;
            const std::uint64_t number = shared_->done.front().first;
            finish = std::move(shared_->done.front().second);
            shared_->done.pop_front();
            jobs_.erase(number);
            told_.erase(number);
            if (left_.erase(number) == 0) turn_ = now;
        }
        if (finish) finish();  // may submit
    }
}

std::uint64_t Worker::overdue(MonoTime now) const {
    const std::lock_guard lock(shared_->mutex);
    // What is done and only not completed yet says that the one that runs has just begun.
    if (shared_->running == 0 || !shared_->done.empty()) return 0;
    const MonoTime since = std::max(jobs_.at(shared_->running).at, turn_);
    return now - since > deadline_ ? shared_->running : 0;
}

bool Worker::blocked(MonoTime now) const {
    const auto first =
        std::find_if(jobs_.begin(), jobs_.end(), [this](const auto& job) { return !left_.contains(job.first); });
    if (first == jobs_.end() || now - std::max(first->second.at, turn_) <= deadline_) return false;
    const std::lock_guard lock(shared_->mutex);
    return shared_->done.empty();  // what is done and not completed yet blocks nobody
}

void Worker::overtake(MonoTime now) {
    std::set<std::uint64_t> slow = left_;
    if (const std::uint64_t number = overdue(now); number != 0) {
        slow.insert(number);
        Submitted& job = jobs_.at(number);
        job.began = std::max(job.at, turn_);
        const std::lock_guard lock(shared_->mutex);
        if (left_.size() < most_left && shared_->running == number && start(shared_, shared_->taker + 1)) {
            shared_->running = 0;
            left_.insert(number);
            turn_ = now;
        }
    }
    std::vector<Finish> late;
    for (const std::uint64_t number : slow) {
        Submitted& job = jobs_.at(number);
        if (now - job.began > job.patience && told_.insert(number).second && job.late)
            late.push_back(std::move(job.late));
    }
    for (const Finish& tell : late) tell();  // may submit
}

bool Worker::drain(const Clock& clock, Duration patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    const long long most = shared_->tell == Tell::each ? look_ms : look_untold_ms;
    while (jobs_.size() > told_.size()) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() < 0) return false;
        pollfd waiter{fd(), POLLIN, 0};
        ::poll(&waiter, 1, static_cast<int>(std::min<long long>(left.count() + 1, most)));
        complete(clock.mono());
        overtake(clock.mono());
    }
    return !busy();
}

}  // namespace gotuned
