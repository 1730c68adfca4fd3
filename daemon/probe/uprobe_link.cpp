#include "probe/uprobe_link.h"

#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace gotuned {
namespace {

/// A part of union bpf_attr for BPF_LINK_CREATE, which libbpf 1.1 and the headers of Linux 6.1 do not have.
struct LinkCreate {
    std::uint32_t program = 0, target = 0, attach_type = uprobe_multi, flags = 0;
    std::uint64_t path = 0, offsets = 0, reference_counters = 0, cookies = 0;
    std::uint32_t count = 1, multi_flags = 0, pid = 0, padding = 0;
};
constexpr int link_create = 28;

}  // namespace

Result<UprobeLink> UprobeLink::attach(bpf_program& program, const std::string& path, std::uint64_t offset) {
    UprobeLink link;
    LinkCreate create;
    create.program = static_cast<std::uint32_t>(bpf_program__fd(&program));
    create.path = reinterpret_cast<std::uintptr_t>(path.c_str());
    create.offsets = reinterpret_cast<std::uintptr_t>(&offset);
    link.multi_ = Fd(static_cast<int>(::syscall(SYS_bpf, link_create, &create, sizeof create)));
    if (link.multi_.valid()) return link;
    link.event_.reset(bpf_program__attach_uprobe(&program, false, -1, path.c_str(), offset));
    if (!link.event_) return fail("cannot attach a uprobe", errno);
    return link;
}

}  // namespace gotuned
