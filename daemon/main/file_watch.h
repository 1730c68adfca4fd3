// Tells when the files of the rulebook may have changed: inotify on the layers' directories, on the directories that
// hold them (so that one created later is seen), and on what symlinks lead to (a Kubernetes ConfigMap swaps one).
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"

namespace gotuned {

class FileWatch {
public:
    /// Errors: inotify is not to be had (EMFILE: fs.inotify.max_user_instances).
    static Result<FileWatch> open(std::vector<std::string> directories);
    /// For the loop: readable when something happened; then call changed().
    [[nodiscard]] int fd() const { return inotify_.get(); }
    /// Drains the events and watches anew what appeared. True when one of them may concern the rulebook.
    bool changed();

private:
    FileWatch(Fd inotify, std::vector<std::string> directories)
        : inotify_(std::move(inotify)), directories_(std::move(directories)) {}
    void watch_all();
    Fd inotify_;
    std::vector<std::string> directories_;
};

}  // namespace gotuned
