// Reads what bpf/irq.bpf.c counted in its windows: softirqs, handlers and drivers of network devices. Private to this
// room.
#pragma once

#include <map>
#include <string>

#include "bpf/irq.h"
#include "probe/probes.h"

namespace gotuned {

struct InterruptMaps {
    int softirqs = -1, handlers = -1, drivers = -1;
};

class InterruptReader {
public:
    explicit InterruptReader(const InterruptMaps& maps) : maps_(maps) {}
    /// What was counted since the last call. `window`: the generation of the latest window.
    InterruptDelta take(std::uint32_t window);

private:
    using Totals = std::map<std::uint64_t, gt_named_hist>;
    static Totals read(int map, std::size_t key_size, std::size_t most);
    static void add(std::map<std::string, Distribution>& into, const Totals& now, const Totals& before,
                    std::uint32_t window);

    InterruptMaps maps_;
    Totals softirqs_{}, handlers_{}, drivers_{};
};

}  // namespace gotuned
