// A tree of small files in a temporary folder, for readers of /proc, /sys and cgroup: hand root() to Roots.
// It is removed with the object.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace gotuned {

class FakeTree {
public:
    FakeTree() {
        std::string name = (std::filesystem::temp_directory_path() / "gotuned-tree-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
        root_ = name;
    }
    ~FakeTree() {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    FakeTree(const FakeTree&) = delete;
    FakeTree& operator=(const FakeTree&) = delete;

    [[nodiscard]] const std::string& root() const { return root_; }
    [[nodiscard]] std::string path(std::string_view name) const { return root_ + "/" + std::string(name); }
    /// Writes a file; folders on the way are made.
    void write(std::string_view name, std::string_view content) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream file(path(name), std::ios::binary | std::ios::trunc);
        file << content;
        if (!file.flush()) throw std::runtime_error("cannot write " + path(name));
    }
    void directory(std::string_view name) const { std::filesystem::create_directories(path(name)); }
    void link(std::string_view name, std::string_view to) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::filesystem::create_symlink(std::string(to), path(name));
    }
    /// Removes a file, or a folder with all that is in it.
    void remove(std::string_view name) const { std::filesystem::remove_all(path(name)); }

private:
    std::string root_;
};

}  // namespace gotuned
