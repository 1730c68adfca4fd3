// gotuned's command line. Flags override gotuned.yaml, which overrides the defaults.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace gotuned {

struct Options {
    enum class Command { run, undo, lease } command = Command::run;
    std::string config = "/etc/gotuned/gotuned.yaml";
    std::string rulebook = "/etc/gotuned/rulebook.d";      ///< the operator's layer
    std::string packaged = "/usr/lib/gotuned/rulebook.d";  ///< the packaged layer
    std::string profiles = "/usr/lib/gotuned/profiles";
    std::string state_dir = "/var/lib/gotuned";
    std::string run_dir = "/run/gotuned";
    std::optional<std::string> profile{};
    std::vector<std::string> listen{};  ///< empty: the file's
    std::optional<Duration> tick{};
    std::optional<Duration> run_for{};  ///< --for: stop by itself
    bool table = false;                 ///< the live table on standard output
    bool leased = false;                ///< something else undoes when we have ended and the lease has run out
    bool unless_running = false;        ///< undo
    bool force = false;                 ///< undo
};

/// What to do after parsing: run with `options`, or exit with `status` (help, version, a wrong flag: all printed).
struct ParsedOptions {
    Options options{};
    std::optional<int> exit_status{};
};
ParsedOptions parse_options(int argc, char** argv);

}  // namespace gotuned
