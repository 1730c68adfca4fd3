// The real daemon under test: build/gotuned with folders of its own, on a loopback port of the kernel's choice, with a
// notification socket that the test reads as systemd would.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "catch.h"
#include "paths.h"

extern char** environ;

namespace gotuned::test {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// A folder that goes away with the test.
struct TempFolder {
    fs::path path;
    TempFolder() {
        std::string name = (fs::temp_directory_path() / "gotuned-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path = name;
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
};

inline void write_text(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }
inline std::string read_text(const fs::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

/// A child process that is ended, by its pid, when the test leaves.
class Child {
public:
    Child() = default;
    Child(const std::vector<std::string>& command, const std::vector<std::string>& environment,
          const std::string& output) {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        std::vector<char*> arguments;
        for (const std::string& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
        arguments.push_back(nullptr);
        std::vector<char*> variables;
        for (char** one = environ; *one != nullptr; ++one) variables.push_back(*one);
        for (const std::string& one : environment) variables.push_back(const_cast<char*>(one.c_str()));
        variables.push_back(nullptr);
        const int failed =
            ::posix_spawn(&pid_, command.front().c_str(), &actions, nullptr, arguments.data(), variables.data());
        posix_spawn_file_actions_destroy(&actions);
        if (failed != 0) throw std::runtime_error("cannot start " + command.front());
    }
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
    Child& operator=(Child&& other) noexcept {
        std::swap(pid_, other.pid_);
        return *this;
    }
    ~Child() { end(SIGKILL); }
    [[nodiscard]] pid_t pid() const { return pid_; }
    void signal(int number) const { ::kill(pid_, number); }
    /// Exit status as the shell has it (128 + signal); −1 when there was no child.
    int end(int number) {
        if (pid_ <= 0) return -1;
        ::kill(pid_, number);
        return wait();
    }
    int wait() {
        int status = 0;
        if (pid_ <= 0 || ::waitpid(pid_, &status, 0) != pid_) return -1;
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

private:
    pid_t pid_ = 0;
};

/// Waits for something to become true: generous, since it bounds only a failure. False when it never did.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::seconds patience = std::chrono::seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return true;
}

/// A command that executes what follows it where files of the kernel are others, in a mount namespace of its own: pairs
/// of what is there and where.
inline std::vector<std::string> with_mounts(const std::vector<std::pair<fs::path, std::string>>& mounts) {
    std::string script;
    for (const auto& [what, where] : mounts) script += "mount --bind '" + what.string() + "' '" + where + "' && ";
    return {"/usr/bin/unshare", "--mount", "/bin/sh", "-c", script + "exec \"$@\"", "sh"};
}

struct CommandResult {
    int status = 0;
    std::string output{};
};
inline CommandResult run_command(const std::string& shell) {
    CommandResult result;
    FILE* pipe = ::popen(shell.c_str(), "r");
    char buffer[4096];
    while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) result.output.append(buffer, got);
    const int status = ::pclose(pipe);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

class DaemonProcess {
public:
    explicit DaemonProcess(const fs::path& folder) : folder_(folder) {
        for (const char* name : {"run", "state", "rules", "packaged", "profiles"})
            fs::create_directories(folder_ / name);
        for (const char* profile : {"observe", "balanced", "latency"})
            fs::copy_file(fs::path(source_folder()) / "config/profiles" / (std::string(profile) + ".yaml"),
                          folder_ / "profiles" / (std::string(profile) + ".yaml"),
                          fs::copy_options::overwrite_existing);
        // The profiles override packaged rules by name, so these must be there.
        for (const auto& file : fs::directory_iterator(fs::path(source_folder()) / "config/rulebook.d"))
            fs::copy_file(file.path(), folder_ / "packaged" / file.path().filename(),
                          fs::copy_options::overwrite_existing);
        notify_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        notify_path_ = (folder_ / "notify").string();
        std::snprintf(address.sun_path, sizeof address.sun_path, "%s", notify_path_.c_str());
        ::unlink(notify_path_.c_str());
        if (::bind(notify_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("bind notify");
    }

    void start(std::vector<std::string> environment = {}, std::vector<std::string> more = {}) {
        environment.push_back("NOTIFY_SOCKET=" + notify_path_);
        std::vector<std::string> command{build_folder() + "/gotuned",
                                         "--config",
                                         (folder_ / "gotuned.yaml").string(),
                                         "--rulebook",
                                         (folder_ / "rules").string(),
                                         "--packaged",
                                         (folder_ / "packaged").string(),
                                         "--profiles",
                                         (folder_ / "profiles").string(),
                                         "--state-dir",
                                         (folder_ / "state").string(),
                                         "--run-dir",
                                         (folder_ / "run").string(),
                                         "--listen",
                                         "127.0.0.1:0",
                                         "--tick",
                                         "500ms"};
        command.insert(command.end(), more.begin(), more.end());
        command.insert(command.begin(), within_.begin(), within_.end());
        child_ = Child(command, environment, (folder_ / "log").string());
    }

    /// From now on the daemon is started by this command, which executes what follows it.
    void within(std::vector<std::string> command) { within_ = std::move(command); }

    /// Notifications are kept; true when one with this text came within the patience.
    bool notified(const std::string& text, std::chrono::seconds patience = std::chrono::seconds(30)) {
        return eventually([&] { return drain().find(text) != std::string::npos; }, patience);
    }
    std::string drain() {
        char buffer[4096];
        for (;;) {
            const ssize_t got = ::recv(notify_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (got <= 0) return notifications_;
            notifications_.append(buffer, static_cast<std::size_t>(got));
            notifications_ += '\n';
        }
    }
    void forget_notifications() {
        drain();
        notifications_.clear();
    }

    [[nodiscard]] CommandResult ctl(const std::string& arguments) const {
        return run_command(build_folder() + "/gotunectl --run-dir '" + (folder_ / "run").string() + "' " + arguments +
                           " 2>&1");
    }
    [[nodiscard]] Json ctl_json(const std::string& arguments) const {
        const auto result = run_command(build_folder() + "/gotunectl --run-dir '" + (folder_ / "run").string() + "' " +
                                        arguments + " --json 2>/dev/null");
        return Json::parse(result.output, nullptr, false);
    }
    [[nodiscard]] std::string metrics() const {
        const Json status = ctl_json("status");
        if (!status.contains("listening")) return {};
        return run_command("curl -s --max-time 10 http://" + status["listening"][0].get<std::string>() + "/metrics")
            .output;
    }
    /// True when the history has an entry with these words.
    [[nodiscard]] bool history_has(const std::string& event, const std::string& rule) const {
        const Json history = ctl_json("history -n 200");
        if (!history.contains("entries")) return false;
        for (const Json& entry : history["entries"])
            if (entry.value("event", "") == event && entry.value("rule", "") == rule) return true;
        return false;
    }
    [[nodiscard]] std::string log() const { return read_text(folder_ / "log"); }
    [[nodiscard]] const fs::path& folder() const { return folder_; }
    Child& child() { return child_; }

private:
    fs::path folder_;
    Fd notify_;
    std::string notify_path_;
    std::string notifications_;
    std::vector<std::string> within_;
    Child child_;
};

}  // namespace gotuned::test
