// gotunectl without a daemon: exit statuses, check, and who is asked. With one: tests/host/export_control.cpp.
#include "ctl/commands.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "catch.h"
#include "ctl/check.h"

using namespace gotuned;
namespace fs = std::filesystem;

namespace {

struct Ran {
    int status = 0;
    std::string out, error;
};

Ran run(std::vector<std::string> words) {
    words.insert(words.begin(), "gotunectl");
    std::vector<const char*> arguments;
    for (const std::string& word : words) arguments.push_back(word.c_str());
    const Parsed parsed = parse_arguments(static_cast<int>(arguments.size()), arguments.data());
    REQUIRE(parsed.invocation);
    std::ostringstream out;
    std::ostringstream error;
    const int status = run_command(*parsed.invocation, Terminal{out, error, 0, {}});
    return {status, out.str(), error.str()};
}

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "gotuned-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path / name) << text;
        return (path / name).string();
    }
};

constexpr const char* good_rule = R"(version: 1
rules:
  - name: enough-descriptors
    scope: process
    when: fd.used / fd.limit > 80%
    adjust:
      - knob: rlimit.nofile
        to: 65536
)";

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("without a daemon every command that needs one says how to start it, with a status of its own", "[ctl]") {
    const Folder folder;
    for (const std::vector<std::string>& words : {std::vector<std::string>{"status"},
                                                  {"signals"},
                                                  {"plan"},
                                                  {"explain", "r", "t"},
                                                  {"history"},
                                                  {"undo", "1"},
                                                  {"undo", "--all", "--force", "--yes"},
                                                  {"reload"},
                                                  {"pause"},
                                                  {"resume"},
                                                  {"profile"},
                                                  {"profile", "balanced", "--yes"}}) {
        std::vector<std::string> all{"--run-dir", folder.path.string()};
        all.insert(all.end(), words.begin(), words.end());
        CAPTURE(words.front());
        const Ran ran = run(all);
        CHECK(ran.status == exit_status::unreachable);
        CHECK(ran.out.empty());
        CHECK(holds(ran.error, "no daemon is listening at " + folder.path.string() + "/control.sock"));
        CHECK(holds(ran.error, "systemctl status gotuned"));
    }
}

TEST_CASE("with --json an error is JSON on standard output and text on standard error", "[ctl]") {
    const Folder folder;
    const Ran ran = run({"--json", "--run-dir", folder.path.string(), "status"});
    CHECK(ran.status == exit_status::unreachable);
    CHECK(holds(ran.error, "gotunectl: no daemon is listening"));
    CHECK(ran.out.find("{\"error\":\"no daemon is listening") == 0);
    CHECK(holds(ran.out, "\"status\":3}\n"));
}

TEST_CASE("a socket path that is too long is an error, not a cut name", "[ctl]") {
    const Ran ran = run({"--socket", "/" + std::string(200, 'x'), "status"});
    CHECK(ran.status == exit_status::unreachable);
    CHECK(holds(ran.error, "ENAMETOOLONG"));
}

TEST_CASE("check accepts a good rulebook without a daemon", "[ctl]") {
    const Folder folder;
    const Ran ran = run({"check", "--packaged", "/nonexistent", folder.write("10-good.yaml", good_rule)});
    CHECK(ran.error.empty());
    CHECK(ran.status == exit_status::ok);
    CHECK(holds(ran.out, "ok: 1 rules"));
}

TEST_CASE("check takes a directory", "[ctl]") {
    const Folder folder;
    CHECK_FALSE(folder.write("10-good.yaml", good_rule).empty());
    CHECK(run({"check", "--packaged", "/nonexistent", folder.path.string()}).status == exit_status::ok);
}

TEST_CASE("check shows each error with its place, and fails", "[ctl]") {
    const Folder folder;
    std::string wrong = good_rule;
    wrong.replace(wrong.find("fd.used"), 7, "fd.usde");
    const std::string file = folder.write("10-wrong.yaml", wrong);
    const Ran ran = run({"check", "--packaged", "/nonexistent", file});
    CHECK(ran.status == exit_status::failed);
    CHECK(ran.out.empty());
    CHECK(holds(ran.error, file + ":5:"));
    CHECK(holds(ran.error, "fd.used"));
    CHECK(holds(ran.error, "1 error\n"));
}

