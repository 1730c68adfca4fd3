// What the services are now: the gauges and texts of their processes and cgroups, added up when somebody asks for them.
// Prometheus asks every minute or so, and a Snapshot is made every few seconds.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "export/metric_names.h"
#include "observe/signal_table.h"

namespace gotuned {

class ServiceGauges {
public:
    /// Services are numbered from 0.
    explicit ServiceGauges(std::size_t services) : services_(services) {}
    /// A process, a cgroup (or the host) that belongs to the service.
    void add(std::size_t service, const SignalTable& signals);

    /// Nothing: no member has a value.
    [[nodiscard]] std::optional<double> of(std::size_t service, Signal signal) const;
    /// Texts that were read of its members, each combination of label and text once.
    using Texts = std::set<std::vector<std::pair<std::string, std::string>>>;
    [[nodiscard]] const Texts& texts(std::size_t service) const { return services_[service].texts; }
    /// How many gauges and combinations of texts a service has.
    [[nodiscard]] std::size_t lines(std::size_t service) const;

private:
    /// The values of several members become one.
    struct Gauge {
        double value = 0;
        double weight = 0;
        bool present = false;
        void add(Together together, double more, double weighs);
    };
    struct Service {
        std::vector<Gauge> gauges{};  ///< of the signals that are gauges, in the order of Signal
        Texts texts{};
    };
    std::vector<Service> services_;
};

}  // namespace gotuned
