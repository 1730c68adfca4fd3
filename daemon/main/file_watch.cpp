#include "main/file_watch.h"

#include <cerrno>
#include <filesystem>
#include <string_view>

#include "base/inotify.h"

namespace gotuned {

Result<FileWatch> FileWatch::open(std::vector<std::string> directories) {
    Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify.valid())
        return fail("cannot watch the rulebook's files", errno, {}, "reload by hand: gotunectl reload");
    FileWatch watch(std::move(inotify), std::move(directories));
    watch.watch_all();
    return watch;
}

void FileWatch::watch_all() {
    constexpr std::uint32_t what = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                   IN_DELETE_SELF | IN_MOVE_SELF;
    for (const std::string& directory : directories_) {
        // Adding a watch again is not an error and gives the same descriptor; a directory that is not there yet is
        // noticed through the one that will hold it.
        const std::filesystem::path path(directory);
        (void)::inotify_add_watch(inotify_.get(), directory.c_str(), what | IN_ONLYDIR);
        if (path.has_parent_path())
            (void)::inotify_add_watch(inotify_.get(), path.parent_path().c_str(), what | IN_ONLYDIR);
        std::error_code error;
        const std::filesystem::path real = std::filesystem::canonical(path, error);
        if (!error && real != path && real.has_parent_path())
            (void)::inotify_add_watch(inotify_.get(), real.parent_path().c_str(), what | IN_ONLYDIR);
    }
}

bool FileWatch::changed() {
    bool concerned = false;
    drain_inotify(inotify_, [&](const inotify_event& event, std::string_view name) {
        if (event.mask & IN_Q_OVERFLOW) concerned = true;
        // Editors' own files are no news; a directory or symlink (ConfigMap's ..data) is.
        if (name.empty() || name.ends_with(".yaml") || name.starts_with("..")) concerned = true;
        for (const std::string& directory : directories_)
            if (std::filesystem::path(directory).filename() == std::filesystem::path(name)) concerned = true;
    });
    if (concerned) watch_all();
    return concerned;
}

}  // namespace gotuned
