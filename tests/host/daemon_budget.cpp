// probes.budget: a daemon that may spend next to nothing looks less, and says what it left out and why.
#include "daemon_process.h"
#include "paths.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

/// A Go server that somebody asks for pages as fast as it answers.
class BusyServer {
public:
    explicit BusyServer(const fs::path& folder)
        : server_({build_folder() + "/workloads/httpserver", "-listen", "127.0.0.1:0"}, {},
                  (folder / "server.log").string()) {
        std::string address;
        const bool up = eventually([&] {
            const Json ready = Json::parse(read_text(folder / "server.log"), nullptr, false);
            address = ready.is_object() ? ready.value("listen", "") : "";
            return !address.empty();
        });
        REQUIRE(up);
        wrk_ = Child({"/usr/bin/wrk", "-t1", "-c16", "-d600s", "http://" + address + "/"}, {},
                     (folder / "wrk.log").string());
    }

private:
    Child server_;
    Child wrk_;
};

double sample(const std::string& metrics, const std::string& name) {
    const auto at = metrics.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(metrics.substr(at + name.size() + 2));
}

/// Where the kernel lets none of the system-call programs attach, there is nothing to shorten.
bool windows_attach(const DaemonProcess& daemon) {
    const Json status = daemon.ctl_json("status");
    for (const Json& probe : status["probes"])
        if (probe.value("windowed", false) && probe.value("attached", false)) return true;
    std::printf("SKIPPED: the system-call programs are not attached\n");
    return false;
}

}  // namespace

TEST_CASE("a tiny budget takes the system-call windows away, and status, metrics and log say so") {
    const TempFolder folder;
    write_text(folder.path / "gotuned.yaml", "version: 1\nprobes:\n  budget: 0.02%\n");
    const BusyServer server(folder.path);
    DaemonProcess daemon(folder.path);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    if (!windows_attach(daemon)) return;
    Json budget;
    CHECK(eventually([&] {
        budget = daemon.ctl_json("status")["probe_budget"];
        return budget.value("scheduler", 1.0) < 1 && !budget["window_cost"].is_null();
    }));
    CAPTURE(budget.dump());
    CHECK(budget.value("budget", 0.0) == Approx(0.0002));
    CHECK((budget.value("window_seconds", 1.0) == 0 || budget.value("window_every_ticks", 1) > 1));
    CHECK(budget.value("scheduler", 1.0) < 1);
    const std::string said = daemon.ctl("status").output;
    CAPTURE(said);
    CHECK(said.find("probes cost ") != std::string::npos);
    CHECK(said.find("to stay within it: ") != std::string::npos);
    CHECK(said.find("system calls and interrupts are ") != std::string::npos);
    CHECK(daemon.log().find("probes.budget of 0.02%") != std::string::npos);
    const auto shown = [&] {
        const std::string metrics = daemon.metrics();
        const double open = sample(metrics, "gotuned_probe_window_ratio");
        return sample(metrics, "gotuned_probe_budget_ratio") == Approx(0.0002) && open >= 0 && open < 0.2 &&
               metrics.find("gotuned_probe_cost_ratio{part=\"scheduler\"}") != std::string::npos;
    };
    CHECK(eventually(shown));
}

TEST_CASE("within a large budget nothing is shortened, and the cost is told") {
    const TempFolder folder;
    write_text(folder.path / "gotuned.yaml", "version: 1\nprobes: {budget: 100%}\n");
    DaemonProcess daemon(folder.path);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    if (!windows_attach(daemon)) return;
    Json budget;
    CHECK(eventually([&] {
        budget = daemon.ctl_json("status")["probe_budget"];
        return !budget["window_cost"].is_null() && !budget["scheduler_cost"].is_null();
    }));
    CAPTURE(budget.dump());
    CHECK(budget.value("shortened", "?").empty());
    CHECK(budget.value("cost", 0.0) > 0);
    CHECK(budget.value("scheduler", 0.0) == 1);
    CHECK(daemon.ctl("status").output.find("100% allowed") != std::string::npos);
    CHECK(daemon.ctl("status").output.find("to stay within it") == std::string::npos);
}
