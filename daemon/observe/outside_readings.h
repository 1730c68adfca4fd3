// What app("…") and prometheus("…") of the rulebook ask for, and the last answers: plain data. outside.h reads them.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/reading.h"
#include "base/result.h"
#include "observe/sample_selector.h"

namespace gotuned {

/// The last answers: plain data in the Snapshot.
struct OutsideReadings {
    std::map<std::string, std::map<std::string, Reading<double>>> app{};  ///< by target, by what app() names
    std::map<std::string, Reading<double>> prometheus{};                  ///< by query
};

/// What the rulebook asks for.
struct OutsideWanted {
    struct App {
        std::string url{};  ///< of the target's metrics page
        std::map<std::string, SampleSelector> samples{};
        friend bool operator==(const App&, const App&) = default;
    };
    std::map<std::string, App> app{};  ///< by target
    std::set<std::string> queries{};
    friend bool operator==(const OutsideWanted&, const OutsideWanted&) = default;
};

/// An address of a service on this host: "http://127.0.0.1:8080/metrics". Errors: not http, a host that is not this
/// one's loopback (the daemon is root and would be asked to fetch from anywhere), no port.
Status check_loopback_url(const std::string& url);

}  // namespace gotuned
