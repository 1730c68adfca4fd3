// The host's signals of which there is one of each (a device, an interrupt's handler): counters and histograms that
// only grow, and this tick's gauges, by the key as a label. How many keys there are is bounded by who reads them.
#pragma once

#include <map>
#include <string>

#include "export/families.h"
#include "export/metric_names.h"
#include "observe/snapshot.h"

namespace gotuned {

class KeyedMetrics {
public:
    /// Once a tick: what happened in it, and what is now.
    void take(const HostState& host);
    void write(Families& families, Signal signal, bool full) const;
    [[nodiscard]] std::size_t lines(bool full) const;

private:
    std::map<Signal, std::map<std::string, Distribution>> histograms_{};
    std::map<Signal, std::map<std::string, double>> gauges_{};
};

}  // namespace gotuned
