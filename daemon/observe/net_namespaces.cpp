#include "observe/net_namespaces.h"

#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/text.h"
#include "observe/held_directory.h"
#include "observe/keyed.h"

namespace gotuned {
namespace {

std::vector<std::string_view> words(std::string_view line) {
    std::vector<std::string_view> out;
    for (const std::string_view word : split(line, ' '))
        if (!word.empty()) out.push_back(word);
    return out;
}

Reading<std::uint64_t> read_dropped(const std::string& proc, pid_t pid) {
    const std::string folder = proc + "/" + std::to_string(pid) + "/net/";
    const auto four = read_file(folder + "snmp");
    if (!four) return absent_of(four.error());
    auto dropped = parse_udp_rcvbuf_errors(*four);
    if (!dropped) return dropped;
    const auto six = read_file(folder + "snmp6");  // not there without IPv6
    const auto more = six ? keyed_number(*six, "Udp6RcvbufErrors") : Reading<std::uint64_t>(std::uint64_t{0});
    return *dropped + (more ? *more : 0);
}

}  // namespace

Reading<std::uint64_t> parse_udp_rcvbuf_errors(std::string_view snmp) {
    std::vector<std::string_view> names;
    for (const std::string_view line : split(snmp, '\n')) {
        if (!line.starts_with("Udp:")) continue;
        const auto fields = words(line);
        if (names.empty()) {
            names = fields;
            continue;
        }
        for (std::size_t i = 0; i < names.size() && i < fields.size(); ++i) {
            if (names[i] != "RcvbufErrors") continue;
            std::uint64_t dropped = 0;
            if (!parse_u64(fields[i], dropped)) return Absence::malformed;
            return dropped;
        }
        return Absence::not_supported;
    }
    return names.empty() ? Absence::not_supported : Absence::malformed;
}

Reading<std::uint64_t> NetNamespaces::of(pid_t pid) const {
    const std::string path = roots_.proc + "/" + std::to_string(pid) + "/ns/net";
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return absent_of(Error{"cannot look at " + path, {}, errno, {}});
    return static_cast<std::uint64_t>(status.st_ino);
}

SignalReading NetNamespaces::udp_rcvbuf_errors(std::uint64_t inode, pid_t pid, MonoTime now) {
    Space& space = spaces_[inode];
    space.in_use = true;
    if (space.read && space.read_at == now) return space.last;
    const auto dropped = read_dropped(roots_.proc, pid);
    // Through a process that ended just now nothing can be seen: the next one that asks may have more luck.
    if (!dropped) return {dropped.absent(), {}};
    space.last = space.dropped.signal(dropped, now, unit::per_second);
    space.read = true;
    space.read_at = now;
    return space.last;
}

void NetNamespaces::end_tick() {
    std::erase_if(spaces_, [](const auto& entry) { return !entry.second.in_use; });
    for (auto& [inode, space] : spaces_) space.in_use = false;
}

}  // namespace gotuned
