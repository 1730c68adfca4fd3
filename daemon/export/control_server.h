// The control socket: sd-bus peer to peer (no bus daemon) on RUN_DIR/control.sock. Checks who asks, by the kernel's
// word for it (SO_PEERCRED, SO_PEERGROUPS), for each method; everything else is Control's.
#pragma once

#include <systemd/sd-event.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "export/control.h"

namespace gotuned {

inline constexpr const char* control_interface = "org.gotuned.Control1";
inline constexpr const char* control_path = "/org/gotuned/Control1";

/// Group ids that may read and change; nothing where the host has no such group.
struct ControlGroups {
    std::vector<unsigned> readers{};   ///< gotuned
    std::vector<unsigned> changers{};  ///< gotuned-admin (who may also read)
};
/// Looks up the groups "gotuned" and "gotuned-admin".
ControlGroups find_control_groups();

enum class Access { read, change };
/// root always; else by group. `groups`: all groups of the peer, primary and supplementary.
bool may(Access access, unsigned uid, const std::vector<unsigned>& groups, const ControlGroups& allowed);

struct ControlOptions {
    std::string socket = "/run/gotuned/control.sock";
    ControlGroups groups = find_control_groups();
    std::size_t max_peers = 64;
    std::size_t max_peers_each = 16;  ///< of one uid other than root
};

class ControlServer {
public:
    /// Replaces a socket that a dead daemon left. The socket is 0660 for group gotuned, or 0600 where there is none.
    /// `control` must outlive the server; replies that come after the server's end are dropped.
    static Result<std::unique_ptr<ControlServer>> open(sd_event* event, const ControlOptions& options,
                                                       Control& control);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    [[nodiscard]] std::size_t peers() const;

    struct Impl;

private:
    explicit ControlServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace gotuned
