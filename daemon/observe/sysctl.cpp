#include "observe/sysctl.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "observe/held_directory.h"

namespace gotuned {

Result<std::string> sysctl_path(std::string_view name) {
    const auto refuse = [name](const char* why) {
        return fail("\"" + clean_text(name) + "\" is no sysctl name: " + why, 0, {},
                    "write it like net.core.somaxconn");
    };
    if (name.empty()) return refuse("it is empty");
    if (name.size() > 512) return refuse("it is too long");
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7F; }))
        return refuse("it has blanks or characters that are not printable");
    std::string path(name);
    const std::size_t separator = path.find_first_of("./");
    if (separator != std::string::npos && path[separator] == '.') {
        for (char& c : path) {
            if (c == '.') {
                c = '/';
            } else if (c == '/') {
                c = '.';
            }
        }
    }
    for (const std::string_view part : split(path, '/')) {
        if (part.empty()) return refuse("a part of it is empty");
        if (part == "." || part == "..") return refuse("it leads out of the sysctl tree");
    }
    return path;
}

Reading<std::string> read_sysctl(const Roots& roots, std::string_view name) {
    const auto path = sysctl_path(name);
    if (!path) return Absent{Absence::not_supported, path.error().what};
    const auto content = read_file(roots.proc + "/sys/" + *path);
    if (content) return std::string(trim(*content));
    if (content.error().code == ENOENT)
        return Absent{Absence::not_supported, "this host has no sysctl " + std::string(name)};
    return absent_of(content.error());
}

}  // namespace gotuned
