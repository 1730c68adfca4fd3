// probes.goroutines of gotuned.yaml, through the real daemon: from the file to the metrics.
#include <cstdio>

#include "daemon_process.h"
#include "paths.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

/// A Go server on a port of its own, copied so that its service has this name.
class Server {
public:
    Server(const fs::path& folder, const std::string& name) : log_(folder / (name + ".log")) {
        fs::copy_file(build_folder() + "/workloads/httpserver", folder / name);
        child_ = Child({(folder / name).string(), "-listen", "127.0.0.1:0"}, {}, log_.string());
        REQUIRE(eventually([this] { return !address().empty(); }));
    }
    /// A request, for which its goroutine waits.
    void ask() const { run_command("curl -s --max-time 5 http://" + address() + "/"); }

private:
    [[nodiscard]] std::string address() const {
        const std::string text = read_text(log_);
        const auto at = text.find("127.0.0.1:");
        return at == std::string::npos ? std::string()
                                       : text.substr(at, text.find_first_not_of("0123456789.:", at) - at);
    }
    fs::path log_;
    Child child_;
};

}  // namespace

TEST_CASE("the goroutines of the services that gotuned.yaml names are measured, and of no others") {
    const TempFolder folder;
    const Server named(folder.path, "named-server");
    const Server other(folder.path, "other-server");
    write_text(folder.path / "gotuned.yaml", "probes:\n  goroutines: [named-server]\n");
    DaemonProcess daemon(folder.path);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    const auto count_of = [&](const std::string& service) {
        return daemon.metrics().find("gotuned_goroutine_netpoll_seconds_count{service=\"" + service + "\"}") !=
               std::string::npos;
    };
    const bool measured = eventually([&] {
        named.ask();
        other.ask();
        return count_of("named-server");
    });
    INFO(daemon.log());
    CHECK(measured);
    CHECK_FALSE(count_of("other-server"));
    CHECK(daemon.child().end(SIGTERM) == 0);
}
