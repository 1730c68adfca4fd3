#include "main/lease.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "base/files.h"
#include "main/undo_command.h"

namespace gotuned {
namespace {

constexpr const char* timer = "gotuned-undo.timer";
constexpr const char* keep_word = "keep";

std::string note_path(const std::string& run_dir) { return run_dir + "/lease"; }
std::string milliseconds(Duration time) {
    return fmt::format("{}ms", std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

/// Runs `systemctl ARGUMENT…` and waits for it. What it has to say goes where our own words go: the journal.
Status systemctl(const LeaseCommand& command, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), command.systemctl);
    std::vector<char*> words;
    for (std::string& word : arguments) words.push_back(word.data());
    words.push_back(nullptr);
    pid_t pid = 0;
    if (const int failed = ::posix_spawnp(&pid, words.front(), nullptr, nullptr, words.data(), environ); failed != 0)
        return fail("cannot run " + command.systemctl, failed);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return fail("cannot wait for " + command.systemctl, errno);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return fail(fmt::format("{} failed", fmt::join(arguments, " ")));
}

/// The drop-in is there only while the time is another than that of the packaged timer, or was.
Status write_drop_in(const LeaseCommand& command, Duration time) {
    const std::string folder = fmt::format("{}/{}.d", command.units, timer);
    const std::string path = folder + "/50-lease.conf";
    const auto before = read_file(path);
    const std::string wanted = lease_drop_in(time);
    if (before && *before == wanted) return {};
    if (!before && time == Settings{}.adjust.lease) return {};
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return fail("cannot make " + folder, error.value());
    if (auto written = replace_file(path, wanted); !written) return written;
    return systemctl(command, {"daemon-reload"});
}

}  // namespace

Status note_lease(const std::string& run_dir, const Settings& settings) {
    const bool keep = settings.adjust.on_stop == Settings::OnStop::keep;
    const std::string wanted = (keep ? keep_word : milliseconds(settings.adjust.lease)) + "\n";
    if (const auto noted = read_file(note_path(run_dir), 64); noted && *noted == wanted) return {};
    return replace_file(note_path(run_dir), wanted, 0600);
}

Lease noted_lease(const std::string& run_dir) {
    const auto note = read_file(note_path(run_dir), 64);
    if (!note) return {};
    std::string_view word = trim(*note);
    if (word == keep_word) return {.keep = true};
    std::uint64_t count = 0;
    if (!word.ends_with("ms") || !parse_u64(word.substr(0, word.size() - 2), count) || count == 0) return {};
    constexpr std::uint64_t day = 86'400'000;
    if (count > day) return {};
    return {.time = std::chrono::milliseconds(count)};
}

std::string lease_drop_in(Duration time) {
    // Empty first: else it would be a second time beside the packaged one.
    return fmt::format("# By gotuned, from adjust.lease in gotuned.yaml.\n[Timer]\nOnActiveSec=\nOnActiveSec={}\n",
                       milliseconds(time));
}

Status start_lease(const LeaseCommand& command) {
    const Lease lease = noted_lease(command.run_dir);
    if (lease.keep) return {};
    if (lease.time) {
        if (const auto written = write_drop_in(command, *lease.time); !written)
            fmt::print(stderr, "gotuned lease: {}; the lease is that of {}\n", to_string(written.error()), timer);
    }
    // restart: a timer that still runs begins anew.
    return systemctl(command, {"restart", timer});
}

int lease_command(const Options& options) {
    ::umask(0022);  // the unit's is for the daemon's own files; drop-ins are for everybody to read
    const auto started = start_lease({.run_dir = options.run_dir});
    if (started) return 0;
    fmt::print(stderr, "gotuned lease: {}; what is changed is put back now\n", to_string(started.error()));
    Options undo = options;
    undo.unless_running = true;
    return undo_command(undo);
}

}  // namespace gotuned
