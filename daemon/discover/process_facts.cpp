#include "discover/process_facts.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <memory>

#include "base/cached_stat.h"
#include "base/text.h"
#include "discover/placement.h"

namespace gotuned {
namespace {

constexpr std::size_t max_text = 4096;                // of a command line, of a value
constexpr std::size_t max_environment = 256U << 10U;  // what is behind is not looked at
constexpr std::size_t max_kept = 64;
constexpr std::size_t max_users = 4096;
const std::string namespace_variable = "POD_NAMESPACE";

bool number(std::string_view text, std::uint64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

/// By the local file alone; empty when it has none. passwd(5): lines of NIS begin with + or -.
std::string name_in_passwd(uid_t uid) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/etc/passwd", "re"), std::fclose);
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    while (file && ::fgetpwent_r(file.get(), &entry, buffer.data(), buffer.size(), &found) == 0) {
        const bool local = entry.pw_name[0] != '+' && entry.pw_name[0] != '-';
        if (local && entry.pw_uid == uid) return clean_text(entry.pw_name);
    }
    return {};
}

}  // namespace

bool parse_stat(std::string_view text, ImageMark& out) {
    const std::size_t close = text.rfind(')');
    if (close == std::string_view::npos || close + 2 > text.size()) return false;
    const auto fields = split(trim(text.substr(close + 2)), ' ');  // the first is field 3
    ImageMark mark;
    if (fields.size() < 20 || !number(fields[22 - 3], mark.start_ticks)) return false;
    if (fields.size() > 28 - 3 && !number(fields[28 - 3], mark.stack)) return false;
    if (fields.size() > 48 - 3 && !number(fields[48 - 3], mark.arguments)) return false;
    out = mark;
    return true;
}

bool parse_effective_uid(std::string_view status, uid_t& out) {
    for (std::string_view line : split(status, '\n')) {
        if (!line.starts_with("Uid:")) continue;
        const auto fields = split(line, '\t');
        std::uint64_t uid = 0;
        if (fields.size() < 3 || !number(fields[2], uid) || uid > UINT32_MAX) return false;
        out = static_cast<uid_t>(uid);
        return true;
    }
    return false;
}

std::string join_arguments(std::string_view cmdline) {
    while (cmdline.ends_with('\0')) cmdline.remove_suffix(1);
    std::string joined(cmdline);
    for (char& c : joined) {
        if (c == '\0') c = ' ';
    }
    return clean_text(joined, max_text);
}

std::map<std::string, std::string> keep_environment(std::string_view environ, const std::set<std::string>& names) {
    std::map<std::string, std::string> kept;
    while (!environ.empty() && kept.size() < max_kept) {
        const std::size_t end = std::min(environ.find('\0'), environ.size());
        const std::string_view entry = environ.substr(0, end);
        environ.remove_prefix(std::min(end + 1, environ.size()));
        const std::size_t equals = entry.find('=');
        if (equals == std::string_view::npos || equals == 0) continue;
        const std::string_view name = entry.substr(0, equals);
        if (!name.starts_with("GO") && !names.contains(std::string(name))) continue;
        kept.emplace(clean_text(name), clean_text(entry.substr(equals + 1), max_text));
    }
    return kept;
}

const std::string& UserNames::name(uid_t uid) {
    if (const auto known = known_.find(uid); known != known_.end()) return known->second;
    if (known_.size() >= max_users) known_.clear();
    std::string name = name_in_passwd(uid);
    if (name.empty()) {
        unknown_.push_back(uid);
        name = std::to_string(uid);
    }
    return known_[uid] = std::move(name);
}

std::string ask_user_name(uid_t uid) {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    const bool named = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
    return named ? clean_text(entry.pw_name) : std::string();
}

Result<ProcessReader> ProcessReader::open(const Roots& roots, pid_t pid) {
    const std::string path = roots.proc + "/" + std::to_string(pid);
    Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) return fail("cannot open " + path, errno);
    return ProcessReader(roots, std::move(directory), pid);
}

Result<ImageMark> ProcessReader::mark() const {
    const auto text = read_file_at(directory_.get(), "stat", 4096);
    if (!text) return fail(text.error());
    ImageMark mark;
    if (!parse_stat(*text, mark)) return fail("cannot understand /proc/" + std::to_string(pid_) + "/stat");
    return mark;
}

Result<BinaryKey> ProcessReader::executable() const {
    const auto status = cached_stat(directory_.get(), "exe");
    if (!status) return fail("cannot look at /proc/" + std::to_string(pid_) + "/exe", status.error().code);
    return BinaryKey::of(*status);
}

