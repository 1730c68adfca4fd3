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

    /// X-Gotuned=off. `user`: a unit of a user's manager; only the system's directories are read for it, never a home.
    bool opted_out(const std::string& unit, bool user);

private:
    struct Stamp {
        std::string path{};
        std::int64_t modified_ns = -1;  // -1: not there
        std::uint64_t inode = 0;
    };
    struct Known {
        bool opted_out = false;
        std::vector<Stamp> stamps{};  // what the answer was read from
    };
    static Stamp stamp(const std::string& path);
    [[nodiscard]] Known read(const std::string& unit, bool user) const;

    std::string root_;
    std::map<std::string, Known> known_{};
};

}  // namespace gotuned
