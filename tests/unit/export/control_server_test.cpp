#include "export/control_server.h"

#include <sys/stat.h>
#include <systemd/sd-bus.h>

#include <fstream>
#include <optional>

#include "catch.h"
#include "loop.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

/// Answers with what it was asked.
struct FakeControl final : Control {
    std::vector<Reply> held;  ///< of status, when `hold`
    bool hold = false;
    bool forget = false;
    std::optional<Peer> changer;

    void status(Reply reply) override {
        if (forget) return;
        if (hold)
            held.push_back(std::move(reply));
        else
            reply(std::string("status"));
    }
    void signals(const std::string& target, Reply reply) override { reply("signals " + target); }
    void plan(const std::string& rulebook, Reply reply) override { reply(fail("no rulebook " + rulebook, ENOENT)); }
    void explain(const std::string& rule, const std::string& target, Reply reply) override {
        reply(rule + " " + target);
    }
    void history(unsigned limit, const std::string& rule, const std::string& target, Reply reply) override {
        reply(std::to_string(limit) + rule + target);
    }
    void undo(long long id, bool all, bool force, const Peer& peer, Reply reply) override {
        changer = peer;
        reply(std::to_string(id) + (all ? " all" : "") + (force ? " force" : ""));
    }
    void reload(const Peer&, Reply reply) override { reply(std::string("broken \xff")); }
    void pause(const Peer&, Reply reply) override { reply(std::string("{}")); }
    void resume(const std::string& rule, const std::string& target, const Peer&, Reply reply) override {
        reply(rule + target);
    }
    void profile(const std::string& name, const Peer&, Reply reply) override { reply(name); }
};

struct Answer {
    std::string text{};
    std::string error{};
};

struct Caller {
    sd_bus* bus = nullptr;
    Caller(const Loop& loop, const std::string& socket) {
        Fd fd = connect_to("unix:" + socket);
        sd_bus_new(&bus);
        sd_bus_set_fd(bus, fd.get(), fd.get());
        fd.release();
        sd_bus_start(bus);
        sd_bus_attach_event(bus, loop.get(), 0);
    }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    ~Caller() { sd_bus_close_unref(bus); }
};

int on_answer(sd_bus_message* message, void* data, sd_bus_error*) {
    auto& answer = *static_cast<std::optional<Answer>*>(data);
    answer.emplace();
    if (const sd_bus_error* error = sd_bus_message_get_error(message)) {
        answer->error = std::string(error->name) + ": " + (error->message == nullptr ? "" : error->message);
        return 0;
    }
    const char* text = "";
    sd_bus_message_read(message, "s", &text);
    answer->text = text;
    return 0;
}

struct Served {
    TemporaryFolder folder;
    Loop loop;
    FakeControl control;
    ControlOptions options;
    std::unique_ptr<ControlServer> server;

    explicit Served(ControlGroups groups = {}, std::size_t max_peers = 64) {
        options.socket = folder.path / "control.sock";
        options.groups = std::move(groups);
        options.max_peers = max_peers;
        options.max_peers_each = 0;
        auto opened = ControlServer::open(loop.get(), options, control);
        REQUIRE(opened);
        server = std::move(*opened);
    }
    template <typename... Arguments>
    Answer call(Caller& caller, const char* method, const char* types, Arguments... arguments) {
        std::optional<Answer> answer;
        REQUIRE(sd_bus_call_method_async(caller.bus, nullptr, nullptr, control_path, control_interface, method,
                                         on_answer, &answer, types, arguments...) >= 0);
        CHECK(loop.until([&] { return answer.has_value(); }));
        return answer.value_or(Answer{});
    }
    [[nodiscard]] std::string socket() const { return options.socket; }
};

}  // namespace

TEST_CASE("root may read and change; others by their groups", "[control]") {
    const ControlGroups groups{{100}, {200}};
    CHECK(may(Access::change, 0, {0}, groups));
    CHECK(may(Access::read, 1000, {1000, 100}, groups));
    CHECK_FALSE(may(Access::change, 1000, {1000, 100}, groups));
    CHECK(may(Access::change, 1000, {1000, 200}, groups));
    CHECK(may(Access::read, 1000, {1000, 200}, groups));
    CHECK_FALSE(may(Access::read, 1000, {1000}, groups));
}

TEST_CASE("where the groups do not exist only root may do anything", "[control]") {
    CHECK_FALSE(may(Access::read, 1000, {1000, 0}, {}));
    CHECK(may(Access::read, 0, {}, {}));
}

