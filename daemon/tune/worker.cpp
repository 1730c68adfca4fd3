#include "tune/worker.h"

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
#include <thread>

#include "base/fd.h"

namespace gotuned {
namespace {

/// How long an end waits for a job that runs, before it leaves it to itself.
constexpr auto patience_at_end = std::chrono::seconds(1);

}  // namespace

struct Worker::Shared {
    std::mutex mutex{};
    std::condition_variable wake{};
    struct Queued {
        std::string what;
        Job job;
    };
    std::deque<Queued> queue{};
    std::deque<Finish> done{};
    std::string running{};
    bool stop = false;
    bool ended = false;
    Fd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

Worker::Worker(Duration deadline) : shared_(std::make_shared<Shared>()), deadline_(deadline) {
    // Signals belong to the loop: a thread inherits the mask it is made under.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([shared = shared_] { run(shared); }).detach();
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Worker::~Worker() {
    std::unique_lock lock(shared_->mutex);
    shared_->stop = true;
    shared_->queue.clear();
    shared_->wake.notify_all();
    shared_->wake.wait_for(lock, patience_at_end, [this] { return shared_->ended; });
}

void Worker::run(const std::shared_ptr<Shared>& shared) {
    ::pthread_setname_np(::pthread_self(), "gotuned-worker");
    std::unique_lock lock(shared->mutex);
    for (;;) {
        shared->wake.wait(lock, [&] { return shared->stop || !shared->queue.empty(); });
        if (shared->stop) break;
        Shared::Queued next = std::move(shared->queue.front());
        shared->queue.pop_front();
        shared->running = next.what;
        lock.unlock();
        Finish finish = next.job();
        next.job = nullptr;
        lock.lock();
        shared->running.clear();
        shared->done.push_back(std::move(finish));
        const std::uint64_t one = 1;
        static_cast<void>(!::write(shared->event.get(), &one, sizeof one));  // cannot fail short of 2^64 completions
    }
    shared->ended = true;
    shared->wake.notify_all();
}

void Worker::submit(std::string what, MonoTime now, Job job) {
    if (outstanding_++ == 0) {
        oldest_since_ = now;
        told_ = false;
    }
    const std::lock_guard lock(shared_->mutex);
    shared_->queue.push_back({std::move(what), std::move(job)});
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
            finish = std::move(shared_->done.front());
            shared_->done.pop_front();
        }
        --outstanding_;
        oldest_since_ = now;
        told_ = false;
        if (finish) finish();  // may submit
    }
}

bool Worker::blocked(MonoTime now) const { return outstanding_ != 0 && now - oldest_since_ > deadline_; }

std::string Worker::overdue(MonoTime now) {
    if (told_ || !blocked(now)) return {};
    const std::lock_guard lock(shared_->mutex);
    if (shared_->running.empty()) return {};  // done, and only not completed yet
    told_ = true;
    return shared_->running;
}

bool Worker::drain(const Clock& clock, Duration patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (busy()) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() < 0) return false;
        pollfd waiter{fd(), POLLIN, 0};
        ::poll(&waiter, 1, static_cast<int>(std::min<long long>(left.count() + 1, 1000)));
        complete(clock.mono());
    }
    return true;
}

}  // namespace gotuned
