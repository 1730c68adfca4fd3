#include "tune/net_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <thread>

#include "base/text.h"
#include "tune/process.h"

namespace gotuned {
namespace {

constexpr std::string_view net = "net:";
constexpr int so_netns_cookie = 71;  // asm-generic/socket.h; not in every distribution's header yet
constexpr const char* drop_in =
    "entering a network namespace needs CAP_SYS_ADMIN: see examples/namespaced-sysctls.conf in the documentation "
    "folder";

std::string namespace_of(const Roots& roots, pid_t pid) { return fmt::format("{}/{}/ns/net", roots.proc, pid); }

Result<std::string> inode_of(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return fail("cannot look at " + path, errno);
    return std::to_string(status.st_ino);
}

Result<Fd> open_namespace(const std::string& path) {
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return fail("cannot open " + path, errno);
    return file;
}

/// Of the namespace that the calling thread is in; 0 where the kernel does not say.
std::uint64_t cookie_here() {
    const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    if (!socket.valid() || ::getsockopt(socket.get(), SOL_SOCKET, so_netns_cookie, &cookie, &size) != 0) return 0;
    return cookie;
}

/// In a thread of its own, which ends where it went.
Status enter(const Fd& space, const std::function<Status()>& work) {
    Status done{};
    try {
        std::thread([&] {
            if (::setns(space.get(), CLONE_NEWNET) != 0) {
                done = fail("cannot enter the network namespace", errno, {}, errno == EPERM ? drop_in : "");
                return;
            }
            done = work();
        }).join();
    } catch (const std::system_error& error) {
        return fail("cannot make a thread to enter a network namespace", error.code().value());
    }
    return done;
}

/// Who else is in it, or a name that ip-netns(8) gave it.
Result<Fd> search(const Roots& roots, const std::string& inode) {
    const auto matches = [&](const std::string& path) {
        const auto found = inode_of(path);
        return found && *found == inode;
    };
    if (const auto pids = numbered_entries(roots.proc)) {
        for (const pid_t pid : *pids)
            if (const std::string path = namespace_of(roots, pid); matches(path)) return open_namespace(path);
    }
    std::error_code error;
    for (std::filesystem::directory_iterator entry("/run/netns", error), end; !error && entry != end;
         entry.increment(error))
        if (matches(entry->path())) return open_namespace(entry->path());
    return fail("nobody is in the network namespace any more", ENOENT, "namespace " + inode);
}

Result<Fd> find(const Roots& roots, const TargetId& target, const std::string& inode) {
    if (const auto* const process = std::get_if<ProcessId>(&target)) {
        const auto held = HeldProcess::open(roots.proc, *process);
        const auto now = inode_of(namespace_of(roots, process->pid));
        if (held && now && *now == inode) return open_namespace(namespace_of(roots, process->pid));
    }
    return search(roots, inode);
}

}  // namespace

bool is_net_place(const std::string& place) { return place.starts_with(net); }

std::string net_inode(const std::string& place) {
    return is_net_place(place) ? place.substr(net.size(), place.rfind(':') - net.size()) : std::string();
}

Result<std::string> net_place(const Roots& roots, const ProcessId& process) {
    const std::string target = fmt::format("pid {}", process.pid);
    const auto held = HeldProcess::open(roots.proc, process);
    if (!held) return fail(held.error());
    const auto inode = inode_of(namespace_of(roots, process.pid));
    const auto own = inode_of(roots.proc + "/self/ns/net");
    if (!inode) return fail(inode.error());
    if (own && *own == *inode) {
        return fail("it is in the host's network namespace, where a sysctl is the host's", EINVAL, target,
                    "leave it to a rule of scope host");
    }
    const auto space = open_namespace(namespace_of(roots, process.pid));
    if (!space) return fail(space.error());
    std::uint64_t cookie = 0;
    auto entered = enter(*space, [&]() -> Status {
        cookie = cookie_here();
        return {};
    });
    if (!entered) return fail(entered.error());
    if (auto alive = held->check(); !alive) return fail(alive.error());
    return fmt::format("{}{}:{}", net, *inode, cookie);
}

Status inside_net(const Roots& roots, const TargetId& target, const std::string& place,
                  const std::function<Status()>& work) {
    const auto space = find(roots, target, net_inode(place));
    if (!space) return fail(space.error());
    const std::string cookie = place.substr(place.rfind(':') + 1);
    return enter(*space, [&]() -> Status {
        if (cookie != "0" && cookie != std::to_string(cookie_here()))
            return fail("another network namespace has its number now", ENOENT, "namespace " + net_inode(place));
        return work();
    });
}

bool net_lives_on(const Roots& roots, const std::string& place) {
    if (!is_net_place(place)) return false;
    const auto looked = inside_net(roots, HostId{}, place, []() -> Status { return {}; });
    // What cannot be entered is not gone: an undo without the capability must say so, not forget.
    return looked || looked.error().code != ENOENT;
}

KnobAbility net_ability() {
    if (has_capability(CAP_SYS_ADMIN)) return {};
    return {false, drop_in};
}

}  // namespace gotuned
