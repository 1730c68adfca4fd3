#include "base/time.h"

#include <ctime>

namespace gotuned {

MonoClock::time_point MonoClock::now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return time_point(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace gotuned
