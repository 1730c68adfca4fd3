// Something happens at a named point between the journal and the kernel.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "tune/crash_point.h"

namespace gotuned::test {

/// Does something at the n-th time a point is passed.
struct AtPoint {
    AtPoint(std::string name, int nth, std::function<void()> deed) {
        point = std::move(name);
        left = nth;
        action = std::move(deed);
        crash_hook = [](const char* passed) {
            if (point == passed && --left == 0) action();
        };
    }
    AtPoint(const AtPoint&) = delete;
    AtPoint& operator=(const AtPoint&) = delete;
    ~AtPoint() { crash_hook = nullptr; }
    static inline std::string point{};
    static inline std::atomic<int> left{0};
    static inline std::function<void()> action{};
};

}  // namespace gotuned::test
