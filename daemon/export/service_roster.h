// Which services have a name of their own in the metrics, and which are "other": a bound on what a host full of
// short-lived or hostile names can cost Prometheus. Pure: knows names and times only.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"

namespace gotuned {

inline constexpr const char* other_service = "other";

class ServiceRoster {
public:
    /// A service keeps its name this long after its last process: a restart must not cost it its counters.
    static constexpr Duration keep = std::chrono::minutes(15);

    explicit ServiceRoster(std::size_t max_services) : max_services_(max_services) {}

    /// The name under which a service that has a process now is exported: its own, or "other" when all places are
    /// taken. Whoever has a name keeps it.
    std::string exported(const std::string& service, MonoTime now);
    /// The name under which exported() gave it last, for one that has no name of its own by now: "other".
    [[nodiscard]] std::string name_of(const std::string& service) const {
        return named_.contains(service) ? service : other_service;
    }
    /// Those whose last process has been gone for `keep`; they have no name any more.
    std::vector<std::string> expire(MonoTime now);
    /// Takes the name of the youngest service away (the line cap is reached) and admits no newcomer for `keep`.
    /// Nothing when nobody has a name.
    std::optional<std::string> drop_youngest(MonoTime now);
    [[nodiscard]] std::size_t named() const { return named_.size(); }

private:
    struct Entry {
        std::uint64_t order = 0;  ///< of arrival
        MonoTime last_seen{};
    };
    std::size_t max_services_;
    std::map<std::string, Entry> named_;
    std::uint64_t arrivals_ = 0;
    std::optional<MonoTime> full_until_;
};

}  // namespace gotuned
