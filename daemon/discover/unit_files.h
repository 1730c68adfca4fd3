// Reads X-Gotuned= from a unit's files, as systemd finds them (systemd.unit(5)): the fragment and its drop-ins, the
// template's for an instance. Kept and looked at again when a directory or file has changed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gotuned {

/// The last value of `key` in a unit file; keys that begin with X- may stand in any section. False when it is not
/// there. An empty value takes earlier ones back.
bool find_unit_key(std::string_view text, std::string_view key, std::string& value);

class UnitFiles {
public:
    /// `root` is put before the system's directories; empty outside tests.
    explicit UnitFiles(std::string root = {}) : root_(std::move(root)) {}

    /// When and as which file a path was seen.
    struct Seen {
        std::int64_t modified_ns = -1;  ///< -1: not there
        std::uint64_t inode = 0;
        friend bool operator==(const Seen&, const Seen&) = default;
    };
    /// One look at many units: the directories are the same for all of them, and looked at once. By `user`.
    using Look = std::map<bool, std::vector<Seen>>;

    /// X-Gotuned=off. `user`: a unit of a user's manager; only the system's directories are read for it, never a home.
    bool opted_out(const std::string& unit, bool user) {
        Look look;
        return opted_out(unit, user, look);
    }
    bool opted_out(const std::string& unit, bool user, Look& look);

private:
    struct Stamp {
        std::string path{};
        Seen seen{};
    };
    struct Known {
        bool opted_out = false;
        std::vector<Stamp> files{};          ///< what the answer was read from; drop-in directories, too
        std::uint64_t directories_read = 0;  ///< how often the directories had been found changed by then
    };
    /// The directories as they were last seen, and how often they were found to have changed.
    struct Directories {
        std::vector<Seen> seen{};
        std::uint64_t changes = 0;
    };
    static Seen see(const std::string& path);
    [[nodiscard]] std::vector<std::string> directories(bool user) const;
    [[nodiscard]] Known read(const std::string& unit, bool user) const;

    std::string root_;
    std::map<bool, Directories> directories_{};  ///< by `user`
    std::map<std::string, Known> known_{};
};

}  // namespace gotuned
