// Who else writes a sysctl that we hold (bpf/sysctl.bpf.c). Loaded at start, so that its reason is known; attached only
// as long as there is a sysctl to watch. Private to this room.
//
// Loading a program of this type needs CAP_NET_ADMIN beside CAP_BPF and CAP_PERFMON (is_net_admin_prog_type() in
// kernel/bpf/syscall.c, since Linux 5.8); a link attaches it with nothing more.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/sysctl_write.h"
#include "probe/object.h"
#include "probe/probes.h"

struct ring_buffer;

namespace gotuned {

class SysctlProbe {
public:
    /// `cgroup2`: where the unified hierarchy is mounted; its processes are those that are seen.
    SysctlProbe(const ProbeFeatures& features, const std::string& cgroup2);
    ~SysctlProbe();
    SysctlProbe(const SysctlProbe&) = delete;
    SysctlProbe& operator=(const SysctlProbe&) = delete;

    /// By their paths below /proc/sys. None: nothing stays attached. Errors: the program cannot be attached, or a name
    /// is too long or one too many; the others are watched.
    Status watch(const std::set<std::string>& sysctls);
    [[nodiscard]] int fd() const;
    void drain(const std::function<void(const SysctlWrite&)>& callback);

    [[nodiscard]] ProbeReport report() const;
    [[nodiscard]] std::uint64_t lost() const;

private:
    Status load(const ProbeFeatures& features);
    static int receive(void* self, void* data, std::size_t size);

    std::string cgroup2_;
    Fd cgroup_{};
    std::optional<BpfObject> object_{};
    ring_buffer* ring_ = nullptr;
    std::set<std::string> watched_{};
    std::string reason_{};  ///< why it cannot be attached; empty when it can
    const std::function<void(const SysctlWrite&)>* callback_ = nullptr;
};

}  // namespace gotuned
