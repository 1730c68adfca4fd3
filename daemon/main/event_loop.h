// The one loop: a thin owner around sd-event (sd_event(3)). Callbacks run on the loop's thread, one at a time.
#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <memory>

#include "base/result.h"
#include "base/time.h"

namespace gotuned {

/// Owns one event source; the callback is never called after it is destroyed.
class EventSource {
public:
    EventSource() = default;
    explicit operator bool() const { return source_ != nullptr; }
    void reset() { source_.reset(); }
    struct Entry;

private:
    friend class EventLoop;
    struct Unref {
        void operator()(Entry* entry) const;
    };
    std::unique_ptr<Entry, Unref> source_;
};

class EventLoop {
public:
    static Result<EventLoop> make();
    EventLoop(EventLoop&&) noexcept = default;
    EventLoop& operator=(EventLoop&&) noexcept = default;

    [[nodiscard]] sd_event* get() const { return event_.get(); }
    /// `events`: EPOLLIN, EPOLLPRI, …; level triggered.
    Result<EventSource> on_io(int fd, std::uint32_t events, std::function<void()> callback);
    /// As on_io(); the callback is told which of them came. What poll(2) clears (a PSI event) is seen only there.
    Result<EventSource> on_events(int fd, std::uint32_t events, std::function<void(std::uint32_t)> callback);
    /// Once, at or after `when`; arm again by a new call.
    Result<EventSource> at(MonoTime when, std::function<void()> callback);
    /// The signal must be blocked (sigprocmask(2)) before any thread is made.
    Result<EventSource> on_signal(int signal, std::function<void()> callback);
    /// Sends WATCHDOG=1 by itself when systemd asked for it (sd_event_set_watchdog(3)). True when it did.
    bool watch_for_us();

    Status run();
    void exit(int code);

private:
    struct Unref {
        void operator()(sd_event* event) const { sd_event_unref(event); }
    };
    explicit EventLoop(sd_event* event) : event_(event) {}
    std::unique_ptr<sd_event, Unref> event_;
};

}  // namespace gotuned
