#include "discover/confinement.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include "base/fd.h"

// Sanitizers reserve terabytes of address space and call the kernel for their own bookkeeping.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GOTUNED_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define GOTUNED_SANITIZED 1
#endif
#endif
#ifndef GOTUNED_SANITIZED
#define GOTUNED_SANITIZED 0
#endif

namespace gotuned {
namespace {

constexpr std::array allowed{SCMP_SYS(pread64),    SCMP_SYS(read),         SCMP_SYS(recvmsg),
                             SCMP_SYS(sendmsg),    SCMP_SYS(sendto),       SCMP_SYS(fstat),
                             SCMP_SYS(newfstatat), SCMP_SYS(close),        SCMP_SYS(exit),
                             SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall)};
constexpr std::array sanitizer_calls{SCMP_SYS(mmap),          SCMP_SYS(munmap),          SCMP_SYS(madvise),
                                     SCMP_SYS(futex),         SCMP_SYS(sched_yield),     SCMP_SYS(rt_sigprocmask),
                                     SCMP_SYS(sigaltstack),   SCMP_SYS(getpid),          SCMP_SYS(gettid),
                                     SCMP_SYS(clock_gettime), SCMP_SYS(write),           SCMP_SYS(mprotect),
                                     SCMP_SYS(readlink),      SCMP_SYS(process_vm_readv)};

enum Step : std::uint8_t { descriptors = 1, identity, limits, capabilities, privileges, filter };

/// With RLIMIT_AS at its floor the stack cannot grow any more, so it is made as deep as the parser needs before.
__attribute__((noinline)) void deepen_stack() {
    std::array<volatile char, std::size_t{192} * 1024> depth;  // NOLINT: written below
    for (std::size_t i = 0; i < depth.size(); i += 1024) depth[i] = 0;
}

int limit(decltype(RLIMIT_CPU) which, std::uint64_t value) {
    const rlimit both{value, value};
    return ::setrlimit(which, &both) == 0 ? 0 : errno;
}

int drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    return ::syscall(SYS_capset, &header, none.data()) == 0 ? 0 : errno;
}

/// Only this process's own: after fork there is one thread, so the plain system calls do.
int drop_identity(std::uint32_t id, bool& kept) {
    // Nothing could be gained without execve(2), which the filter forbids; an empty bounding set says so twice.
    for (unsigned long capability = 0; capability < 64; ++capability) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (::geteuid() != 0) return 0;
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, id, id, id) != 0 ||
        ::syscall(SYS_setresuid, id, id, id) != 0) {
        if (errno != EPERM && errno != EINVAL) return errno;  // EINVAL: a user namespace without that id
        kept = true;
    }
    return 0;
}

int keep_only(int keep) {
    if (::dup2(keep, STDIN_FILENO) < 0) return errno;
    // Standard error stays for a sanitizer's last words.
    const unsigned first = GOTUNED_SANITIZED ? STDERR_FILENO + 1U : STDIN_FILENO + 1U;
    return ::syscall(SYS_close_range, first, ~0U, 0) == 0 ? 0 : errno;  // Linux 5.9
}

}  // namespace

Result<std::vector<sock_filter>> make_inspector_filter() {
    const std::unique_ptr<void, void (*)(scmp_filter_ctx)> context(::seccomp_init(SCMP_ACT_KILL_PROCESS),
                                                                   ::seccomp_release);
    if (!context) return fail("cannot make the inspector's system-call filter", ENOMEM);
    ::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    int failed = 0;
    const auto allow = [&](int call) {
        // EDOM and the like: this architecture has no such call, so nobody will make it.
        if (const int rc = ::seccomp_rule_add(context.get(), SCMP_ACT_ALLOW, call, 0); rc < 0 && call >= 0)
            failed = -rc;
    };
    for (const int call : allowed) allow(call);
    if (GOTUNED_SANITIZED) {
        for (const int call : sanitizer_calls) allow(call);
    }
    if (failed != 0) return fail("cannot make the inspector's system-call filter", failed);
    // libseccomp 2.5 exports to a descriptor only.
    const Fd file(::memfd_create("gotuned-seccomp", MFD_CLOEXEC));
    if (!file.valid()) return fail("cannot make the inspector's system-call filter", errno);
    if (const int rc = ::seccomp_export_bpf(context.get(), file.get()); rc < 0) {
        return fail("cannot export the inspector's system-call filter", -rc);
    }
    const off_t size = ::lseek(file.get(), 0, SEEK_END);
    if (size <= 0 || static_cast<std::size_t>(size) % sizeof(sock_filter) != 0) {
        return fail("cannot read the inspector's system-call filter", EIO);
    }
    std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
    if (::pread(file.get(), program.data(), static_cast<std::size_t>(size), 0) != size) {
        return fail("cannot read the inspector's system-call filter", errno);
    }
    return program;
}

const char* confinement_step(std::uint8_t step) {
    switch (step) {
        case descriptors:
            return "close the daemon's descriptors";
        case identity:
            return "give up its user";
        case limits:
            return "limit its resources";
        case capabilities:
            return "drop its capabilities";
        case privileges:
            return "set no_new_privs";
        case filter:
            return "load its system-call filter";
        default:
            return "start";
    }
}

ConfinementReport confine(const Confinement& confinement, int keep) {
    ConfinementReport report;
    const auto done = [&](Step step, int error) {
        report.step = step;
        report.failed = error;
        return error == 0;
    };
    if (!done(descriptors, keep_only(keep))) return report;
    if (!done(identity, drop_identity(confinement.uid, report.kept_uid))) return report;

    // The parser allocates nothing: no byte more than the image that fork(2) left is needed.
    deepen_stack();
    int failed = GOTUNED_SANITIZED ? 0 : limit(RLIMIT_AS, 0);
    if (failed == 0) failed = limit(RLIMIT_CPU, confinement.cpu_seconds);
    if (failed == 0) failed = limit(RLIMIT_NOFILE, confinement.descriptors);
    if (failed == 0) failed = limit(RLIMIT_FSIZE, 0);
    if (failed == 0) failed = limit(RLIMIT_CORE, 0);
    if (!done(limits, failed)) return report;

    ::prctl(PR_SET_DUMPABLE, 0);         // nobody else of that uid may trace us
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of uid, which clears it (commit_creds)
    if (!done(capabilities, drop_capabilities())) return report;
    if (!done(privileges, ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno)) return report;

    const sock_fprog program{static_cast<unsigned short>(confinement.filter->size()),
                             const_cast<sock_filter*>(confinement.filter->data())};  // the kernel only reads it
    done(filter, ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno);
    return report;
}

}  // namespace gotuned
