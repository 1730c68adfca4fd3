// last-good: a directory with copies of the files that made the running rulebook and a manifest that says how they
// belong together. It changes by one rename, so a crash leaves the old one or the new one.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/fd.h"
#include "base/files.h"
#include "base/text.h"
#include "rulebook/loader.h"
#include "rulebook/sources.h"

namespace gotuned {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view manifest_head = "gotuned last-good 1";

/// One line of the manifest: what a copy is. Paths hold no newline (collect_sources() finds them, but an operator may
/// name anything): such a file is not saved.
std::string manifest_line(std::string_view kind, std::size_t number, const std::string& path) {
    return fmt::format("{} {} {}\n", kind, number, path);
}

Status sync_directory(const std::string& path) {
    const Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid() || ::fsync(directory.get()) != 0) return fail("cannot sync " + path, errno);
    return {};
}

Status write_copies(const SourceSet& set, const std::string& sha256, const std::string& directory) {
    std::string manifest = fmt::format("{}\nsha256 {}\nprofile {}\nunsafe {}\n", manifest_head, sha256, set.profile,
                                       set.unsafe_bounds ? 1 : 0);
    std::size_t number = 0;
    const auto copy = [&](const SourceText& source, std::string_view kind) -> Status {
        if (source.path.find('\n') != std::string::npos) return fail("cannot save a file whose name has a line break");
        manifest += manifest_line(kind, number, source.path);
        return replace_file(fmt::format("{}/{}", directory, number++), source.text);
    };
    for (const SourceText& source : set.files) {
        if (Status status = copy(source, source.packaged ? "packaged" : "operator"); !status) return status;
    }
    if (set.profile_file) {
        if (Status status = copy(*set.profile_file, "profile-file"); !status) return status;
    }
    if (Status status = replace_file(directory + "/manifest", manifest); !status) return status;
    return sync_directory(directory);
}

Diagnostics unusable(const std::string& path, std::string why) {
    return {{{path, 0, 0}, "last-good cannot be used: " + std::move(why), {}, {}}};
}

}  // namespace

Status save_last_good(const RulebookSources& sources, const Rulebook& rulebook, const std::string& directory) {
    Errors errors;
    const SourceSet set = collect_sources(sources, errors);
    if (!errors.none() || sha256_of(set) != rulebook.sha256) {
        return fail("the rulebook's files changed since they were loaded", 0, {}, "reload to take the change in");
    }
    std::error_code error;
    const std::string fresh = directory + ".new";
    const std::string old = directory + ".old";
    fs::remove_all(fresh, error);
    fs::create_directories(fresh, error);
    if (error) return fail("cannot make " + fresh, error.value());
    if (Status status = write_copies(set, rulebook.sha256, fresh); !status) {
        fs::remove_all(fresh, error);
        return status;
    }
    // Exchanging needs no moment without either; where the file system cannot, there is one, and .old bridges it.
    if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, directory.c_str(), RENAME_EXCHANGE) != 0) {
        fs::remove_all(old, error);
        if (::rename(directory.c_str(), old.c_str()) != 0 && errno != ENOENT)
            return fail("cannot move " + directory, errno);
        if (::rename(fresh.c_str(), directory.c_str()) != 0) return fail("cannot move " + fresh, errno);
    }
    fs::remove_all(fresh, error);
    fs::remove_all(old, error);
    return sync_directory(fs::path(directory).parent_path().empty() ? "." : fs::path(directory).parent_path().string());
}

tl::expected<RulebookPtr, Diagnostics> load_last_good(const std::string& directory) {
    std::string from = directory;
    auto manifest = read_file(from + "/manifest");
    if (!manifest) {
        from = directory + ".old";
        manifest = read_file(from + "/manifest");
    }
    if (!manifest) return tl::unexpected(unusable(directory, errno_words(manifest.error().code)));

    SourceSet set;
    set.packaged_whole = false;  // judged when it was loaded
    std::string sha256;
    const auto lines = split(*manifest, '\n');
    if (lines.front() != manifest_head) return tl::unexpected(unusable(from, "its manifest is of another version"));
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const std::string_view line = lines[i];
        if (line.empty()) continue;
        const std::size_t first = line.find(' ');
        const std::string_view word = line.substr(0, first);
        const std::string_view rest = first == std::string_view::npos ? std::string_view() : line.substr(first + 1);
        if (word == "sha256") {
            sha256 = rest;
        } else if (word == "profile") {
            set.profile = rest;
        } else if (word == "unsafe") {
            set.unsafe_bounds = rest == "1";
        } else if (word == "packaged" || word == "operator" || word == "profile-file") {
            const std::size_t second = rest.find(' ');
            std::uint64_t number = 0;
            if (second == std::string_view::npos || !parse_u64(rest.substr(0, second), number)) {
                return tl::unexpected(unusable(from, "its manifest is damaged"));
            }
            auto text = read_file(fmt::format("{}/{}", from, number), yaml_size_limit);
            if (!text) return tl::unexpected(unusable(from, to_string(text.error())));
            SourceText source{std::string(rest.substr(second + 1)), std::move(*text), word != "operator"};
            if (word == "profile-file")
                set.profile_file = std::move(source);
            else
                set.files.push_back(std::move(source));
        } else {
            return tl::unexpected(unusable(from, "its manifest is damaged"));
        }
    }
    if (sha256_of(set) != sha256) return tl::unexpected(unusable(from, "its files do not match its manifest"));
    return compile_rulebook(set);
}

}  // namespace gotuned
