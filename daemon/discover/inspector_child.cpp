#include "discover/inspector_child.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gotuned {
namespace {

constexpr int socket_fd = 0;  // where confine() puts it

enum class Received : std::uint8_t { request, nothing, end };

/// A request without a descriptor (the table of open ones was full) is answered as well: `executable` is then -1.
Received receive(InspectorRequest& request, int& executable) {
    iovec bytes{&request, sizeof request};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_fd, &message, 0);
    if (got < 0) return errno == EINTR ? Received::nothing : Received::end;
    if (got == 0) return Received::end;
    executable = -1;
    const cmsghdr* attached = CMSG_FIRSTHDR(&message);
    if (attached != nullptr && attached->cmsg_level == SOL_SOCKET && attached->cmsg_type == SCM_RIGHTS &&
        attached->cmsg_len == CMSG_LEN(sizeof(int))) {
        std::memcpy(&executable, CMSG_DATA(attached), sizeof executable);
    }
    return static_cast<std::size_t>(got) == sizeof request ? Received::request : Received::nothing;
}

bool send(const InspectorReply& reply) {
    ssize_t put = -1;
    do {
        put = ::send(socket_fd, &reply, sizeof reply, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return put == static_cast<ssize_t>(sizeof reply);
}

InspectorReply answer(const InspectorRequest& request, int executable) {
    InspectorReply reply;
    reply.tag = InspectorReply::Tag::answer;
    reply.id = request.id;
    struct stat status{};
    // What runs is a regular file; anything else could block.
    if (executable < 0 || ::fstat(executable, &status) != 0 || !S_ISREG(status.st_mode)) return reply;
    const DescriptorSource file(executable);
    const BuildInfo info = read_build_info(file);
    reply.outcome = info.outcome;
    reply.pointer_size = info.pointer_size;
    reply.big_endian = info.big_endian ? 1 : 0;
    const auto version = info.version.view();
    const auto module = info.module.view();
    static_assert(decltype(info.version)::capacity <= std::tuple_size_v<decltype(reply.version)>);
    static_assert(decltype(info.module)::capacity <= std::tuple_size_v<decltype(reply.module)>);
    std::copy(version.begin(), version.end(), reply.version.begin());
    std::copy(module.begin(), module.end(), reply.module.begin());
    reply.version_size = static_cast<std::uint16_t>(version.size());
    reply.module_size = static_cast<std::uint16_t>(module.size());
    if (info.outcome == BuildInfoOutcome::found) reply.symbols = read_go_symbols(file);
    return reply;
}

}  // namespace

[[noreturn]] void run_inspector_child(int socket, const Confinement& confinement) {
    const ConfinementReport report = confine(confinement, socket);
    InspectorReply hello;
    hello.failed = report.failed;
    hello.step = report.step;
    hello.kept_uid = report.kept_uid ? 1 : 0;
    if (report.failed != 0) {
        // Said on whichever descriptor the socket has got to; the end is the same.
        if (!send(hello)) (void)::send(socket, &hello, sizeof hello, MSG_NOSIGNAL);
        ::_exit(1);
    }
    if (!send(hello)) ::_exit(1);
    for (;;) {
        InspectorRequest request;
        int executable = -1;
        const Received received = receive(request, executable);
        if (received == Received::end) ::_exit(0);
        const bool sent = received == Received::nothing || send(answer(request, executable));
        if (executable >= 0) ::close(executable);
        if (!sent) ::_exit(1);
    }
}

}  // namespace gotuned
