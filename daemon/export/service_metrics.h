// What is counted of one service (or of the host): counters and histograms that only grow. Gauges: service_gauges.h.
#pragma once

#include <array>
#include <map>
#include <string>

#include "base/distribution.h"
#include "export/families.h"
#include "export/metric_names.h"
#include "observe/snapshot.h"

namespace gotuned {

class ServiceMetrics {
public:
    /// Before what the tick's Snapshot counted is added.
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

    /// `labels` go on each sample ({"service", …}; none for the host).
    void write(Families& families, Signal signal, const Labels& labels, bool full) const;
    /// Lines that write() makes, all signals together.
    [[nodiscard]] std::size_t lines(bool full) const;

private:
    static constexpr std::size_t signal_count = static_cast<std::size_t>(Signal::end_of_signals);

    std::array<double, signal_count> counters_{};
    std::map<Signal, double> shared_;           ///< of this tick: what each process says of a whole that they share
    std::array<bool, signal_count> counted_{};  ///< the counter has been seen: it stays from then on
    std::map<Signal, Distribution> histograms_;
};

}  // namespace gotuned
