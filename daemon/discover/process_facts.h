// Reads what PROC tells of one process. All reads go through one open PROC/PID directory, so facts of two processes
// that had the pid one after the other are never mixed. Used by ProcessTable.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "base/result.h"
#include "discover/binary_cache.h"
#include "discover/go_process.h"
#include "discover/unit_files.h"

namespace gotuned {

/// What tells one life of a pid from another, and one image of it from the next: exec(2) keeps pid and start time, but
/// places stack and arguments anew.
struct ImageMark {
    std::uint64_t start_ticks = 0;  ///< field 22 of /proc/PID/stat
    std::uint64_t stack = 0;        ///< field 28; 0 when the kernel does not show it
    std::uint64_t arguments = 0;    ///< field 48; 0 when the kernel does not show it
    friend bool operator==(const ImageMark&, const ImageMark&) = default;
};

/// PROC/PID/stat. The command in it may hold anything, also ") R 1 (".
bool parse_stat(std::string_view text, ImageMark& out);
/// Effective uid, the second of "Uid:" in PROC/PID/status.
bool parse_effective_uid(std::string_view status, uid_t& out);
/// Arguments joined by spaces, valid UTF-8 without control characters, at most 4 KiB.
std::string join_arguments(std::string_view cmdline);
/// GO*, GOTUNED* and `names`; the first of equal names counts, as for getenv(3). At most 64 values of at most 4 KiB.
std::map<std::string, std::string> keep_environment(std::string_view environ, const std::set<std::string>& names);

/// Names of uids, asked once each. What /etc/passwd does not name, others may (LDAP, systemd's dynamic users), but to
/// ask them can take long: who has unknown() asked tells the answer by learn().
class UserNames {
public:
    /// The uid's number as long as it has no name.
    const std::string& name(uid_t uid);
    /// Uids that became known by number alone since the last call.
    std::vector<uid_t> unknown() { return std::exchange(unknown_, {}); }
    void learn(uid_t uid, const std::string& name) { known_[uid] = name; }

private:
    std::map<uid_t, std::string> known_{};
    std::vector<uid_t> unknown_{};
};
/// The name by all sources of nsswitch.conf(5); empty when none has one. May block.
std::string ask_user_name(uid_t uid);

/// One process while it is being read. Errors: ESRCH or ENOENT when it is gone.
class ProcessReader {
public:
    static Result<ProcessReader> open(const Roots& roots, pid_t pid);

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] Result<ImageMark> mark() const;
    /// What it executes, without opening it. ENOENT: a kernel thread, a zombie, or gone.
    [[nodiscard]] Result<BinaryKey> executable() const;
    /// Opens what it executes for reading. Waits for its file system: not on the loop.
    [[nodiscard]] Result<Fd> open_executable() const;
    [[nodiscard]] std::map<std::string, std::string> environment(const std::set<std::string>& names) const;
    /// All of GoProcess but `build`. Single facts that cannot be read stay empty; it fails when the process is gone,
    /// and with EAGAIN when it does not execute `binary`, or started to execute something else meanwhile.
    [[nodiscard]] Result<GoProcess> read(const BinaryKey& binary, UserNames& users, UnitFiles& units,
                                         const std::set<std::string>& names) const;

private:
    ProcessReader(const Roots& roots, Fd directory, pid_t pid)
        : roots_(&roots), directory_(std::move(directory)), pid_(pid) {}
    [[nodiscard]] std::string read_some(const char* name, std::size_t limit) const;
    [[nodiscard]] std::string link(const char* name) const;

    const Roots* roots_;
    Fd directory_;
    pid_t pid_;
};

}  // namespace gotuned