Result<Fd> ProcessReader::open_executable() const {
    const std::string name = "/proc/" + std::to_string(pid_) + "/exe";
    const auto status = cached_stat(directory_.get(), "exe");
    if (!status) return fail("cannot look at " + name, status.error().code);
    if (!S_ISREG(status->st_mode)) return fail(name + " is no file", EACCES);
    // Without O_NONBLOCK: with it, a file that is leased (fcntl(2); Samba, NFS) could not be opened at all.
    Fd file(::openat(directory_.get(), "exe", O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file.valid()) return fail("cannot open " + name, errno);
    return file;
}

/// The beginning of a file; empty when it cannot be read.
std::string ProcessReader::read_some(const char* name, std::size_t limit) const {
    std::string content;
    const Fd file(::openat(directory_.get(), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid()) return content;
    std::array<char, 16384> buffer;  // NOLINT: filled by read
    while (content.size() < limit) {
        const ssize_t got = ::read(file.get(), buffer.data(), std::min(buffer.size(), limit - content.size()));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        content.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return content;
}

std::string ProcessReader::link(const char* name) const {
    std::array<char, PATH_MAX> buffer;  // NOLINT: filled by readlinkat
    const ssize_t got = ::readlinkat(directory_.get(), name, buffer.data(), buffer.size());
    return got <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(got));
}

std::map<std::string, std::string> ProcessReader::environment(const std::set<std::string>& names) const {
    return keep_environment(read_some("environ", max_environment), names);
}

Result<GoProcess> ProcessReader::read(const BinaryKey& binary, UserNames& users, UnitFiles& units,
                                      const std::set<std::string>& names) const {
    const auto before = mark();
    if (!before) return fail(before.error());
    GoProcess out;
    out.id = {pid_, before->start_ticks, binary.inode};
    std::string exe = link("exe");
    constexpr std::string_view deleted = " (deleted)";
    if (exe.ends_with(deleted)) {
        out.exe_deleted = true;
        exe.resize(exe.size() - deleted.size());
    }
    out.exe = clean_text(exe, max_text);
    std::string comm = read_some("comm", 64);
    if (comm.ends_with('\n')) comm.pop_back();
    out.comm = clean_text(comm);
    out.cmdline = join_arguments(read_some("cmdline", max_text));
    if (!parse_effective_uid(read_some("status", 8192), out.uid)) {
        return fail("cannot understand /proc/" + std::to_string(pid_) + "/status", ESRCH);
    }
    out.user = users.name(out.uid);
    std::set<std::string> wanted = names;
    wanted.emplace(namespace_variable);
    out.environment = environment(wanted);

    const Placement placement = parse_placement(read_some("cgroup", 64U << 10U));
    out.cgroup = placement.cgroup;
    out.unit = placement.unit;
    // Kubernetes tells a container its namespace only if the pod's author asked for it, by custom under this name.
    if (const auto name = out.environment.find(namespace_variable); name != out.environment.end()) {
        if (!placement.pod.empty()) out.namespace_name = name->second;
        if (!names.contains(name->first)) out.environment.erase(name);
    }
    out.container = placement.container;
    out.pod = placement.pod;
    struct stat status{};
    if (placement.unified && !roots_->cgroup2.empty() && ::stat((roots_->cgroup2 + out.cgroup).c_str(), &status) == 0) {
        out.cgroup_inode = status.st_ino;
    }
    // "net:[4026531840]": the number is the inode (namespaces(7)).
    const std::string netns = link("ns/net");
    if (netns.starts_with("net:[") && netns.ends_with("]")) {
        std::uint64_t inode = 0;
        if (number(std::string_view(netns).substr(5, netns.size() - 6), inode)) out.netns = inode;
    }
    if (const auto name = out.environment.find("GOTUNED"); name != out.environment.end() && name->second == "off") {
        out.opted_out = true;
        out.opt_out_source = "environment";
    } else if (!out.unit.empty() && units.opted_out(out.unit, in_user_manager(out.cgroup))) {
        out.opted_out = true;
        out.opt_out_source = "unit";
    }

    // Gone, or another image, while we read: what was read may be of both.
    const auto after = mark();
    if (!after) return fail(after.error());
    const auto same = executable();
    if (!same) return fail(same.error());
    if (*after != *before || *same != binary)
        return fail("process " + std::to_string(pid_) + " changed while it was read", EAGAIN);
    return out;
}

}  // namespace gotuned
