// What an inotify descriptor has to tell (inotify(7)), event by event.
#pragma once

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/fd.h"

namespace gotuned {

/// Calls `use` with each event that waits and the name of the file in the watched directory ("": the directory
/// itself), until none is left. Nothing happens on a descriptor that is not valid. It must be IN_NONBLOCK.
template <typename Use>
void drain_inotify(const Fd& inotify, Use use) {
    alignas(inotify_event) std::array<char, 16384> buffer;
    while (inotify.valid()) {
        const ssize_t got = ::read(inotify.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return;
        for (const char* at = buffer.data(); at < buffer.data() + got;) {
            inotify_event event{};
            std::memcpy(&event, at, sizeof event);
            const char* name = at + sizeof event;  // padded with zeros
            at = name + event.len;
            use(event, event.len > 0 ? std::string_view(name) : std::string_view());
        }
    }
}

}  // namespace gotuned
