// The ring buffer of exec, exit and fork events (bpf/process.bpf.c).
#pragma once

#include <functional>
#include <memory>

#include "probe/probes.h"

struct ring_buffer;

namespace gotuned {

class EventRing {
public:
    /// Errors: what mapping the ring says. `map_fd` stays the caller's.
    static Result<std::unique_ptr<EventRing>> open(int map_fd);
    ~EventRing();
    EventRing(const EventRing&) = delete;
    EventRing& operator=(const EventRing&) = delete;

    [[nodiscard]] int fd() const;
    /// Calls back for each event that waits, also for those that came without a wake-up.
    void drain(const std::function<void(const ProbeEvent&)>& callback);

private:
    EventRing() = default;
    static int receive(void* self, void* data, std::size_t size);
    ring_buffer* ring_ = nullptr;
    const std::function<void(const ProbeEvent&)>* callback_ = nullptr;
};

}  // namespace gotuned
