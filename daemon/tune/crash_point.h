// Named places between which the daemon may be killed: before and after each commit of the journal and each write to
// the kernel. Tests hang a SIGKILL on them; in production the hook is null and a point costs one load.
#pragma once

#include <atomic>

namespace gotuned {

using CrashHook = void (*)(const char* point);
inline std::atomic<CrashHook> crash_hook{nullptr};

inline void crash_point(const char* point) {
    if (const CrashHook hook = crash_hook.load(std::memory_order_relaxed); hook != nullptr) hook(point);
}

}  // namespace gotuned
