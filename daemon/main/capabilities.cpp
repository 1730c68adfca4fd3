#include "main/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace gotuned {
namespace {

// Not in every distribution's header yet.
constexpr unsigned cap_perfmon = 38;
constexpr unsigned cap_bpf = 39;

constexpr std::array kept{
    cap_bpf,                  // load programs and maps
    cap_perfmon,              // tracing programs: kernel pointers, raw tracepoints
    unsigned{CAP_SYS_ADMIN},  // only if granted: BPF_ENABLE_STATS, entering network namespaces; the unit withholds it
    unsigned{CAP_NET_ADMIN},  // only if granted: loading the program that names foreign writers; the unit withholds it
    unsigned{CAP_SYS_RESOURCE},     // raise hard limits, limits of other users' processes, PSI windows under 2 s
    unsigned{CAP_SYS_PTRACE},       // /proc/PID/{exe,environ,fd} and memory of others
    unsigned{CAP_SYS_NICE},         // affinity of other users' processes
    unsigned{CAP_DAC_OVERRIDE},     // cgroup files delegated to other users; state directories
    unsigned{CAP_DAC_READ_SEARCH},  // binaries in directories closed to us
    unsigned{CAP_SETUID},           // the inspector of binaries gives up root; oom_score_adj is opened as its owner
    unsigned{CAP_SETGID},           //
    unsigned{CAP_SETPCAP},          // the inspector empties its bounding set
    unsigned{CAP_CHOWN},            // control socket's group
};

constexpr bool keep(unsigned capability) {
    for (const unsigned one : kept)
        if (one == capability) return true;
    return false;
}

}  // namespace

Status drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) return fail("cannot read our capabilities", errno);
    for (unsigned capability = 0;; ++capability) {
        const int bounded = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (bounded < 0) break;  // EINVAL: past the last capability of this kernel
        // Without CAP_SETPCAP the bounding set stays; what matters is what we hold.
        if (bounded == 1 && !keep(capability)) (void)::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
    (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    std::array<std::uint32_t, 2> mask{};
    for (const unsigned capability : kept) mask[capability / 32] |= 1U << (capability % 32);
    for (std::size_t i = 0; i < sets.size(); ++i) {
        sets[i].permitted &= mask[i];
        sets[i].effective = sets[i].permitted;
        sets[i].inheritable = 0;
    }
    if (::syscall(SYS_capset, &header, sets.data()) != 0) return fail("cannot give up capabilities", errno);
    return {};
}

}  // namespace gotuned
