#include "export/control_server.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>

#include "base/fd.h"
#include "base/log.h"
#include "export/listen.h"

namespace gotuned {
namespace {

struct UnrefMessage {
    void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using MessagePtr = std::unique_ptr<sd_bus_message, UnrefMessage>;

void send_error(sd_bus_message* call, const char* name, const std::string& text) {
    sd_bus_reply_method_errorf(call, name, "%s", text.c_str());
}

/// Answers one call exactly once: with what Control says, or, when Control forgot it, with an error, so that no
/// client waits for ever.
class PendingReply {
public:
    explicit PendingReply(sd_bus_message* call) : call_(sd_bus_message_ref(call)) {}
    PendingReply(const PendingReply&) = delete;
    PendingReply& operator=(const PendingReply&) = delete;
    ~PendingReply() {
        if (call_) send_error(call_.get(), SD_BUS_ERROR_FAILED, "the daemon gave no answer");
    }
    void answer(const Result<std::string>& result) {
        if (!call_) return;
        const MessagePtr call = std::move(call_);
        if (!result) return send_error(call.get(), SD_BUS_ERROR_FAILED, to_string(result.error()));
        // A string that D-Bus refuses (not UTF-8, a NUL) is our mistake: said, not swallowed.
        if (const int sent = sd_bus_reply_method_return(call.get(), "s", result->c_str()); sent == -EINVAL)
            send_error(call.get(), SD_BUS_ERROR_FAILED, "the answer is not valid UTF-8");
    }

private:
    MessagePtr call_;
};

Control::Reply make_reply(sd_bus_message* call) {
    return [pending = std::make_shared<PendingReply>(call)](const Result<std::string>& result) {
        pending->answer(result);
    };
}

std::vector<unsigned> group_ids(const char* name) {
    std::array<char, 16384> buffer{};
    group entry{};
    group* found = nullptr;
    if (::getgrnam_r(name, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
    return {found->gr_gid};
}

/// First the group, then the mode that lets it in. In a directory with the set-group-ID bit the socket has the group
/// already, and no CAP_CHOWN is needed.
bool let_in(const std::string& socket, gid_t group) {
    struct stat status{};
    if (::stat(socket.c_str(), &status) != 0) return false;
    if (status.st_gid != group && ::chown(socket.c_str(), static_cast<uid_t>(-1), group) != 0) return false;
    return ::chmod(socket.c_str(), 0660) == 0;
}

std::string user_name(uid_t uid) { return uid == 0 ? "root" : std::to_string(uid); }

/// All groups of the peer as they were when it connected: what the kernel checked the socket's mode by.
std::vector<unsigned> peer_groups(int fd, unsigned primary) {
    std::vector<unsigned> groups(32);
    for (;;) {
        auto size = static_cast<socklen_t>(groups.size() * sizeof(unsigned));
        if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
            groups.resize(size / sizeof(unsigned));
            break;
        }
        if (errno != ERANGE) {
            groups.clear();
            break;
        }
        groups.resize(size / sizeof(unsigned));
    }
    groups.push_back(primary);
    return groups;
}

}  // namespace

ControlGroups find_control_groups() { return {group_ids("gotuned"), group_ids("gotuned-admin")}; }

bool may(Access access, unsigned uid, const std::vector<unsigned>& groups, const ControlGroups& allowed) {
    const auto member = [&groups](const std::vector<unsigned>& wanted) {
        return std::find_first_of(groups.begin(), groups.end(), wanted.begin(), wanted.end()) != groups.end();
    };
    if (uid == 0 || member(allowed.changers)) return true;
    return access == Access::read && member(allowed.readers);
}

/// A connected client.
struct ConnectedPeer {
    ControlServer::Impl* server = nullptr;
    sd_bus* bus = nullptr;
    Peer peer{};
    std::vector<unsigned> groups{};
    bool gone = false;

    ConnectedPeer() = default;
    ConnectedPeer(const ConnectedPeer&) = delete;
    ConnectedPeer& operator=(const ConnectedPeer&) = delete;
    ~ConnectedPeer() { sd_bus_close_unref(bus); }
};

struct ControlServer::Impl {
    Impl(sd_event* loop, ControlOptions given, Control& answers)
        : event(loop), options(std::move(given)), control(answers) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        sd_event_source_disable_unref(accepting);
        sd_event_source_disable_unref(sweeping);
        clients.clear();
        if (socket.valid()) ::unlink(options.socket.c_str());
    }

    sd_event* event;
    ControlOptions options;
    Control& control;
    Fd socket;
    sd_event_source* accepting = nullptr;
    sd_event_source* sweeping = nullptr;
    std::list<ConnectedPeer> clients;

