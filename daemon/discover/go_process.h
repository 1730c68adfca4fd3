// What is known of a Go process when it is found: plain data, kept until it exits. Used by observe (signals),
// rulebook (match) and export (service names); never changed after it is made.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>

#include "base/reading.h"
#include "base/target.h"
#include "discover/go_symbols.h"

namespace gotuned {

/// From .go.buildinfo (src/debug/buildinfo in the Go tree).
struct GoBuild {
    std::string version{};  ///< "go1.22.3", as the binary says
    std::string module{};   ///< main module path; empty when the binary does not say
    int pointer_size = 8;
    bool big_endian = false;
    std::shared_ptr<const GoSymbols> symbols{};  ///< null when nobody looked; shared by all processes of the binary
};

struct GoProcess {
    ProcessId id{};
    std::string exe{};  ///< readlink(/proc/PID/exe), " (deleted)" taken off
    bool exe_deleted = false;
    std::string comm{};
    std::string cmdline{};  ///< arguments joined by spaces, at most 4 KiB
    GoBuild build{};
    uid_t uid = 0;
    std::string user{};    ///< name of the uid, else its number
    std::string cgroup{};  ///< path in the unified hierarchy ("/system.slice/x.service"); on v1 hosts of name=systemd
    std::uint64_t cgroup_inode = 0;  ///< 0 when there is no unified hierarchy
    std::string unit{};              ///< "payment-api.service"; empty when not of systemd
    std::string container{};         ///< container id; empty when not in one
    std::string pod{};               ///< pod uid; empty when not of Kubernetes
    std::string namespace_name{};    ///< Kubernetes namespace; empty when unknown
    std::uint64_t netns = 0;         ///< inode of /proc/PID/ns/net, 0 when unknown
    /// GOTUNED*, GO* and the names a rulebook asked for; others are not kept.
    std::map<std::string, std::string> environment{};
    std::map<std::string, std::string> labels{};  ///< pod or container labels; empty when unknown
    bool opted_out = false;                       ///< GOTUNED=off in its environment or X-Gotuned=off in its unit
    std::string opt_out_source{};                 ///< "environment" or "unit"
};

/// The service a process belongs to when no operator named it: unit (instances collapsed: "name@"), container,
/// exe's base name. Valid UTF-8, no control characters; never a pid.
std::string default_service(const GoProcess& process);

}  // namespace gotuned
