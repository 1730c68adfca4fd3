// What this kernel lets BPF do, found before anything is loaded, so that each refusal can be named in words.
#pragma once

#include <memory>
#include <string>

#include "probe/probes.h"

struct btf;

namespace gotuned {

struct BtfFree {
    void operator()(btf* types) const;
};
/// The kernel's own types (BTF, /sys/kernel/btf/vmlinux); null when it has none.
using KernelTypes = std::unique_ptr<btf, BtfFree>;
KernelTypes load_kernel_types();

/// Never fails: what cannot be found out is false or "unknown".
ProbeFeatures detect_features();

/// "none", "integrity" or "confidentiality" from SYS/kernel/security/lockdown ("none [integrity] confidentiality");
/// empty when the text is something else.
std::string parse_lockdown(const std::string& text);
/// Reads it from securityfs where that is mounted, else through a mount of its own in a child's private mount
/// namespace; "unknown" when neither works, "none" when the kernel has no lockdown at all.
std::string detect_lockdown(const std::string& sys = "/sys");

/// The programs see ids of the first pid namespace: in another one they would count for strangers.
bool in_first_pid_namespace();

}  // namespace gotuned
