#include "rules.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string_view>

namespace gotuned::house {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_lines = 500;

/// Rooms that each room may include, besides itself.
const std::map<std::string, std::set<std::string>, std::less<>>& layers() {
    static const std::map<std::string, std::set<std::string>, std::less<>> rooms{
        {"base", {}},
        {"discover", {"base"}},
        {"probe", {"base", "bpf"}},
        {"observe", {"base", "discover", "probe"}},
        {"rulebook", {"base", "discover", "observe"}},
        {"tune", {"base", "discover", "observe", "rulebook"}},
        {"export", {"base", "discover", "probe", "observe", "rulebook", "tune"}},
        {"ctl", {"base", "rulebook"}},
        {"main", {"base", "bpf", "discover", "probe", "observe", "rulebook", "tune", "export"}},
    };
    return rooms;
}

struct HeavyLibrary {
    std::string_view prefix;
    std::set<std::string, std::less<>> rooms;
};
const std::vector<HeavyLibrary>& heavy_libraries() {
    static const std::vector<HeavyLibrary> libraries{
        {"yaml-cpp/", {"rulebook"}},
        {"CLI/", {"ctl", "main"}},
        {"nlohmann/", {"observe", "export", "ctl", "main"}},
    };
    return libraries;
}

bool is_header(const fs::path& file) { return file.extension() == ".h" || file.extension() == ".hpp"; }

std::vector<fs::path> files_below(const fs::path& folder, const std::set<std::string>& extensions) {
    std::vector<fs::path> files;
    if (!fs::exists(folder)) return files;
    for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator(); ++entry) {
        if (entry->is_directory() && entry->path().filename().string().starts_with(".")) {
            entry.disable_recursion_pending();
        } else if (entry->is_regular_file() && extensions.contains(entry->path().extension().string())) {
            files.push_back(entry->path());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

struct Include {
    fs::path file;
    std::size_t line = 0;
    std::string room;  ///< of the file: "main" for daemon/main.cpp
    std::string name;
    bool quoted = false;
    std::string place{};  ///< "daemon/base/x.h:12"
};

void each_include(const fs::path& root, const std::function<void(const Include&)>& visit) {
    for (const fs::path& file : files_below(root / "daemon", {".h", ".hpp", ".cpp"})) {
        const fs::path below = file.lexically_relative(root / "daemon");
        const std::string room = below.has_parent_path() ? below.begin()->string() : "main";
        std::ifstream input(file);
        std::string text;
        for (std::size_t number = 1; std::getline(input, text); ++number) {
            const std::size_t hash = text.find_first_not_of(" \t");
            if (hash == std::string::npos || text[hash] != '#') continue;
            const std::size_t word = text.find_first_not_of(" \t", hash + 1);
            if (word == std::string::npos || text.compare(word, 7, "include") != 0) continue;
            const std::size_t open = text.find_first_of("\"<", word + 7);
            if (open == std::string::npos) continue;
            const std::size_t close = text.find_first_of("\">", open + 1);
            if (close == std::string::npos) continue;
            const std::string place = file.lexically_relative(root).string() + ":" + std::to_string(number);
            visit(Include{file, number, room, text.substr(open + 1, close - open - 1), text[open] == '"', place});
        }
    }
}

}  // namespace

std::vector<std::string> includes_against_the_layers(const fs::path& root) {
    std::vector<std::string> wrong;
    each_include(root, [&wrong, &root](const Include& include) {
        const auto room = layers().find(include.room);
        if (room == layers().end()) {
            wrong.push_back(include.place + ": daemon/" + include.room + " is no room of the house");
            return;
        }
        if (!include.quoted) return;
        if (include.name.ends_with(".skel.h")) {  // generated from bpf/
            if (include.room != "probe") wrong.push_back(include.place + ": only probe loads BPF programs");
            return;
        }
        const fs::path name(include.name);
        const std::string other = name.begin()->string();
        if (!name.has_parent_path() || (other != "bpf" && !layers().contains(other))) {
            wrong.push_back(include.place + ": \"" + include.name + "\" is not written from daemon/");
        } else if (other != include.room && !room->second.contains(other)) {
            wrong.push_back(include.place + ": " + include.room + " may not include " + include.name);
        } else if (!fs::exists(other == "bpf" ? root / name : root / "daemon" / name)) {
            wrong.push_back(include.place + ": there is no " + include.name);
        }
    });
    return wrong;
}

std::vector<std::string> heavy_includes(const fs::path& root) {
    std::vector<std::string> wrong;
    each_include(root, [&wrong](const Include& include) {
        for (const HeavyLibrary& library : heavy_libraries()) {
            if (!include.name.starts_with(library.prefix)) continue;
            if (is_header(include.file)) wrong.push_back(include.place + ": a header may not include " + include.name);
            if (!library.rooms.contains(include.room))
                wrong.push_back(include.place + ": " + include.room + " may not include " + include.name);
        }
    });
    return wrong;
}

std::vector<std::string> long_files(const fs::path& root) {
    std::vector<std::string> wrong;
    for (const char* folder : {"daemon", "bpf", "tests", "scripts"}) {
        for (const fs::path& file : files_below(root / folder, {".h", ".hpp", ".cpp", ".c", ".go", ".sh", ".py"})) {
            std::ifstream input(file);
            const auto lines = static_cast<std::size_t>(
                std::count(std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>(), '\n'));
            if (lines > most_lines)
                wrong.push_back(file.lexically_relative(root).string() + ": " + std::to_string(lines) + " lines");
        }
    }
    return wrong;
}

}  // namespace gotuned::house
