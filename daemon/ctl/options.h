// gotunectl's command line, parsed. What a command means is commands.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gotuned {

enum class Command { status, signals, plan, explain, history, undo, check, reload, pause, resume, profile, schema };

/// Documented in --help and docs/gotunectl.md; scripts rely on them.
namespace exit_status {
inline constexpr int ok = 0;
inline constexpr int failed = 1;  ///< refused, not done, or errors were found
inline constexpr int usage = 2;
inline constexpr int unreachable = 3;  ///< no daemon answers
inline constexpr int denied = 4;       ///< not permitted
}  // namespace exit_status

struct Invocation {
    Command command{};
    std::string socket = "/run/gotuned/control.sock";
    std::chrono::seconds timeout{10};
    bool json = false;
    bool yes = false;     ///< do not ask
    bool all = false;     ///< undo --all
    bool force = false;   ///< undo --force
    std::int64_t id = 0;  ///< undo ID
    std::string rule{};
    std::string target{};
    std::string name{};                ///< profile NAME, schema NAME
    unsigned limit = 20;               ///< history -n
    std::string rulebook{};            ///< plan --rulebook DIR, absolute
    std::vector<std::string> files{};  ///< check FILE… or DIR
    std::string config{};              ///< check --config
    std::string packaged = "/usr/lib/gotuned/rulebook.d";
    std::string profiles = "/usr/lib/gotuned/profiles";
    std::string with_profile = "observe";  ///< check --profile
    std::string proc = "/proc";            ///< whose sysctls check compares with; a test's own tree
    std::string sys = "/sys";              ///< and whose disks and huge pages
};

/// Either an invocation, or what to print and the status to exit with (help, version, a usage error).
struct Parsed {
    std::optional<Invocation> invocation{};
    int status = exit_status::ok;
    std::string text{};
    bool json = false;  ///< --json was given: standard output gets the error, too
};
/// {"error": TEXT, "status": N}, a line: what stands on standard output with --json when there is no answer.
std::string error_json(int status, std::string_view text);
Parsed parse_arguments(int count, const char* const* arguments);

}  // namespace gotuned
