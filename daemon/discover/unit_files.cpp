#include "discover/unit_files.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>

#include "base/files.h"
#include "base/text.h"

namespace gotuned {
namespace {

constexpr std::size_t max_known = 4096;

// systemd's order, the first found wins (systemd.unit(5), "Unit File Load Path").
constexpr std::array<std::string_view, 12> system_directories{
    "/etc/systemd/system.control",  "/run/systemd/system.control", "/run/systemd/transient",
    "/run/systemd/generator.early", "/etc/systemd/system",         "/etc/systemd/system.attached",
    "/run/systemd/system",          "/run/systemd/generator",      "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",      "/lib/systemd/system",         "/run/systemd/generator.late"};
constexpr std::array<std::string_view, 4> user_directories{"/etc/systemd/user", "/run/systemd/user",
                                                           "/usr/local/lib/systemd/user", "/usr/lib/systemd/user"};

/// "a-b@c.service" is also configured as "a-b@.service"; both by "service.d", "a-.service.d" too.
std::vector<std::string> drop_in_names(const std::string& unit) {
    const std::size_t dot = unit.rfind('.');
    const std::string type = unit.substr(dot + 1);
    std::vector<std::string> names{type};
    const std::size_t at = unit.find('@');
    const std::string prefix = unit.substr(0, std::min(at, dot));
    for (std::size_t dash = prefix.find('-'); dash != std::string::npos; dash = prefix.find('-', dash + 1)) {
        names.push_back(prefix.substr(0, dash + 1) + (at == std::string::npos ? "" : "@") + "." + type);
    }
    if (at != std::string::npos) names.push_back(prefix + "@." + type);
    names.push_back(unit);
    return names;
}

std::vector<std::string> conf_files(const std::string& directory) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
    if (!open) return names;
    while (const dirent* entry = ::readdir(open.get())) {
        if (std::string_view(entry->d_name).ends_with(".conf")) names.emplace_back(entry->d_name);
    }
    return names;
}

}  // namespace

bool find_unit_key(std::string_view text, std::string_view key, std::string& value) {
    bool found = false;
    bool continued = false;  // inside another key's value
    for (const std::string_view raw : split(text, '\n')) {
        const std::string_view line = trim(raw);
        const bool comment = line.starts_with('#') || line.starts_with(';');
        const bool continues = !comment && line.ends_with('\\');
        if (comment) continue;  // also between continued lines (systemd.syntax(7))
        if (!std::exchange(continued, continues) && line.starts_with(key)) {
            const std::string_view rest = trim(line.substr(key.size()));
            if (!rest.starts_with('=')) continue;
            value = trim(rest.substr(1));
            found = true;
        }
    }
    return found;
}

UnitFiles::Seen UnitFiles::see(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return {};
    return {std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec, status.st_ino};
}

std::vector<std::string> UnitFiles::directories(bool user) const {
    std::vector<std::string> out;
    const auto add = [&](std::string_view directory) { out.push_back(root_ + std::string(directory)); };
    if (user)
        std::ranges::for_each(user_directories, add);
    else
        std::ranges::for_each(system_directories, add);
    return out;
}

UnitFiles::Known UnitFiles::read(const std::string& unit, bool user) const {
    Known known;
    std::string value;
    const auto consult = [&](const std::string& path) {
        known.files.push_back({path, see(path)});
        if (const auto text = read_file(path)) {
            std::string here;
            if (find_unit_key(*text, "X-Gotuned", here)) value = here;
        }
    };
    const std::vector<std::string> folders = directories(user);
    const std::vector<std::string> names = drop_in_names(unit);
    std::vector<std::string> fragments{unit};
    if (names.size() >= 2 && names[names.size() - 2].find("@.") != std::string::npos)
        fragments.push_back(names[names.size() - 2]);
    bool have_fragment = false;
    for (auto name = fragments.begin(); name != fragments.end() && !have_fragment; ++name) {
        for (const std::string& folder : folders) {
            const std::string path = folder + "/" + *name;
            if (see(path) == Seen{}) continue;
            consult(path);
            have_fragment = true;
            break;
        }
    }
    // A drop-in of the more specific name, then of the directory that comes first, hides those of the same file name.
    std::map<std::string, std::string> drop_ins;
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
        for (const std::string& folder : folders) {
            const std::string path = folder + "/" + *name + ".d";
            const Seen here = see(path);
            if (here == Seen{}) continue;
            known.files.push_back({path, here});
            for (const std::string& file : conf_files(path)) drop_ins.emplace(file, path + "/" + file);
        }
    }
    for (const auto& [name, path] : drop_ins) consult(path);
    known.files.shrink_to_fit();
    known.opted_out = value == "off";
    return known;
}

bool UnitFiles::opted_out(const std::string& unit, bool user, Look& look) {
    if (unit.rfind('.') == std::string::npos || unit.find('/') != std::string::npos) return false;
    // A directory's stamp changes with each entry that comes or goes. Seen before the files are read: what changes
    // meanwhile is found at the next look.
    const auto [now, fresh] = look.try_emplace(user);
    if (fresh) std::ranges::transform(directories(user), std::back_inserter(now->second), see);
    Directories& directories = directories_[user];
    if (directories.seen != now->second) {
        directories.seen = now->second;
        ++directories.changes;
    }
    const std::string key = (user ? "user:" : "system:") + unit;
    if (const auto found = known_.find(key); found != known_.end()) {
        const Known& known = found->second;
        if (known.directories_read == directories.changes &&
            std::ranges::all_of(known.files, [](const Stamp& old) { return old.seen == see(old.path); }))
            return known.opted_out;
    }
    if (known_.size() >= max_known) known_.clear();
    Known& known = known_[key] = read(unit, user);
    known.directories_read = directories.changes;
    return known.opted_out;
}

}  // namespace gotuned
