#include "export/service_roster.h"

#include <algorithm>

namespace gotuned {

std::string ServiceRoster::exported(const std::string& service, MonoTime now) {
    if (service == other_service) return service;
    if (const auto found = named_.find(service); found != named_.end()) {
        found->second.last_seen = now;
        return service;
    }
    if (full_until_ && now >= *full_until_) full_until_.reset();
    if (full_until_ || named_.size() >= max_services_) return other_service;
    named_[service] = {++arrivals_, now};
    return service;
}

std::vector<std::string> ServiceRoster::expire(MonoTime now) {
    std::vector<std::string> gone;
    for (auto entry = named_.begin(); entry != named_.end();) {
        if (now - entry->second.last_seen >= keep) {
            gone.push_back(entry->first);
            entry = named_.erase(entry);
        } else {
            ++entry;
        }
    }
    return gone;
}

std::optional<std::string> ServiceRoster::drop_youngest(MonoTime now) {
    const auto youngest = std::max_element(
        named_.begin(), named_.end(), [](const auto& a, const auto& b) { return a.second.order < b.second.order; });
    if (youngest == named_.end()) return std::nullopt;
    std::string name = youngest->first;
    named_.erase(youngest);
    full_until_ = now + keep;
    return name;
}

}  // namespace gotuned
