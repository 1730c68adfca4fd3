// A PROC, a cgroup mount and systemd's directories in a temporary folder, removed at the end.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/files.h"
#include "fake_tree.h"

namespace gotuned::test {

using namespace std::string_view_literals;

class FakeProc : public FakeTree {
public:
    FakeProc() {
        directory("proc");
        directory("cgroup");
    }

    [[nodiscard]] Roots roots() const { return {path("proc"), path("sys"), path("cgroup")}; }
    /// Writes a file below the root, with its directories; its path.
    std::string write(const std::string& name, std::string_view content) const {
        FakeTree::write(name, content);
        return path(name);
    }
    /// Makes or replaces a symbolic link.
    void link(const std::string& name, const std::string& to) const {
        remove(name);
        FakeTree::link(name, to);
    }

    /// A process as a real one looks; tests then change what they are about.
    void process(pid_t pid, const std::string& exe, std::uint64_t start = 100, std::uint64_t stack = 7000) const {
        const std::string at = "proc/" + std::to_string(pid) + "/";
        link(at + "exe", exe);
        link(at + "ns/net", "net:[4026531840]");
        stat(pid, start, stack);
        write(at + "comm", "api\n");
        write(at + "cmdline", "/bin/api\0-v\0"sv);
        write(at + "status", "Name:\tapi\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
        write(at + "environ", "PATH=/bin\0GOGC=50\0"sv);
        write(at + "cgroup", "0::/system.slice/payments.service\n");
    }
    void stat(pid_t pid, std::uint64_t start, std::uint64_t stack = 7000) const {
        write("proc/" + std::to_string(pid) + "/stat",
              std::to_string(pid) + " (api) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 5 0 " + std::to_string(start) +
                  " 1 2 3 4 5 " + std::to_string(stack) + " 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 1 2 3 4 5 6 7 0\n");
    }
    void vanish(pid_t pid) const { remove("proc/" + std::to_string(pid)); }
};

}  // namespace gotuned::test