TEST_CASE("check --json prints nothing but JSON", "[ctl]") {
    const Folder folder;
    const Ran wrong =
        run({"check", "--json", "--packaged", "/nonexistent", folder.write("a.yaml", "version: 1\nrulez: []\n")});
    CHECK(wrong.status == exit_status::failed);
    CHECK(wrong.error.empty());
    CHECK(holds(wrong.out, R"({"ok":false,"rules":0)"));
    CHECK(holds(wrong.out, R"("line":2)"));
    const Ran good = run({"check", "--json", "--packaged", "/nonexistent", folder.write("b.yaml", good_rule)});
    CHECK(good.status == exit_status::ok);
    CHECK(holds(good.out, R"({"ok":true,"rules":1)"));
}

TEST_CASE("check warns of a sysctl that this host does not have, with the nearest, and passes", "[ctl]") {
    const Folder folder;
    fs::create_directories(folder.path / "sys/net/core");
    std::ofstream(folder.path / "sys/net/core/somaxconn") << "4096\n";
    const auto check = [&](const std::string& sysctl) {
        const std::string file = folder.write("10.yaml", fmt::format(R"(version: 1
rules:
  - name: larger-backlog
    scope: host
    when: host.sysctl("{}") < 65535
    adjust:
      - {{ knob: sysctl.{}, to: 65535 }}
)",
                                                                     sysctl, sysctl));
        Invocation invocation;
        invocation.command = Command::check;
        invocation.files = {file};
        invocation.packaged = "/nonexistent";
        invocation.proc = folder.path;
        return check_files(invocation);
    };
    const CheckReport right = check("net.core.somaxconn");
    CAPTURE(right.text);
    CHECK(right.good);
    CHECK(right.warnings.empty());
    const CheckReport wrong = check("net.core.somaxcon");
    CHECK(wrong.good);
    CHECK(holds(wrong.warnings, "this host has no sysctl net.core.somaxcon\n"));
    CHECK(holds(wrong.warnings, "did you mean net.core.somaxconn?"));
    CHECK(wrong.warnings.find("no sysctl") == wrong.warnings.rfind("no sysctl"));
    CHECK(holds(wrong.json, R"("warnings":[{"file":)"));
}

TEST_CASE("check warns of a disk or a setting of huge pages that this host does not have, and passes", "[ctl]") {
    const Folder folder;
    fs::create_directories(folder.path / "sys/block/sda/queue");
    std::ofstream(folder.path / "sys/block/sda/queue/scheduler") << "[none] bfq\n";
    Invocation invocation;
    invocation.command = Command::check;
    invocation.packaged = "/nonexistent";
    invocation.sys = folder.path / "sys";
    invocation.files = {folder.write("10.yaml", R"(version: 1
rules:
  - name: disks
    scope: host
    when: host.swap.used > 5MiB
    adjust:
      - { knob: sysfs.block.sda.scheduler, to: bfq }
      - { knob: sysfs.block.sdb.scheduler, to: bfq }
      - { knob: sysfs.thp.khugepaged.max_ptes_none, to: 0 }
)")};
    const CheckReport report = check_files(invocation);
    CAPTURE(report.warnings);
    CHECK(report.good);
    CHECK(holds(report.warnings, "this host has no sysfs.block.sdb.scheduler: there is no /sys/block/sdb/queue/"));
    CHECK(holds(report.warnings, "transparent_hugepage/khugepaged/max_ptes_none"));
    CHECK_FALSE(holds(report.warnings, "sda"));
}

TEST_CASE("check of a file that is not there is an error", "[ctl]") {
    const Ran ran = run({"check", "/nonexistent/rule.yaml"});
    CHECK(ran.status == exit_status::failed);
    CHECK(holds(ran.error, "no such file or directory"));
}

TEST_CASE("check --config checks gotuned.yaml alone", "[ctl]") {
    const Folder folder;
    CHECK(run({"check", "--config", folder.write("good.yaml", "version: 1\ntick: 1s\n")}).status == exit_status::ok);
    const Ran wrong = run({"check", "--config", folder.write("wrong.yaml", "version: 1\ntikc: 1s\n")});
    CHECK(wrong.status == exit_status::failed);
    CHECK(holds(wrong.error, "tikc"));
}

TEST_CASE("schemas are printed without a daemon", "[ctl]") {
    CHECK(holds(run({"schema", "rulebook"}).out, "$schema"));
    CHECK(holds(run({"schema", "settings"}).out, "gotuned.yaml"));
    CHECK(holds(run({"schema", "profile"}).out, "gotuned profile"));
}
