// What the control API can ask of the daemon. The API (control_server.h, sd-bus peer to peer) checks who asks;
// main implements this. Answers are JSON text, printed by gotunectl as they are with --json.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace gotuned {

/// A peer of the control socket, by SO_PEERCRED.
struct Peer {
    unsigned uid = 0;
    unsigned gid = 0;
    int pid = 0;
    std::string name{};  ///< "root", else the number
};

class Control {
public:
    virtual ~Control() = default;
    /// Called once, now or later: some answers wait for the worker.
    using Reply = std::function<void(Result<std::string>)>;

    // Readable by group gotuned.
    virtual void status(Reply reply) = 0;
    virtual void signals(const std::string& target, Reply reply) = 0;  ///< "" : the catalogue; else values of a TARGET
    /// "": the running rulebook; "profile:NAME": the running sources under another profile; else a directory.
    virtual void plan(const std::string& rulebook, Reply reply) = 0;
    virtual void explain(const std::string& rule, const std::string& target, Reply reply) = 0;
    virtual void history(unsigned limit, const std::string& rule, const std::string& target, Reply reply) = 0;
    // Change something: root or group gotuned-admin.
    virtual void undo(long long id, bool all, bool force, const Peer& peer, Reply reply) = 0;
    virtual void reload(const Peer& peer, Reply reply) = 0;
    virtual void pause(const Peer& peer, Reply reply) = 0;
    virtual void resume(const std::string& rule, const std::string& target, const Peer& peer, Reply reply) = 0;
    virtual void profile(const std::string& name, const Peer& peer, Reply reply) = 0;
};

}  // namespace gotuned
