// What happens without a capability, to the root that runs the tests.
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "catch.h"

namespace gotuned::test {

/// In a thread that has all capabilities but one; nothing else of the test is changed.
template <typename Do>
void without(int capability, Do&& body) {
    std::thread([&] {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[2]{};
        REQUIRE(::syscall(SYS_capget, &header, data) == 0);
        const auto index = static_cast<unsigned>(capability);
        data[index / 32].effective &= ~(1U << (index % 32));
        data[index / 32].permitted &= ~(1U << (index % 32));
        REQUIRE(::syscall(SYS_capset, &header, data) == 0);
        body();
    }).join();
}

}  // namespace gotuned::test
