#include "ctl/client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"

namespace gotuned {
namespace {

// The daemon's names for itself (export/control_server.h; a host test speaks through both).
constexpr const char* path = "/org/gotuned/Control1";
constexpr const char* interface = "org.gotuned.Control1";

struct UnrefMessage {
    void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using MessagePtr = std::unique_ptr<sd_bus_message, UnrefMessage>;

CallError unreachable(const std::string& socket, int code) {
    if (code == EACCES || code == EPERM)
        return {Refusal::denied,
                fmt::format("not permitted to talk to the daemon at {}: be root or a member of group gotuned", socket)};
    return {Refusal::unreachable,
            fmt::format("no daemon is listening at {} ({}): is gotuned running? See: systemctl status gotuned", socket,
                        errno_words(code))};
}

int append(sd_bus_message* message, const ControlClient::Argument& argument) {
    if (const auto* text = std::get_if<std::string>(&argument))
        return sd_bus_message_append_basic(message, 's', text->c_str());
    if (const auto* number = std::get_if<std::uint32_t>(&argument))
        return sd_bus_message_append_basic(message, 'u', number);
    if (const auto* number = std::get_if<std::int64_t>(&argument))
        return sd_bus_message_append_basic(message, 'x', number);
    const int flag = std::get<bool>(argument) ? 1 : 0;
    return sd_bus_message_append_basic(message, 'b', &flag);
}

/// Connecting blocks when the daemon's backlog is full: bounded as everything else.
Result<Fd> connect_to(const std::string& socket, std::chrono::milliseconds timeout) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (socket.size() >= sizeof name.sun_path) return fail("cannot connect", ENAMETOOLONG);
    std::memcpy(name.sun_path, socket.data(), socket.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return fail("cannot connect", errno);
    const timeval patience{timeout.count() / 1000, timeout.count() % 1000 * 1000};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
        return fail("cannot connect", errno);
    return fd;
}

}  // namespace

void ControlClient::Close::operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }

ControlClient::ControlClient(std::unique_ptr<sd_bus, Close> bus, std::string socket, std::chrono::milliseconds timeout)
    : bus_(std::move(bus)), socket_(std::move(socket)), timeout_(timeout) {}

tl::expected<ControlClient, CallError> ControlClient::connect(const std::string& socket,
                                                              std::chrono::milliseconds timeout) {
    auto fd = connect_to(socket, timeout);
    if (!fd) return tl::unexpected(unreachable(socket, fd.error().code));
    sd_bus* raw = nullptr;
    int error = sd_bus_new(&raw);
    std::unique_ptr<sd_bus, Close> bus(raw);
    if (error >= 0) error = sd_bus_set_fd(raw, fd->get(), fd->get());
    if (error >= 0) fd->release();
    if (error >= 0) error = sd_bus_start(raw);
    if (error < 0) return tl::unexpected(unreachable(socket, -error));
    return ControlClient(std::move(bus), socket, timeout);
}

tl::expected<std::string, CallError> ControlClient::call(const std::string& method,
                                                         const std::vector<Argument>& arguments) {
    sd_bus_message* raw = nullptr;
    int error = sd_bus_message_new_method_call(bus_.get(), &raw, nullptr, path, interface, method.c_str());
    const MessagePtr message(raw);
    for (const Argument& argument : arguments)
        if (error >= 0) error = append(raw, argument);
    if (error == -EINVAL) return tl::unexpected(CallError{Refusal::failed, "an argument is not valid UTF-8"});
    if (error < 0) return tl::unexpected(unreachable(socket_, -error));

    sd_bus_error refused{};
    sd_bus_message* raw_answer = nullptr;
    const auto microseconds = static_cast<std::uint64_t>(std::chrono::microseconds(timeout_).count());
    error = sd_bus_call(bus_.get(), raw, microseconds, &refused, &raw_answer);
    const MessagePtr answer(raw_answer);
    if (error < 0) {
        CallError out = unreachable(socket_, -error);
        if (error == -ETIMEDOUT) {
            out = {Refusal::unreachable,
                   fmt::format("the daemon at {} did not answer within {} s", socket_, timeout_.count() / 1000)};
        } else if (error == -EPERM && refused.message != nullptr &&
                   std::strcmp(refused.message, ::strerrordesc_np(EPERM)) == 0) {
            // sd-bus's own words: the two ends did not agree on the caller's user id (D-Bus' EXTERNAL).
            out = {Refusal::denied,
                   fmt::format("the daemon at {} knows this user by another number: it runs in a user namespace of its "
                               "own, so run gotunectl inside its container",
                               socket_)};
        } else if (sd_bus_error_has_name(&refused, SD_BUS_ERROR_ACCESS_DENIED) != 0) {
            out = {Refusal::denied, refused.message};
        } else if (sd_bus_error_is_set(&refused) != 0 && error != -ECONNRESET && error != -ENOTCONN) {
            out = {Refusal::failed, refused.message == nullptr ? refused.name : refused.message};
        }
        sd_bus_error_free(&refused);
        return tl::unexpected(std::move(out));
    }
    const char* json = nullptr;
    if (sd_bus_message_read(answer.get(), "s", &json) < 0)
        return tl::unexpected(CallError{
            Refusal::failed, "the daemon's answer is not understood: are gotuned and gotunectl of the same version?"});
    return std::string(json);
}

}  // namespace gotuned
