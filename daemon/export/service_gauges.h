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
    /// A process, a cgroup (or the host) that belongs to the service. The table must outlive this.
    void add(std::size_t service, const SignalTable& signals);

    /// The gauge of each service; nothing: no member has a value.
    [[nodiscard]] std::vector<std::optional<double>> of(Signal signal) const;
    /// Texts that were read of its members, each combination of label and text once.
    using Texts = std::set<std::vector<std::pair<std::string, std::string>>>;
    [[nodiscard]] const Texts& texts(std::size_t service) const { return services_[service].texts; }
    /// How many gauges and combinations of texts a service has.
    [[nodiscard]] std::size_t lines(std::size_t service) const;

private:
    struct Service {
        std::vector<bool> present{};  ///< by Signal
        Texts texts{};
    };
    std::vector<Service> services_;
    std::vector<std::pair<std::size_t, const SignalTable*>> members_{};
};

}  // namespace gotuned
