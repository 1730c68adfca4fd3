#include "rulebook/sources.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include "base/files.h"
#include "rulebook/profiles.h"
#include "rulebook/table.h"

namespace gotuned {
namespace {

void add(Errors& errors, const std::string& path, std::string message, std::string hint = {}) {
    errors.add({{path, 0, 0}, std::move(message), std::move(hint), {}});
}

/// The *.yaml of a directory, sorted by name (byte by byte: 9- stands behind 10-). A missing directory has none.
std::vector<std::string> yaml_files(const std::string& directory, Errors& errors) {
    std::vector<std::string> names;
    if (directory.empty()) return names;
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
    if (!dir) {
        if (errno != ENOENT) add(errors, directory, "cannot read the directory: " + errno_words(errno));
        return names;
    }
    while (const dirent* const entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): our own stream
        const std::string name = entry->d_name;
        if (name.starts_with('.')) continue;
        if (name.ends_with(".yaml")) names.push_back(name);
        if (name.ends_with(".yml"))
            add(errors, directory + "/" + name, "only files that end in .yaml are read", "rename it");
    }
    std::sort(names.begin(), names.end());
    return names;
}

/// A file's text; /dev/null (systemd's way to mask) is empty. A pipe or a device would block the daemon: refused.
std::optional<std::string> read_source(const std::string& path, Errors& errors) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
        add(errors, path, "cannot be read: " + errno_words(errno));
        return std::nullopt;
    }
    struct stat null{};
    if (S_ISCHR(status.st_mode) && ::stat("/dev/null", &null) == 0 && status.st_rdev == null.st_rdev)
        return std::string();
    if (!S_ISREG(status.st_mode)) {
        add(errors, path, "is not a regular file");
        return std::nullopt;
    }
    auto text = read_file(path, yaml_size_limit);
    if (text) return std::move(*text);
    if (text.error().code == EFBIG)
        add(errors, path, "the file is larger than 1 MiB", "a rulebook is written by people");
    else
        add(errors, path, "cannot be read: " + errno_words(text.error().code));
    return std::nullopt;
}

bool blank_text(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

}  // namespace

SourceSet collect_sources(const RulebookSources& sources, Errors& errors) {
    SourceSet set;
    set.profile = sources.profile;
    set.unsafe_bounds = sources.unsafe_bounds;

    // The operator's layer first: it says which packaged files count. A file given by name comes last, and stands for
    // one of the same name in the directory (gotunectl check of a file that is already installed).
    std::vector<std::string> paths;
    std::set<std::string> given;
    for (const std::string& path : sources.files) given.insert(path.substr(path.rfind('/') + 1));
    for (const std::string& name : yaml_files(sources.operators, errors)) {
        if (!given.contains(name)) paths.push_back(sources.operators + "/" + name);
    }
    paths.insert(paths.end(), sources.files.begin(), sources.files.end());
    std::vector<SourceText> own;
    std::set<std::string> names;
    std::vector<std::string> empty;
    for (const std::string& path : paths) {
        std::optional<std::string> text = read_source(path, errors);
        if (!text) continue;
        SourceText source{path, std::move(*text), false};
        names.insert(source.name());
        if (!blank_text(source.text))
            own.push_back(std::move(source));
        else
            empty.push_back(path);
    }
    const std::vector<std::string> packaged = yaml_files(sources.packaged, errors);
    // What a copy onto a full disk leaves: its rules would be gone, and what they hold undone.
    for (const std::string& path : empty) {
        const std::string name = path.substr(path.rfind('/') + 1);
        if (!packaged.empty() && std::find(packaged.begin(), packaged.end(), name) == packaged.end())
            add(errors, path, "the file is empty, and masks no packaged one", "remove it, or write its rules");
    }
    for (const std::string& name : packaged) {
        if (names.contains(name)) {
            set.packaged_whole = false;
            continue;
        }
        const std::string path = sources.packaged + "/" + name;
        if (std::optional<std::string> text = read_source(path, errors))
            set.files.push_back({path, std::move(*text), true});
    }
    if (set.files.empty()) set.packaged_whole = false;  // nothing is installed: a profile has nothing to name
    set.files.insert(set.files.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));

    const std::string profile = sources.profiles + "/" + sources.profile + ".yaml";
    const bool there = is_kebab_case(sources.profile) && ::access(profile.c_str(), F_OK) == 0;
    if (there) {
        if (std::optional<std::string> text = read_source(profile, errors))
            set.profile_file = SourceText{profile, std::move(*text), true};
    } else if (sources.profile != "observe") {  // observe enforces nothing: it needs no file
        add(errors, sources.profiles, fmt::format("there is no profile {}", sources.profile),
            missing_profile(sources.profile, sources.profiles));
    }
    return set;
}

}  // namespace gotuned
