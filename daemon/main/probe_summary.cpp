#include "main/probe_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gotuned {

std::vector<std::string> probe_summary(const std::vector<ProbeReport>& reports) {
    std::vector<std::pair<std::string, std::vector<std::string>>> by_reason;  // in the order of the probes
    bool any = false;
    for (const ProbeReport& report : reports) {
        any = any || report.attached;
        if (report.attached || report.reason.empty()) continue;
        auto known = std::find_if(by_reason.begin(), by_reason.end(),
                                  [&](const auto& entry) { return entry.first == report.reason; });
        if (known == by_reason.end()) known = by_reason.insert(by_reason.end(), {report.reason, {}});
        known->second.push_back(report.probe);
    }
    std::vector<std::string> lines;
    if (!any && by_reason.size() == 1) {
        lines.push_back(
            fmt::format("no probe is attached: {}. Signals of scheduling and system calls are absent, and processes "
                        "are found by reading /proc at each tick; all else works",
                        by_reason.front().first));
        return lines;
    }
    for (const auto& [reason, probes] : by_reason)
        lines.push_back(fmt::format("not attached: {}: {}", fmt::join(probes, ", "), reason));
    return lines;
}

}  // namespace gotuned
