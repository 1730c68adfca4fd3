#include "probe/events.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>

namespace gotuned {

Result<std::unique_ptr<EventRing>> EventRing::open(int map_fd) {
    std::unique_ptr<EventRing> ring(new EventRing);
    ring->ring_ = ring_buffer__new(map_fd, receive, ring.get(), nullptr);
    if (ring->ring_ == nullptr) return fail("cannot map the ring buffer of process events", errno);
    return ring;
}

EventRing::~EventRing() { ring_buffer__free(ring_); }

int EventRing::fd() const { return ring_buffer__epoll_fd(ring_); }

int EventRing::receive(void* self, void* data, std::size_t size) {
    const auto* ring = static_cast<EventRing*>(self);
    if (size < sizeof(ProbeEvent) || ring->callback_ == nullptr) return 0;
    ProbeEvent event;
    std::memcpy(&event, data, sizeof event);
    (*ring->callback_)(event);
    return 0;
}

void EventRing::drain(const std::function<void(const ProbeEvent&)>& callback) {
    callback_ = &callback;
    ring_buffer__consume(ring_);
    callback_ = nullptr;
}

}  // namespace gotuned
