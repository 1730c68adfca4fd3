#include "probe/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace gotuned {

Result<Mapping> Mapping::map(int map_fd, std::size_t size, std::size_t offset) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    size = (size + page - 1) / page * page;
    void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, static_cast<off_t>(offset));
    if (address == MAP_FAILED) return fail("cannot map the probes' counters", errno);
    // A forked child (the inspector parses what strangers wrote) must not be able to write to the counters.
    (void)::madvise(address, size, MADV_DONTFORK);
    return Mapping(address, size);
}

Mapping::Mapping(Mapping&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    if (this != &other) {
        if (address_ != nullptr) ::munmap(address_, size_);
        address_ = std::exchange(other.address_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

Mapping::~Mapping() {
    if (address_ != nullptr) ::munmap(address_, size_);
}

}  // namespace gotuned
