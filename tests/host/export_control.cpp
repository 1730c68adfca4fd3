// gotunectl and the control socket speak to each other: the real program, a real socket, real credentials; only what
// is behind the socket is made up.
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "catch.h"
#include "export/control_server.h"
#include "export/json.h"
#include "paths.h"
#include "tests/unit/export/loop.h"

extern char** environ;

using namespace gotuned;
using namespace gotuned::test;
namespace fs = std::filesystem;

namespace {

constexpr unsigned nobody = 65534;

struct FakeControl final : Control {
    std::string asked;
    std::string state = "undone";
    LiveAdjustment live;

    FakeControl() {
        live.id = 17;
        live.rule = "raise-nofile";
        live.knob = "rlimit.nofile";
        live.original = count(1024);
        live.set = count(65536);
    }
    void say(const std::string& what) { asked += what + ";"; }
    static std::string name(const TargetId& target) { return "the " + to_string(target); }

    void status(Reply reply) override {
        say("status");
        StatusInput input;
        input.version = "test";
        input.profile = "observe";
        input.adjustments = {live};
        reply(status_json(input, name));
    }
    void signals(const std::string& target, Reply reply) override {
        say("signals " + target);
        if (target.empty()) return reply(signal_catalogue_json());
        reply(fail("no target " + target, 0, {}, "did you mean payments?"));
    }
    void plan(const std::string& rulebook, Reply reply) override {
        say("plan " + rulebook);
        PlanItem item;
        item.rule = "raise-nofile";
        item.knob = "rlimit.nofile";
        item.mode = Mode::enforce;
        reply(plan_json({item}, "abc", "balanced", name));
    }
    void explain(const std::string& rule, const std::string& target, Reply) override {
        say("explain " + rule + " " + target);
    }
    void history(unsigned limit, const std::string& rule, const std::string& target, Reply reply) override {
        say("history " + std::to_string(limit) + " " + rule + " " + target);
        HistoryEntry entry;
        entry.event = "applied";
        entry.reason = "bad\xff\x1b[2J\nreason";
        reply(history_json({entry}));
    }
    void undo(long long id, bool all, bool force, const Peer& peer, Reply reply) override {
        say("undo " + std::to_string(id) + (all ? " all" : "") + (force ? " force" : "") + " by " + peer.name);
        if (!all && id != 17) return reply(undo_json({}));
        UndoOutcome outcome;
        outcome.id = 17;
        outcome.state = *parse_adjustment_state(state);
        reply(undo_json({outcome}));
    }
    void reload(const Peer&, Reply reply) override {
        reply(fail("refused\na.yaml:3:7: unknown key wehn\n  wehn: x\n  ^"));
    }
    void pause(const Peer&, Reply reply) override { reply(done_json("paused")); }
    void resume(const std::string& rule, const std::string& target, const Peer&, Reply reply) override {
        say("resume " + rule + " " + target);
        reply(done_json("resumed"));
    }
    void profile(const std::string& profile_name, const Peer&, Reply reply) override {
        say("profile " + profile_name);
        Rulebook rulebook;
        rulebook.profile = profile_name;
        reply(loaded_json(rulebook));
    }
};

struct Ran {
    int status = 0;
    std::string out, error;
};

std::string read_whole(const fs::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

struct Served {
    TemporaryFolder folder;
    Loop loop;
    FakeControl control;
    std::unique_ptr<ControlServer> server;

    explicit Served(ControlGroups groups = {}) {
        ControlOptions options;
        options.socket = folder.path / "control.sock";
        options.groups = std::move(groups);
        auto opened = ControlServer::open(loop.get(), options, control);
        REQUIRE(opened);
        server = std::move(*opened);
        fs::copy_file(fs::path(build_folder()) / "gotunectl", folder.path / "gotunectl");
        fs::permissions(folder.path, fs::perms(0755));
    }
    /// Runs the program while the loop answers it. `prefix`: a command that runs it as somebody else.
    Ran ctl(const std::vector<std::string>& words, std::vector<std::string> prefix = {}) {
        std::vector<std::string> command = std::move(prefix);
        command.insert(command.end(), {folder.path / "gotunectl", "--run-dir", folder.path});
        command.insert(command.end(), words.begin(), words.end());
        const fs::path out = folder.path / "out";
        const fs::path error = folder.path / "error";
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        posix_spawn_file_actions_addopen(&actions, 2, error.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        std::vector<char*> arguments;
        for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        pid_t pid = 0;
        REQUIRE(::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ) == 0);
        posix_spawn_file_actions_destroy(&actions);
        int status = 0;
        CHECK(loop.until([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, std::chrono::seconds(60)));
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_whole(out), read_whole(error)};
    }
};

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("each command asks what it was told to ask", "[host]") {
    Served served;
    CHECK(served.ctl({"status"}).status == 0);
    CHECK(served.ctl({"signals"}).status == 0);
    CHECK(served.ctl({"plan"}).status == 0);
    CHECK(served.ctl({"plan", "--rulebook", "/rules"}).status == 0);
    CHECK(served.ctl({"history", "-n", "7", "--rule", "r", "--target", "t"}).status == 0);
    CHECK(served.ctl({"undo", "17"}).status == 0);
    CHECK(served.ctl({"undo", "--all"}).status == 0);
    CHECK(served.ctl({"pause"}).status == 0);
    CHECK(served.ctl({"resume", "r", "t"}).status == 0);
    CHECK(served.control.asked ==
          "status;signals ;plan ;plan /rules;history 7 r t;undo 17 by root;undo 0 all by root;resume r t;");
}

TEST_CASE("a refusal is status 1 with the daemon's words, carets on their own lines", "[host]") {
    Served served;
    const Ran target = served.ctl({"signals", "paymetns"});
    CHECK(target.status == 1);
    CHECK(target.error == "gotunectl: no target paymetns; did you mean payments?\n");
    const Ran reload = served.ctl({"reload"});
    CHECK(reload.status == 1);
    CHECK(holds(reload.error, "a.yaml:3:7: unknown key wehn\n  wehn: x\n  ^\n"));
    CHECK(holds(served.ctl({"explain", "r", "t"}).error, "the daemon gave no answer"));
}

TEST_CASE("--json prints the answer and nothing else", "[host]") {
    Served served;
    const Ran plan = served.ctl({"--json", "plan"});
    CHECK(plan.error.empty());
    CHECK(plan.out.front() == '{');
    CHECK(plan.out.substr(plan.out.size() - 2) == "}\n");
    CHECK(served.ctl({"--json", "profile"}).out == "{\"profile\":\"observe\"}\n");
}

TEST_CASE("an undo that is deferred is not done", "[host]") {
    Served served;
    served.control.state = "undo_deferred";
    const Ran ran = served.ctl({"undo", "17"});
    CHECK(ran.status == 1);
    CHECK(holds(ran.out, "undo_deferred"));
}

TEST_CASE("an undo of what is not in force is not done", "[host]") {
    Served served;
    const Ran ran = served.ctl({"undo", "999"});
    CHECK(ran.status == 1);
    CHECK(ran.error == "gotunectl: no adjustment 999 is in force\n");
    served.control.state = "gone";
    CHECK(served.ctl({"undo", "--all"}).status == 0);
}

TEST_CASE("a forced undo is not made without being asked or --yes", "[host]") {
    Served served;
    const Ran unasked = served.ctl({"undo", "17", "--force"});
    CHECK(unasked.status == 2);
    CHECK(holds(unasked.error, "add --yes"));
    CHECK_FALSE(holds(served.control.asked, "undo"));
    CHECK(served.ctl({"undo", "17", "--force", "--yes"}).status == 0);
    CHECK(holds(served.control.asked, "undo 17 force by root"));
}

TEST_CASE("a profile is set after its plan was shown", "[host]") {
    Served served;
    CHECK(served.ctl({"profile", "balanced"}).status == 2);
    CHECK_FALSE(holds(served.control.asked, "profile balanced;profile"));
    served.control.asked.clear();
    const Ran set = served.ctl({"profile", "balanced", "--yes"});
    CHECK(set.status == 0);
    CHECK(holds(set.out, "With profile balanced, right now:"));
    CHECK(served.control.asked == "plan profile:balanced;profile balanced;");
}

TEST_CASE("what a stranger wrote cannot move the cursor of who reads the history", "[host]") {
    Served served;
    const Ran ran = served.ctl({"history"});
    CHECK(ran.status == 0);
    CHECK_FALSE(holds(ran.out, "\x1b"));
    CHECK(holds(ran.out, "?[2J reason"));
}

TEST_CASE("who is in no group is not let in, a reader may not change", "[host]") {
    if (::geteuid() != 0) {
        std::cout << "SKIPPED: only root can become somebody else\n";
        return;
    }
    const std::string uid = "--reuid=" + std::to_string(nobody);
    {
        Served served;
        const Ran ran = served.ctl({"status"}, {"setpriv", uid, "--regid=" + std::to_string(nobody), "--clear-groups"});
        CHECK(ran.status == 4);
        CHECK(holds(ran.error, "group gotuned"));
    }
    // Groups 4242 and 4243 stand for gotuned and gotuned-admin.
    Served served(ControlGroups{{4242}, {4243}});
    const auto as = [&](const std::string& groups, const std::vector<std::string>& words) {
        return served.ctl(words, {"setpriv", uid, "--regid=" + std::to_string(nobody), "--groups", groups});
    };
    CHECK(as("4242", {"status"}).status == 0);
    CHECK(as("4242", {"plan"}).status == 0);
    CHECK(as("4242", {"plan", "--rulebook", "/etc"}).status == 4);  // the daemon would read it as root
    CHECK_FALSE(holds(served.control.asked, "/etc"));
    const Ran refused = as("4242", {"undo", "--all"});
    CHECK(refused.status == 4);
    CHECK(holds(refused.error, "user 65534 may not do this"));
    CHECK_FALSE(holds(served.control.asked, "undo"));
    CHECK(as("4242,4243", {"undo", "--all"}).status == 0);
    CHECK(holds(served.control.asked, "undo 0 all by 65534"));
}
