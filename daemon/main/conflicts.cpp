#include "main/conflicts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include "base/text.h"
#include "observe/sysctl.h"

namespace gotuned {
namespace {

namespace fs = std::filesystem;

/// The first that has a file of some name masks those behind it (sysctl.d(5)).
constexpr std::array directories{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d",
                                 "/lib/sysctl.d"};
constexpr std::string_view sysctl_prefix = "sysctl.";

struct Tuner {
    std::string_view comm, name;
};
constexpr std::array tuners{Tuner{"tuned", "TuneD"}, Tuner{"bpftune", "bpftune"}};

/// In the order in which they are applied.
std::vector<std::string> sysctl_files(const std::string& root) {
    std::map<std::string, std::string> by_name;
    for (const char* directory : directories) {
        std::error_code error;
        for (fs::directory_iterator entry(root + directory, error), end; !error && entry != end; entry.increment(error))
            if (entry->path().extension() == ".conf")
                by_name.try_emplace(entry->path().filename().string(),
                                    std::string(directory) + "/" + entry->path().filename().string());
    }
    std::vector<std::string> files;
    for (auto& [name, path] : by_name) files.push_back(std::move(path));
    files.emplace_back("/etc/sysctl.conf");
    return files;
}

/// Names or patterns that a file sets, as paths below /proc/sys.
std::vector<std::string> names_set(const std::string& text) {
    std::vector<std::string> names;
    for (const std::string_view line : split(text, '\n')) {
        std::string_view name = trim(line.substr(0, line.find('=')));
        if (name.size() == line.size() || name.empty() || name[0] == '#' || name[0] == ';') continue;
        if (name[0] == '-') name.remove_prefix(1);
        if (auto path = sysctl_path(name)) names.push_back(std::move(*path));
    }
    return names;
}

/// Sysctls of enforced rules, with the rule, as paths.
std::map<std::string, std::pair<std::string, std::string>> sysctls_of(const Rulebook& rulebook) {
    std::map<std::string, std::pair<std::string, std::string>> found;
    for (const Rule& rule : rulebook.rules) {
        if (rule.mode != Mode::enforce) continue;
        for (const Adjust& adjust : rule.adjust) {
            if (!adjust.knob.starts_with(sysctl_prefix)) continue;
            const std::string name = adjust.knob.substr(sysctl_prefix.size());
            if (const auto path = sysctl_path(name)) found.try_emplace(*path, name, rule.name);
        }
    }
    return found;
}

void add_files(const Rulebook& rulebook, const std::string& root, std::vector<std::string>& lines) {
    const auto ours = sysctls_of(rulebook);
    if (ours.empty()) return;
    std::map<std::string, std::string> set_by;  // the last file counts
    for (const std::string& file : sysctl_files(root)) {
        const auto text = read_file(root + file);
        if (!text) continue;
        for (const std::string& pattern : names_set(*text))
            for (const auto& [path, rule] : ours)
                if (glob_match(pattern, path)) set_by[path] = file;
    }
    for (const auto& [path, file] : set_by) {
        const auto& [name, rule] = ours.at(path);
        lines.push_back(
            fmt::format("rule {} may set sysctl {}, which {} sets, too: applying that file again (sysctl "
                        "--system) takes the rule's value away",
                        rule, name, clean_text(file)));
    }
}

void add_tuners(const std::string& proc, std::vector<std::string>& lines) {
    std::error_code error;
    for (fs::directory_iterator entry(proc, error), end; !error && entry != end; entry.increment(error)) {
        const std::string pid = entry->path().filename().string();
        if (std::uint64_t number = 0; !parse_u64(pid, number)) continue;
        const auto comm = read_file(entry->path().string() + "/comm", 64);
        if (!comm) continue;
        for (const Tuner& tuner : tuners)
            if (trim(*comm) == tuner.comm)
                lines.push_back(
                    fmt::format("{} is running (pid {}): two that tune one host undo each other's work; "
                                "keep one of them from changing anything",
                                tuner.name, pid));
    }
}

}  // namespace

std::vector<std::string> find_conflicts(const Rulebook& rulebook, const ConflictRoots& roots) {
    std::vector<std::string> lines;
    add_files(rulebook, roots.files, lines);
    add_tuners(roots.proc, lines);
    return lines;
}

}  // namespace gotuned
