#include "discover/placement.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace gotuned {
namespace {

bool hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool container_id(std::string_view text) { return text.size() == 64 && std::all_of(text.begin(), text.end(), hex); }

/// Container engines name a cgroup ID, ENGINE-ID.scope, libpod-ID, or (runc told systemd names but using files)
/// SLICE:ENGINE:ID. Their monitors (crio-conmon-ID.scope) are not in the container.
std::string container_of(std::string_view component) {
    if (component.ends_with(".scope")) component.remove_suffix(6);
    if (container_id(component)) return std::string(component);
    if (component.starts_with("lxc.payload.")) return std::string(component.substr(12));
    const std::size_t separator = component.find_last_of("-:");
    if (separator == std::string_view::npos || !container_id(component.substr(separator + 1))) return {};
    if (component.substr(0, separator).ends_with("conmon")) return {};
    return std::string(component.substr(separator + 1));
}

/// "pod<uid>" of the cgroupfs driver, "kubepods-burstable-pod<uid>.slice" of the systemd one, which writes '_' for '-'.
/// The uid of a static pod is a hash: 32 hex digits without dashes.
std::string pod_of(std::string_view component) {
    component = component.substr(0, component.find(".slice"));
    const std::size_t at = component.rfind("pod");
    if (at == std::string_view::npos || (at > 0 && component[at - 1] != '-')) return {};
    std::string uid(component.substr(at + 3));
    std::replace(uid.begin(), uid.end(), '_', '-');
    const bool shaped = uid.size() == 36 ? std::count(uid.begin(), uid.end(), '-') == 4 : uid.size() == 32;
    if (!shaped || !std::all_of(uid.begin(), uid.end(), [](char c) { return hex(c) || c == '-'; })) return {};
    return uid;
}

bool is_unit(std::string_view component) {
    return (component.ends_with(".service") && component.size() > 8) ||
           (component.ends_with(".scope") && component.size() > 6);
}

/// systemd puts '_' before a unit name that the kernel could take for a file of its own (cg_escape in its sources).
std::string_view cgroup_unescape(std::string_view component) {
    if (component.starts_with('_')) component.remove_prefix(1);
    return component;
}

}  // namespace

std::string unescape_unit(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name.substr(i).starts_with("\\x") && i + 4 <= name.size()) {
            unsigned char byte = 0;
            const auto [end, error] = std::from_chars(name.data() + i + 2, name.data() + i + 4, byte, 16);
            if (error == std::errc{} && end == name.data() + i + 4) {
                out += static_cast<char>(byte);
                i += 3;
                continue;
            }
        }
        out += name[i];
    }
    return out;
}

Placement place(std::string_view path) {
    Placement out;
    out.cgroup = path;
    bool inside = false;  // in a container: units below are those of its own systemd, which the host's does not know
    bool lxc = false;
    for (std::string_view component : split(path, '/')) {
        if (component.empty() || component == "..") continue;
        if (std::string pod = pod_of(component); !pod.empty()) out.pod = std::move(pod);
        std::string container = container_of(component);
        if (lxc && container.empty()) container = component;
        lxc = component == "lxc";
        const std::string_view unit = cgroup_unescape(component);
        const bool machine = unit.starts_with("machine-") && unit.ends_with(".scope");
        const bool nspawn = unit.starts_with("systemd-nspawn@") && unit.ends_with(".service");
        if (!inside && is_unit(unit)) out.unit = clean_text(unit);
        if (machine && container.empty()) container = unescape_unit(unit.substr(8, unit.size() - 8 - 6));
        if (nspawn && container.empty()) container = unescape_unit(unit.substr(15, unit.size() - 15 - 8));
        if (container.empty()) continue;
        out.container = clean_text(container);
        inside = true;
    }
    return out;
}

bool in_user_manager(std::string_view path) { return path.find("/user@") != std::string_view::npos; }

Placement parse_placement(std::string_view text) {
    Placement unified, named, other;
    bool has_unified = false;
    bool has_named = false;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        std::string_view path = line.substr(second + 1);  // may hold colons itself
        if (!path.starts_with('/')) continue;
        const bool removed = path.ends_with(" (deleted)");
        if (removed) path.remove_suffix(10);
        if (controllers.empty() && line.substr(0, first) == "0") {
            unified = place(path);
            unified.unified = !removed;
            has_unified = true;
        } else if (controllers == "name=systemd") {
            named = place(path);
            has_named = true;
        } else if (other.container.empty()) {
            other = place(path);
        }
    }
    Placement out = has_unified ? unified : named;
    // On a hybrid host engines that know v1 only leave the unified path at the root.
    const auto complete = [&out](const Placement& from) {
        if (out.unit.empty()) out.unit = from.unit;
        if (out.container.empty()) out.container = from.container;
        if (out.pod.empty()) out.pod = from.pod;
    };
    if (has_named) complete(named);
    complete(other);
    // A path outside the daemon's own cgroup namespace (cgroup_namespaces(7)) cannot be looked up below its mount.
    if (out.cgroup.starts_with("/..")) out.unified = false;
    return out;
}

}  // namespace gotuned
