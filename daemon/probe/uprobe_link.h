// One uprobe, attached. Used by GoroutineProbe.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "probe/object.h"

struct bpf_program;

namespace gotuned {

/// BPF_TRACE_UPROBE_MULTI (include/uapi/linux/bpf.h): programs are loaded for it, so that they can be attached either
/// way.
inline constexpr unsigned uprobe_multi = 48;

/// Detached with its end.
class UprobeLink {
public:
    UprobeLink() = default;
    /// At an offset of an executable, in all processes that run it. By a link of its own where the kernel has that
    /// (Linux 6.6): it wants CAP_BPF and CAP_PERFMON. Before that by a perf event, for which kernels with
    /// kernel.perf_event_paranoid=3 (Debian's) want CAP_SYS_ADMIN. Errors: what the kernel says of the latter.
    static Result<UprobeLink> attach(bpf_program& program, const std::string& path, std::uint64_t offset);

private:
    Fd multi_{};
    BpfLink event_{};
};

}  // namespace gotuned