    Status start();
    void accept_one();
    Status serve(ConnectedPeer& client, Fd connection);
    void sweep() {
        clients.remove_if([](const ConnectedPeer& client) { return client.gone; });
    }
    [[nodiscard]] bool has_place(unsigned uid) const;
};

namespace {

int on_accept(sd_event_source*, int, std::uint32_t, void* impl) {
    static_cast<ControlServer::Impl*>(impl)->accept_one();
    return 0;
}
int on_sweep(sd_event_source*, void* impl) {
    static_cast<ControlServer::Impl*>(impl)->sweep();
    return 0;
}
/// A bus must not be freed within its own callback: the sweep runs after it.
int on_disconnected(sd_bus_message*, void* data, sd_bus_error*) {
    auto* client = static_cast<ConnectedPeer*>(data);
    client->gone = true;
    sd_event_source_set_enabled(client->server->sweeping, SD_EVENT_ONESHOT);
    return 0;
}

/// One method: what it may be asked by, and how its arguments become a call of Control.
template <Access access, typename Call>
int handle(sd_bus_message* call, void* data, Call&& then) {
    const auto& client = *static_cast<ConnectedPeer*>(data);
    if (!may(access, client.peer.uid, client.groups, client.server->options.groups)) {
        const char* need = access == Access::read ? "reading needs root or a member of group gotuned"
                                                  : "changing something needs root or a member of group gotuned-admin";
        send_error(call, SD_BUS_ERROR_ACCESS_DENIED,
                   fmt::format("user {} may not do this: {}", client.peer.name, need));
        return 1;
    }
    return then(client.server->control, client.peer);
}

int on_status(sd_bus_message* call, void* data, sd_bus_error*) {
    return handle<Access::read>(call, data, [call](Control& control, const Peer&) {
        control.status(make_reply(call));
        return 1;
    });
}
int on_signals(sd_bus_message* call, void* data, sd_bus_error*) {
    return handle<Access::read>(call, data, [call](Control& control, const Peer&) {
        const char* target = nullptr;
        if (const int error = sd_bus_message_read(call, "s", &target); error < 0) return error;
        control.signals(target, make_reply(call));
        return 1;
    });
}
/// Naming a directory makes the daemon read files, with more rights than a reader has, and show their lines in errors:
/// that takes the right to change.
int on_plan(sd_bus_message* call, void* data, sd_bus_error*) {
    const char* rulebook = nullptr;
    if (const int error = sd_bus_message_read(call, "s", &rulebook); error < 0) return error;
    const std::string name = rulebook;
    const auto plan = [call, name](Control& control, const Peer&) {
        control.plan(name, make_reply(call));
        return 1;
    };
    const bool of_files = !name.empty() && !name.starts_with("profile:");
    return of_files ? handle<Access::change>(call, data, plan) : handle<Access::read>(call, data, plan);
}
int on_explain(sd_bus_message* call, void* data, sd_bus_error*) {
    return handle<Access::read>(call, data, [call](Control& control, const Peer&) {
        const char* rule = nullptr;
        const char* target = nullptr;
        if (const int error = sd_bus_message_read(call, "ss", &rule, &target); error < 0) return error;
        control.explain(rule, target, make_reply(call));
        return 1;
    });
}
int on_history(sd_bus_message* call, void* data, sd_bus_error*) {
    return handle<Access::read>(call, data, [call](Control& control, const Peer&) {
        std::uint32_t limit = 0;
        const char* rule = nullptr;
        const char* target = nullptr;
        if (const int error = sd_bus_message_read(call, "uss", &limit, &rule, &target); error < 0) return error;
        control.history(limit, rule, target, make_reply(call));
        return 1;
    });
}
int on_undo(sd_bus_message* call, void* data, sd_bus_error*) {
    return handle<Access::change>(call, data, [call](Control& control, const Peer& peer) {
        std::int64_t id = 0;
        int all = 0;
        int force = 0;
        if (const int error = sd_bus_message_read(call, "xbb", &id, &all, &force); error < 0) return error;
        control.undo(id, all != 0, force != 0, peer, make_reply(call));
        return 1;
    });
}
int on_reload(sd_bus_message* call, void* data, sd_bus_error*) {
    return handle<Access::change>(call, data, [call](Control& control, const Peer& peer) {
        control.reload(peer, make_reply(call));
        return 1;
    });
}
int on_pause(sd_bus_message* call, void* data, sd_bus_error*) {
    return handle<Access::change>(call, data, [call](Control& control, const Peer& peer) {
        control.pause(peer, make_reply(call));
        return 1;
    });
}
int on_resume(sd_bus_message* call, void* data, sd_bus_error*) {
    return handle<Access::change>(call, data, [call](Control& control, const Peer& peer) {
        const char* rule = nullptr;
        const char* target = nullptr;
        if (const int error = sd_bus_message_read(call, "ss", &rule, &target); error < 0) return error;
        control.resume(rule, target, peer, make_reply(call));
        return 1;
    });
}
int on_profile(sd_bus_message* call, void* data, sd_bus_error*) {
    return handle<Access::change>(call, data, [call](Control& control, const Peer& peer) {
        const char* name = nullptr;
        if (const int error = sd_bus_message_read(call, "s", &name); error < 0) return error;
        control.profile(name, peer, make_reply(call));
        return 1;
    });
}

// UNPRIVILEGED: without it sd-bus would ask for CAP_SYS_ADMIN; who may do what is checked in handle().
constexpr auto open_to_all = SD_BUS_VTABLE_UNPRIVILEGED;
const sd_bus_vtable methods[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Status", "", "s", on_status, open_to_all),
    SD_BUS_METHOD("Signals", "s", "s", on_signals, open_to_all),
    SD_BUS_METHOD("Plan", "s", "s", on_plan, open_to_all),
    SD_BUS_METHOD("Explain", "ss", "s", on_explain, open_to_all),
    SD_BUS_METHOD("History", "uss", "s", on_history, open_to_all),
    SD_BUS_METHOD("Undo", "xbb", "s", on_undo, open_to_all),
    SD_BUS_METHOD("Reload", "", "s", on_reload, open_to_all),
    SD_BUS_METHOD("Pause", "", "s", on_pause, open_to_all),
    SD_BUS_METHOD("Resume", "ss", "s", on_resume, open_to_all),
    SD_BUS_METHOD("Profile", "s", "s", on_profile, open_to_all),
    SD_BUS_VTABLE_END,
};

}  // namespace

Status ControlServer::Impl::start() {
    const bool grouped = !options.groups.readers.empty();
    auto listening = listen_on("unix:" + options.socket, 0600);
    if (!listening) return fail(listening.error());
    socket = std::move(*listening);
    if (grouped && !let_in(options.socket, options.groups.readers.front()))
        log_warning("{}: group gotuned cannot use it: {}", options.socket, errno_words(errno));
    if (!grouped)
        log_warning("{}: there is no group gotuned, so nobody but {} can use it; systemd-sysusers makes the groups",
                    options.socket, ::geteuid() == 0 ? "root" : "this user and root");
    int error = sd_event_add_io(event, &accepting, socket.get(), EPOLLIN, on_accept, this);
    if (error >= 0) error = sd_event_add_defer(event, &sweeping, on_sweep, this);
    if (error >= 0) error = sd_event_source_set_enabled(sweeping, SD_EVENT_OFF);
    if (error < 0) return fail("cannot serve " + options.socket, -error);
    return {};
}

bool ControlServer::Impl::has_place(unsigned uid) const {
    if (clients.size() >= options.max_peers)
        return uid == 0 && clients.size() < options.max_peers + options.max_peers_each;
    const auto same = std::count_if(clients.begin(), clients.end(),
                                    [uid](const ConnectedPeer& client) { return client.peer.uid == uid; });
    return uid == 0 || static_cast<std::size_t>(same) < options.max_peers_each;
}

void ControlServer::Impl::accept_one() {
    Fd connection(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) return;
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return;
    if (!has_place(credentials.uid)) {
        log_warning("{}: too many connections of {}; one was refused", options.socket, user_name(credentials.uid));
        return;
    }
    ConnectedPeer& client = clients.emplace_back();
    client.server = this;
    client.peer = {credentials.uid, credentials.gid, credentials.pid, user_name(credentials.uid)};
    client.groups = peer_groups(connection.get(), credentials.gid);
    if (const auto served = serve(client, std::move(connection)); !served) {
        log_warning("{}", to_string(served.error()));
        clients.pop_back();
    }
}

Status ControlServer::Impl::serve(ConnectedPeer& client, Fd connection) {
    sd_id128_t id{};
    int error = sd_id128_randomize(&id);
    if (error >= 0) error = sd_bus_new(&client.bus);
    if (error >= 0) error = sd_bus_set_fd(client.bus, connection.get(), connection.get());
    if (error >= 0) connection.release();
    if (error >= 0) error = sd_bus_set_server(client.bus, 1, id);
    if (error >= 0) error = sd_bus_set_anonymous(client.bus, 0);
    if (error >= 0) error = sd_bus_start(client.bus);
    if (error >= 0)
        error = sd_bus_add_object_vtable(client.bus, nullptr, control_path, control_interface, methods, &client);
    if (error >= 0)
        error = sd_bus_match_signal(client.bus, nullptr, nullptr, "/org/freedesktop/DBus/Local",
                                    "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, &client);
    if (error >= 0) error = sd_bus_attach_event(client.bus, event, SD_EVENT_PRIORITY_NORMAL);
    if (error < 0) return fail("cannot serve a client of " + options.socket, -error, "user " + client.peer.name);
    return {};
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::open(sd_event* event, const ControlOptions& options,
                                                           Control& control) {
    auto impl = std::make_unique<Impl>(event, options, control);
    if (auto started = impl->start(); !started) return fail(started.error());
    return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

std::size_t ControlServer::peers() const { return impl_->clients.size(); }

}  // namespace gotuned
