// Probes that a kernel may lack or refuse while the others work.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "probe/probes.h"

namespace gotuned {

/// sysctl_write is attached only while a sysctl is held, sk_data_ready and sock_recv_length came with Linux 6.3, those
/// of TCP need 5.11, and fexit (failed_calls, swapped_in) is refused under lockdown.
inline bool may_be_missing(const ProbeReport& report) {
    constexpr std::array<std::string_view, 8> names{"sysctl_write",        "sk_data_ready",     "sock_recv_length",
                                                    "inet_sock_set_state", "tcp_receive_reset", "sweep",
                                                    "failed_calls",        "swapped_in"};
    return std::ranges::find(names, report.probe) != names.end();
}

}  // namespace gotuned
