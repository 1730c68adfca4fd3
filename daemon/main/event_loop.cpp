#include "main/event_loop.h"

namespace gotuned {

struct EventSource::Entry {
    sd_event_source* source = nullptr;
    std::function<void()> callback{};
    std::function<void(std::uint32_t)> told{};
};

void EventSource::Unref::operator()(Entry* entry) const {
    // Disabled first: sd-event may still hold a reference while it dispatches this very source.
    sd_event_source_set_enabled(entry->source, SD_EVENT_OFF);
    sd_event_source_set_userdata(entry->source, nullptr);
    sd_event_source_unref(entry->source);
    delete entry;
}

namespace {

/// A callback may destroy its own source, so it is copied out before it runs.
int dispatch(void* data) {
    if (data == nullptr) return 0;
    const auto callback = static_cast<EventSource::Entry*>(data)->callback;
    callback();
    return 0;
}

}  // namespace

Result<EventLoop> EventLoop::make() {
    sd_event* event = nullptr;
    if (const int result = sd_event_new(&event); result < 0) return fail("cannot make the event loop", -result);
    return EventLoop(event);
}

Result<EventSource> EventLoop::on_io(int fd, std::uint32_t events, std::function<void()> callback) {
    EventSource handle;
    handle.source_.reset(new EventSource::Entry{nullptr, std::move(callback), {}});
    const int result = sd_event_add_io(
        event_.get(), &handle.source_->source, fd, events,
        [](sd_event_source*, int, std::uint32_t, void* data) { return dispatch(data); }, handle.source_.get());
    if (result < 0) return fail("cannot watch a descriptor in the event loop", -result);
    return handle;
}

Result<EventSource> EventLoop::on_events(int fd, std::uint32_t events, std::function<void(std::uint32_t)> callback) {
    EventSource handle;
    handle.source_.reset(new EventSource::Entry{nullptr, {}, std::move(callback)});
    const int result = sd_event_add_io(
        event_.get(), &handle.source_->source, fd, events,
        [](sd_event_source*, int, std::uint32_t came, void* data) {
            if (data == nullptr) return 0;
            const auto told = static_cast<EventSource::Entry*>(data)->told;
            told(came);
            return 0;
        },
        handle.source_.get());
    if (result < 0) return fail("cannot watch a descriptor in the event loop", -result);
    return handle;
}

Result<EventSource> EventLoop::at(MonoTime when, std::function<void()> callback) {
    EventSource handle;
    handle.source_.reset(new EventSource::Entry{nullptr, std::move(callback), {}});
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count();
    constexpr std::uint64_t accuracy_us = 1000;
    const int result = sd_event_add_time(
        event_.get(), &handle.source_->source, CLOCK_MONOTONIC, static_cast<std::uint64_t>(microseconds), accuracy_us,
        [](sd_event_source*, std::uint64_t, void* data) { return dispatch(data); }, handle.source_.get());
    if (result < 0) return fail("cannot set a timer in the event loop", -result);
    return handle;
}

Result<EventSource> EventLoop::on_signal(int signal, std::function<void()> callback) {
    EventSource handle;
    handle.source_.reset(new EventSource::Entry{nullptr, std::move(callback), {}});
    const int result = sd_event_add_signal(
        event_.get(), &handle.source_->source, signal,
        [](sd_event_source*, const signalfd_siginfo*, void* data) { return dispatch(data); }, handle.source_.get());
    if (result < 0) return fail("cannot take a signal in the event loop", -result);
    return handle;
}

bool EventLoop::watch_for_us() { return sd_event_set_watchdog(event_.get(), 1) > 0; }

Status EventLoop::run() {
    const int result = sd_event_loop(event_.get());
    if (result < 0) return fail("the event loop failed", -result);
    return {};
}

void EventLoop::exit(int code) { sd_event_exit(event_.get(), code); }

}  // namespace gotuned
