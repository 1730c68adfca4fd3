// The one element, or all elements, of an mmapable BPF array in our memory: read and written without a system call.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace gotuned {

class Mapping {
public:
    /// Maps `size` bytes of the map behind `map_fd` from `offset` on, which is a page's begin. Errors: what mmap(2)
    /// says.
    static Result<Mapping> map(int map_fd, std::size_t size, std::size_t offset = 0);
    Mapping() = default;
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping();

    [[nodiscard]] bool valid() const { return address_ != nullptr; }
    template <typename T>
    [[nodiscard]] T* as() const {
        return static_cast<T*>(address_);
    }

private:
    Mapping(void* address, std::size_t size) : address_(address), size_(size) {}
    void* address_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace gotuned