TEST_CASE("that the groups do not exist is said, since the socket then is root's alone", "[control]") {
    const TemporaryFolder folder;
    const std::string log = folder.path / "log";
    const Fd before(::dup(STDERR_FILENO));
    {
        const Fd file(::open(log.c_str(), O_CREAT | O_WRONLY, 0600));
        ::dup2(file.get(), STDERR_FILENO);
        const Served served;
        struct stat status{};
        CHECK(::stat(served.socket().c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0600);
        const Served grouped({{::getegid()}, {}});
        ::dup2(before.get(), STDERR_FILENO);
    }
    std::ifstream file(log);
    const std::string said(std::istreambuf_iterator<char>(file), {});
    CHECK(said.find("there is no group gotuned") != std::string::npos);
    CHECK(said.find("there is no group gotuned") == said.rfind("there is no group gotuned"));
}

TEST_CASE("each method reaches Control with its arguments and its answer comes back", "[control]") {
    Served served;
    Caller caller(served.loop, served.socket());
    CHECK(served.call(caller, "Status", "").text == "status");
    CHECK(served.call(caller, "Signals", "s", "payments").text == "signals payments");
    CHECK(served.call(caller, "Explain", "ss", "rule", "target").text == "rule target");
    CHECK(served.call(caller, "History", "uss", 5U, "r", "t").text == "5rt");
    CHECK(served.call(caller, "Undo", "xbb", std::int64_t{17}, 0, 1).text == "17 force");
    CHECK(served.call(caller, "Pause", "").text == "{}");
    CHECK(served.call(caller, "Resume", "ss", "r", "t").text == "rt");
    CHECK(served.call(caller, "Profile", "s", "balanced").text == "balanced");
}

TEST_CASE("who commands a change is told by the kernel", "[control]") {
    Served served;
    Caller caller(served.loop, served.socket());
    served.call(caller, "Undo", "xbb", std::int64_t{1}, 1, 0);
    REQUIRE(served.control.changer);
    CHECK(served.control.changer->uid == ::geteuid());
    CHECK(served.control.changer->pid == ::getpid());
}

TEST_CASE("an error comes back in its words", "[control]") {
    Served served;
    Caller caller(served.loop, served.socket());
    const Answer answer = served.call(caller, "Plan", "s", "/nowhere");
    CHECK(answer.error.find("no rulebook /nowhere: No such file or directory (ENOENT)") != std::string::npos);
}

TEST_CASE("an answer may come later, and others are served meanwhile", "[control]") {
    Served served;
    served.control.hold = true;
    Caller first(served.loop, served.socket());
    Caller second(served.loop, served.socket());
    std::optional<Answer> late;
    sd_bus_call_method_async(first.bus, nullptr, nullptr, control_path, control_interface, "Status", on_answer, &late,
                             "");
    REQUIRE(served.loop.until([&] { return served.control.held.size() == 1; }));
    CHECK(served.call(second, "Pause", "").text == "{}");
    CHECK_FALSE(late);
    served.control.held.front()(std::string("late"));
    CHECK(served.loop.until([&] { return late.has_value(); }));
    CHECK(late->text == "late");
}

TEST_CASE("an answer that Control forgets is an error, not a wait without end", "[control]") {
    Served served;
    served.control.forget = true;
    Caller caller(served.loop, served.socket());
    CHECK(served.call(caller, "Status", "").error.find("the daemon gave no answer") != std::string::npos);
}

TEST_CASE("an answer that is not UTF-8 is an error", "[control]") {
    Served served;
    Caller caller(served.loop, served.socket());
    CHECK(served.call(caller, "Reload", "").error.find("not valid UTF-8") != std::string::npos);
}

TEST_CASE("an answer to a client that has left is dropped", "[control]") {
    Served served;
    served.control.hold = true;
    {
        Caller caller(served.loop, served.socket());
        sd_bus_call_method_async(caller.bus, nullptr, nullptr, control_path, control_interface, "Status", nullptr,
                                 nullptr, "");
        REQUIRE(served.loop.until([&] { return served.control.held.size() == 1; }));
    }
    CHECK(served.loop.until([&] { return served.server->peers() == 0; }));
    served.control.held.front()(std::string("too late"));
    served.control.held.clear();
    Caller other(served.loop, served.socket());
    CHECK(served.call(other, "Pause", "").text == "{}");
}

TEST_CASE("an answer that comes after the server's end is dropped", "[control]") {
    Served served;
    served.control.hold = true;
    Caller caller(served.loop, served.socket());
    sd_bus_call_method_async(caller.bus, nullptr, nullptr, control_path, control_interface, "Status", nullptr, nullptr,
                             "");
    REQUIRE(served.loop.until([&] { return served.control.held.size() == 1; }));
    served.server.reset();
    served.control.held.front()(std::string("too late"));
    CHECK_FALSE(std::filesystem::exists(served.socket()));
}

TEST_CASE("more clients than allowed are turned away, and there is room again when one leaves", "[control]") {
    Served served({}, 2);
    {
        Caller first(served.loop, served.socket());
        Caller second(served.loop, served.socket());
        CHECK(served.call(first, "Pause", "").text == "{}");
        CHECK(served.call(second, "Pause", "").text == "{}");
        const Fd third = connect_to("unix:" + served.socket());
        std::string nothing;
        CHECK(served.loop.until([&] { return receive(third, nothing); }));
    }
    CHECK(served.loop.until([&] { return served.server->peers() == 0; }));
    Caller next(served.loop, served.socket());
    CHECK(served.call(next, "Pause", "").text == "{}");
}

TEST_CASE("what is not D-Bus is refused", "[control]") {
    Served served;
    const Fd stranger = connect_to("unix:" + served.socket());
    ::send(stranger.get(), "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
    std::string nothing;
    CHECK(served.loop.until([&] { return receive(stranger, nothing); }));
    CHECK(served.loop.until([&] { return served.server->peers() == 0; }));
}

TEST_CASE("the socket is for root alone where the group does not exist, else for the group", "[control]") {
    const auto mode = [](const std::string& path) {
        struct stat status{};
        ::stat(path.c_str(), &status);
        return status.st_mode & 0777;
    };
    CHECK(mode(Served().socket()) == 0600);
    CHECK(mode(Served(ControlGroups{{::getegid()}, {}}).socket()) == 0660);
}
