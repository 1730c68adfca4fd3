// What is exported of one service (or of the host): counters and histograms that only grow, and this tick's gauges.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/distribution.h"
#include "export/families.h"
#include "export/metric_names.h"
#include "observe/snapshot.h"

namespace gotuned {

class ServiceMetrics {
public:
    /// Forgets the gauges of the last tick; counters stay.
    void begin_tick();
    /// Which signals of a table are of this Snapshot: between two ticks only those that answers_pressure(); the others
    /// were counted with the Snapshot before.
    enum class News : std::uint8_t { all, pressure };
    /// What happened in the table's window.
    void add_events(const SignalTable& signals, Duration tick, News news = News::all);
    /// How the service's processes ended and began again.
    void add_life(const ServiceLife& life);
    /// Events of signals that are absent.
    void add_events(const SignalEvents& beside);
    /// Only what it is now: a state that was already counted in the tick before.
    void add_gauges(const SignalTable& signals);
    void count_process() { ++processes_; }

    /// `labels` go on each sample ({"service", …}; none for the host). `info` is the family of its texts.
    void write(Families& families, Signal signal, const Labels& labels, bool full) const;
    void write_info(Families& families, const std::string& family, const std::string& help, const Labels& labels) const;
    /// Lines that write() makes, all signals together.
    [[nodiscard]] std::size_t lines(bool full) const;
    [[nodiscard]] std::size_t processes() const { return processes_; }

private:
    struct Gauge {
        double value = 0;
        double weight = 0;
        bool present = false;
    };
    static constexpr std::size_t signal_count = static_cast<std::size_t>(Signal::end_of_signals);

    std::array<double, signal_count> counters_{};
    std::map<Signal, double> shared_;           ///< of this tick: what each process says of a whole that they share
    std::array<bool, signal_count> counted_{};  ///< the counter has been seen: it stays from then on
    std::array<Gauge, signal_count> gauges_{};
    std::map<Signal, Distribution> histograms_;
    std::set<std::vector<std::pair<std::string, std::string>>> texts_;  ///< each combination once
    std::size_t processes_ = 0;

    void add_gauge(std::size_t index, double value, double weight);
};

}  // namespace gotuned
