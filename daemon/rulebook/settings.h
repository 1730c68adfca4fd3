// gotuned.yaml: everything has a default; unknown keys are errors.
#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "rulebook/diagnostic.h"

namespace gotuned {

struct Settings {
    std::string profile = "observe";
    std::string environment{};
    Duration tick = std::chrono::seconds(5);
    std::string prometheus{};  ///< address of the Prometheus that prometheus("…") asks; empty: none
    std::vector<std::string> listen{"127.0.0.1:9713"};  ///< also "unix:/path"
    std::string web_config{};                           ///< path; empty: none
    bool plain = false;                                 ///< a non-loopback listen without web_config needs it
    struct {
        double budget = 0.01;
        std::vector<std::string> goroutines{};  ///< services whose goroutines are looked into
    } probes;
    struct {
        int max_services = 100;
        int max_lines = 30000;
        bool full_buckets = false;
    } series;
    enum class OnStop { lease, keep, undo };
    struct {
        int per_minute = 10;
        Duration lease = std::chrono::seconds(30);
        OnStop on_stop = OnStop::lease;
        bool unsafe_bounds = false;
    } adjust;
    struct {
        std::string alertmanager{};
    } notify;
    struct {
        Duration keep = std::chrono::hours(24 * 30);
        double max_bytes = 256.0 * 1024 * 1024;
    } history;
    struct {
        LogLevel level = LogLevel::info;
    } log;
};
/// What is wrong with an address to listen on; empty when nothing is.
std::string wrong_address(const std::string& address);
/// Whether others than this host could connect: such an address needs `plain: true`, on the command line, too.
bool reachable_by_others(const std::string& address);
/// A missing or empty file gives the defaults. What this version does not have yet (web_config, notify, …) is an
/// error that says so when it is set; so is a profile that is not in the directory `profiles`.
tl::expected<Settings, Diagnostics> load_settings(const std::string& path, const std::string& profiles = {});
std::string settings_schema();

}  // namespace gotuned
