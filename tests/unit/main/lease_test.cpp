// The lease of what was changed: what the daemon notes, and what `gotuned lease` tells systemd.
#include "main/lease.h"

#include <sys/stat.h>

#include <array>

#include "base/files.h"
#include "catch.h"
#include "fake_tree.h"
#include "paths.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// A systemctl that writes down what it was told, and fails when its second word is in the file `refuses`.
struct FakeSystemd {
    FakeTree tree;
    LeaseCommand command{.run_dir = tree.path("run"), .units = tree.path("units"), .systemctl = tree.path("systemctl")};

    FakeSystemd() {
        tree.directory("run");
        tree.write("systemctl", "#!/bin/sh\necho \"$@\" >>'" + tree.path("told") + "'\n! grep -qsx \"$1\" '" +
                                    tree.path("refuses") + "'\n");
        REQUIRE(::chmod(command.systemctl.c_str(), 0755) == 0);
    }
    [[nodiscard]] std::string told() const { return read_file(tree.path("told")).value_or(""); }
    [[nodiscard]] std::string drop_in() const {
        return read_file(tree.path("units/gotuned-undo.timer.d/50-lease.conf")).value_or("");
    }
    void note(Duration lease, Settings::OnStop on_stop = Settings::OnStop::lease) const {
        Settings settings;
        settings.adjust.lease = lease;
        settings.adjust.on_stop = on_stop;
        REQUIRE(note_lease(command.run_dir, settings).has_value());
    }
};

}  // namespace

TEST_CASE("the lease that the daemon ran with is noted") {
    const FakeSystemd systemd;
    systemd.note(45s);
    CHECK(noted_lease(systemd.command.run_dir).time == Duration(45s));
    CHECK_FALSE(noted_lease(systemd.command.run_dir).keep);
    systemd.note(5500ms, Settings::OnStop::undo);
    CHECK(noted_lease(systemd.command.run_dir).time == Duration(5500ms));
    systemd.note(45s, Settings::OnStop::keep);
    CHECK(noted_lease(systemd.command.run_dir).keep);
}

TEST_CASE("a note that cannot be understood leaves the lease to the packaged timer") {
    const FakeSystemd systemd;
    CHECK_FALSE(noted_lease(systemd.command.run_dir).keep);
    CHECK_FALSE(noted_lease(systemd.command.run_dir).time);
    for (const char* text : {"", "keep it", "30", "0ms", "-5ms", "5s", "99999999999999999999ms", "86400001ms"}) {
        INFO(text);
        systemd.tree.write("run/lease", text);
        CHECK_FALSE(noted_lease(systemd.command.run_dir).keep);
        CHECK_FALSE(noted_lease(systemd.command.run_dir).time);
    }
    REQUIRE(start_lease(systemd.command).has_value());
    CHECK(systemd.told() == "restart gotuned-undo.timer\n");
}

TEST_CASE("the packaged lease needs no drop-in and no reload of systemd") {
    const FakeSystemd systemd;
    systemd.note(Settings{}.adjust.lease);
    REQUIRE(start_lease(systemd.command).has_value());
    CHECK(systemd.told() == "restart gotuned-undo.timer\n");
    CHECK(systemd.drop_in().empty());
    const auto timer = read_file(source_folder() + "/systemd/gotuned-undo.timer");
    REQUIRE(timer.has_value());
    CHECK(timer->find("\nOnActiveSec=30s\n") != std::string::npos);
    CHECK(Settings{}.adjust.lease == 30s);
}

TEST_CASE("another lease becomes a drop-in of the timer, told to systemd once") {
    const FakeSystemd systemd;
    systemd.note(2min);
    REQUIRE(start_lease(systemd.command).has_value());
    CHECK(systemd.told() == "daemon-reload\nrestart gotuned-undo.timer\n");
    CHECK(systemd.drop_in().find("[Timer]\nOnActiveSec=\nOnActiveSec=120000ms\n") != std::string::npos);
    REQUIRE(start_lease(systemd.command).has_value());
    CHECK(systemd.told() == "daemon-reload\nrestart gotuned-undo.timer\nrestart gotuned-undo.timer\n");

    SECTION("and the packaged one again when it is set back") {
        systemd.note(30s);
        REQUIRE(start_lease(systemd.command).has_value());
        CHECK(systemd.drop_in().find("OnActiveSec=30000ms\n") != std::string::npos);
    }
}

TEST_CASE("on_stop: keep starts no timer") {
    const FakeSystemd systemd;
    systemd.note(30s, Settings::OnStop::keep);
    REQUIRE(start_lease(systemd.command).has_value());
    CHECK(systemd.told().empty());
}

TEST_CASE("when systemd does not reload, the timer runs with the lease that it knows") {
    const FakeSystemd systemd;
    systemd.note(2min);
    systemd.tree.write("refuses", "daemon-reload\n");
    CHECK(start_lease(systemd.command).has_value());
    CHECK(systemd.told() == "daemon-reload\nrestart gotuned-undo.timer\n");
}

TEST_CASE("when there can be no timer it is an error") {
    FakeSystemd systemd;
    systemd.note(30s);
    SECTION("systemd refuses") { systemd.tree.write("refuses", "restart\n"); }
    SECTION("there is no systemd") { systemd.command.systemctl = systemd.tree.path("nothing"); }
    CHECK_FALSE(start_lease(systemd.command).has_value());
}

TEST_CASE("the command line of the unit is understood") {
    std::array unit{std::string("gotuned"), std::string("--leased")};
    std::array<char*, 3> words{unit[0].data(), unit[1].data(), nullptr};
    const ParsedOptions run = parse_options(2, words.data());
    CHECK(run.options.leased);
    CHECK(run.options.command == Options::Command::run);
    unit[1] = "lease";
    words[1] = unit[1].data();
    CHECK(parse_options(2, words.data()).options.command == Options::Command::lease);
}
