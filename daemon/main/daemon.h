// gotuned: wires the rooms and runs the loop. One thread; what may block is in tune's worker, the history's two
// (writing, reading) and the inspector's child. Each tick: observe → evaluate → act → export.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "main/options.h"
#include "rulebook/settings.h"

namespace gotuned {

class Daemon {
public:
    /// Everything that must work before READY=1. Errors: another daemon runs, a directory cannot be made, an address
    /// cannot be listened on. A broken rulebook, missing BPF or a refused probe are reported, not fatal.
    static Result<std::unique_ptr<Daemon>> start(const Options& options, const Settings& settings);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Until SIGTERM, SIGINT or --for. Then undoes what is to be undone at once (adjust.on_stop). Returns the exit
    /// status.
    int run();

    class Impl;

private:
    explicit Daemon(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace gotuned
