#include "observe/remote_memory.h"

#include <linux/capability.h>
#include <sys/uio.h>

#include <cerrno>

#include "base/capability.h"

namespace gotuned {
namespace {

Absent refused() {
    if (has_capability(CAP_SYS_PTRACE))
        return {Absence::not_permitted, "the kernel refuses to read another process's memory"};
    return {Absence::not_permitted, "CAP_SYS_PTRACE is missing: reading another process's memory needs it"};
}

}  // namespace

Reading<std::size_t> ProcessMemory::read(pid_t pid, const std::vector<RemotePart>& parts) const {
    // IOV_MAX is 1024; whoever asks for more is a programming error that the kernel answers with EINVAL.
    std::vector<iovec> here(parts.size());
    std::vector<iovec> there(parts.size());
    std::size_t size = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        here[i] = {parts[i].into, parts[i].size};
        there[i] = {reinterpret_cast<void*>(parts[i].address), parts[i].size};  // NOLINT: an address over there
        size += parts[i].size;
    }
    const ssize_t got = ::process_vm_readv(pid, here.data(), here.size(), there.data(), there.size(), 0);
    if (got == static_cast<ssize_t>(size)) return size;
    if (got >= 0 || errno == EFAULT)
        return Absent{Absence::malformed, "the runtime's memory is not where it should be"};
    if (errno == ESRCH) return Absence::vanished;
    if (errno == EPERM) return refused();
    return Absent{Absence::no_data, "process_vm_readv fails"};
}

}  // namespace gotuned
