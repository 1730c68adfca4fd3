#include "discover/go_process.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "discover/placement.h"

namespace gotuned {
namespace {

/// Units that systemd makes up for one login, one command or itself: numbers and pids that nobody would look for.
bool made_up(std::string_view unit) {
    if (unit == "init.scope" || (unit.starts_with("session-") && unit.ends_with(".scope"))) return true;
    if (!unit.starts_with("run-")) return false;  // systemd-run: run-u12.service, run-r0a1b….scope, run-p12-i34.service
    return unit.size() > 5 && (unit[4] == 'u' || unit[4] == 'r' || unit[4] == 'p') &&
           std::all_of(unit.begin() + 5, unit.begin() + static_cast<std::ptrdiff_t>(unit.rfind('.')),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-' || c == 'i'; });
}

/// Desktops start each program in a scope with its pid: app-gnome-org.example.App-4711.scope.
bool application_scope(std::string_view unit) { return unit.starts_with("app-") && unit.ends_with(".scope"); }

std::string base_name(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string choose(const GoProcess& process) {
    constexpr std::size_t short_id = 12;  // as the engines' own tools print it
    const bool container_scope = !process.container.empty() && process.unit.ends_with(".scope");
    if (!process.unit.empty() && !container_scope && !made_up(process.unit) && !application_scope(process.unit)) {
        const std::size_t at = process.unit.find('@');
        // "payment@eu.service" and its siblings are one service, "payment@".
        if (at != std::string::npos && at > 0) return unescape_unit(process.unit.substr(0, at + 1));
        return unescape_unit(process.unit);
    }
    if (process.container.size() == 64) return process.container.substr(0, short_id);
    if (!process.container.empty()) return process.container;
    const std::string name = base_name(process.exe);
    return name.empty() ? process.comm : name;
}

}  // namespace

std::string default_service(const GoProcess& process) {
    std::string name = clean_text(choose(process));
    return name.empty() ? std::string("unknown") : name;
}

}  // namespace gotuned
