#include "probe/features.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <memory>

namespace gotuned {
namespace {

/// Helpers are an enum in the kernel's own types, so nothing has to be loaded to know which there are.
bool has_helper(const btf& types, const std::string& helper) {
    const int id = btf__find_by_name_kind(&types, "bpf_func_id", BTF_KIND_ENUM);
    if (id < 0) return false;
    const btf_type* type = btf__type_by_id(&types, static_cast<unsigned>(id));
    const struct btf_enum* member = btf_enum(type);
    for (unsigned i = 0; i < btf_vlen(type); ++i, ++member) {
        const char* name = btf__name_by_offset(&types, member->name_off);
        if (name != nullptr && helper == name) return true;
    }
    return false;
}

}  // namespace

void BtfFree::operator()(btf* types) const { btf__free(types); }

KernelTypes load_kernel_types() { return KernelTypes(btf__load_vmlinux_btf()); }

bool in_first_pid_namespace() {
    constexpr ino_t first = 0xEFFFFFFCU;  // PROC_PID_INIT_INO, include/linux/proc_ns.h
    struct stat status{};
    return ::stat("/proc/self/ns/pid", &status) != 0 || status.st_ino == first;
}

ProbeFeatures detect_features() {
    ProbeFeatures found;
    utsname name{};
    if (::uname(&name) == 0) found.kernel = name.release;
    found.lockdown = detect_lockdown();
    const KernelTypes types = load_kernel_types();
    found.kernel_btf = types != nullptr;
    found.task_pt_regs_helper = types != nullptr && has_helper(*types, "BPF_FUNC_task_pt_regs");
    // With this function came the fix of a crash: a trampoline could go while a task slept in the call that it is on
    // (Linux 5.12, kernel/bpf/trampoline.c).
    found.trampolines =
        types != nullptr && btf__find_by_name_kind(types.get(), "__bpf_tramp_image_put_rcu", BTF_KIND_FUNC) > 0;
    found.task_storage = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, nullptr) == 1;
    return found;
}

}  // namespace gotuned
