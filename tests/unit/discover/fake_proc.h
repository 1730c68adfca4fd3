// A PROC, a cgroup mount and systemd's directories in a temporary folder, removed at the end.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/files.h"

namespace gotuned::test {

class FakeTree {
public:
    FakeTree() {
        std::string pattern = (std::filesystem::temp_directory_path() / "gotuned-discover-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
        root_ = pattern;
        std::filesystem::create_directories(root_ / "proc");
        std::filesystem::create_directories(root_ / "cgroup");
    }
    FakeTree(const FakeTree&) = delete;
    FakeTree& operator=(const FakeTree&) = delete;
    ~FakeTree() {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }

    [[nodiscard]] Roots roots() const { return {proc(), root_ / "sys", root_ / "cgroup"}; }
    [[nodiscard]] std::string proc() const { return root_ / "proc"; }
    [[nodiscard]] std::string path(const std::string& name) const { return root_ / name; }
    /// Writes a file below the root, with its directories.
    std::string write(const std::string& name, std::string_view content) const {
        const std::filesystem::path file = root_ / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << content;
        return file;
    }
    void remove(const std::string& name) const { std::filesystem::remove_all(root_ / name); }
    void link(const std::string& name, const std::string& to) const {
        std::filesystem::create_directories((root_ / name).parent_path());
        std::filesystem::remove(root_ / name);
        std::filesystem::create_symlink(to, root_ / name);
    }

    /// A process as a real one looks; tests then change what they are about.
    void process(pid_t pid, const std::string& exe, std::uint64_t start = 100, std::uint64_t stack = 7000) const {
        const std::string at = "proc/" + std::to_string(pid) + "/";
        link(at + "exe", exe);
        link(at + "ns/net", "net:[4026531840]");
        stat(pid, start, stack);
        write(at + "comm", "api\n");
        write(at + "cmdline", std::string_view("/bin/api\0-v\0", 12));
        write(at + "status", "Name:\tapi\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
        write(at + "environ", std::string_view("PATH=/bin\0GOGC=50\0", 18));
        write(at + "cgroup", "0::/system.slice/payments.service\n");
    }
    void stat(pid_t pid, std::uint64_t start, std::uint64_t stack = 7000) const {
        write("proc/" + std::to_string(pid) + "/stat",
              std::to_string(pid) + " (api) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 5 0 " + std::to_string(start) +
                  " 1 2 3 4 5 " + std::to_string(stack) + " 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 1 2 3 4 5 6 7 0\n");
    }
    void vanish(pid_t pid) const { remove("proc/" + std::to_string(pid)); }

private:
    std::filesystem::path root_;
};

}  // namespace gotuned::test
