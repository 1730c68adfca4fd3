#include "discover/confinement.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <sstream>

#include "base/fd.h"
#include "base/files.h"
#include "catch.h"
#include "fake_proc.h"

using namespace gotuned;

namespace {

/// Forks, confines and runs `body` in the child; its wait(2) status. No allocation may happen in `body`.
int confined(const std::function<void()>& body) {
    const auto filter = make_inspector_filter();
    REQUIRE(filter);
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const Fd ours(ends[0]), theirs(ends[1]);
    Confinement confinement;
    confinement.filter = &*filter;
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (confine(confinement, theirs.get()).failed != 0) ::_exit(99);
        body();
        ::_exit(0);
    }
    REQUIRE(pid > 0);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    return status;
}

bool killed_by_filter(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }

}  // namespace

TEST_CASE("what the inspector needs is allowed") {
    const int status = confined([] {
        char byte = 0;
        (void)::send(0, &byte, 1, MSG_NOSIGNAL);
        (void)::pread(0, &byte, 1, 0);
        struct stat ignored{};
        (void)::fstat(0, &ignored);
        ::close(0);
    });
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("everything that reaches beyond its descriptors kills") {
    struct Case {
        const char* name;
        long number;
    };
    for (const Case& one :
         {Case{"open", SYS_openat}, Case{"socket", SYS_socket}, Case{"connect", SYS_connect},
          Case{"execve", SYS_execve}, Case{"clone", SYS_clone}, Case{"kill", SYS_kill}, Case{"ptrace", SYS_ptrace},
          Case{"process_vm_writev", SYS_process_vm_writev}, Case{"unlink", SYS_unlinkat}, Case{"setuid", SYS_setuid},
          Case{"bpf", SYS_bpf}, Case{"prctl", SYS_prctl}, Case{"prlimit", SYS_prlimit64}, Case{"ioctl", SYS_ioctl},
          Case{"mount", SYS_mount}, Case{"no such call", 9999}}) {
        INFO(one.name);
        CHECK(killed_by_filter(confined([&] { (void)::syscall(one.number, 0, 0, 0, 0, 0, 0); })));
    }
}

TEST_CASE("user, groups, capabilities, limits and descriptors are gone, as the kernel sees them") {
    const auto filter = make_inspector_filter();
    REQUIRE(filter);
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    Fd ours(ends[0]), theirs(ends[1]);
    const Fd secret(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC, as by accident
    Confinement confinement;
    confinement.filter = &*filter;
    const pid_t pid = ::fork();
    if (pid == 0) {
        const ConfinementReport report = confine(confinement, theirs.get());
        char byte = static_cast<char>(report.failed);
        (void)::send(0, &byte, 1, MSG_NOSIGNAL);
        iovec bytes{&byte, 1};
        msghdr message{};
        message.msg_iov = &bytes;
        message.msg_iovlen = 1;
        (void)::recvmsg(0, &message, 0);  // until the parent has looked
        ::_exit(0);
    }
    REQUIRE(pid > 0);
    theirs.reset();
    char failed = 1;
    REQUIRE(::recv(ours.get(), &failed, 1, 0) == 1);
    CHECK(failed == 0);
    const std::string proc = "/proc/" + std::to_string(pid);
    const auto status = read_file(proc + "/status");
    REQUIRE(status);
    const auto has = [&](const char* line) { return status->find(line) != std::string::npos; };
    INFO(*status);
    CHECK(has("\nNoNewPrivs:\t1\n"));
    CHECK(has("\nSeccomp:\t2\n"));
    CHECK(has("\nCapEff:\t0000000000000000\n"));
    CHECK(has("\nCapPrm:\t0000000000000000\n"));
    if (::geteuid() == 0) {
        CHECK(has("\nUid:\t65534\t65534\t65534\t65534\n"));
        CHECK(has("\nGid:\t65534\t65534\t65534\t65534\n"));
        CHECK(has("\nGroups:\t \n"));
    }
    const auto limits = read_file(proc + "/limits");
    REQUIRE(limits);
    const auto limit = [&](const std::string& name) {
        const std::size_t at = limits->find(name);
        REQUIRE(at != std::string::npos);
        std::string soft;
        std::istringstream(limits->substr(at + 26)) >> soft;  // the columns have fixed widths
        return soft;
    };
    CHECK(limit("Max core file size") == "0");
    CHECK(limit("Max cpu time") == "10");
    CHECK(limit("Max open files") == "8");
    CHECK(limit("Max file size") == "0");
    std::size_t open = 0;
    for (const auto& entry : std::filesystem::directory_iterator(proc + "/fd")) {
        // Sanitizers keep standard output and error.
        if (std::stoi(entry.path().filename()) > 2 || entry.path().filename() == "0") ++open;
    }
    CHECK(open == 1);
    ours.reset();
    int ended = 0;
    REQUIRE(::waitpid(pid, &ended, 0) == pid);
    CHECK(WIFEXITED(ended));
}

TEST_CASE("a loop without end is stopped by the limit of CPU time") {
    const auto filter = make_inspector_filter();
    REQUIRE(filter);
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const Fd ours(ends[0]), theirs(ends[1]);
    Confinement confinement;
    confinement.filter = &*filter;
    confinement.cpu_seconds = 1;
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (confine(confinement, theirs.get()).failed != 0) ::_exit(99);
        for (;;) __asm__ volatile("" ::: "memory");
    }
    REQUIRE(pid > 0);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status));
    CHECK((WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL));
}
