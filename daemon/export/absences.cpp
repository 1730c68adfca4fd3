#include "export/absences.h"

#include <array>
#include <vector>

namespace gotuned {
namespace {

constexpr std::size_t reasons = 32;

class Counts {
public:
    void add(const SignalTable& table, Scope scope) {
        const auto count = [this, scope](const SignalInfo& signal, Absence reason) {
            if (signal.scope == scope)
                ++counts_[static_cast<std::size_t>(signal.id)].at(static_cast<std::size_t>(reason));
        };
        auto next = signals().begin();
        table.for_each_presence([&](Signal id, bool present, Absence reason) {
            for (; next->id < id; ++next) count(*next, Absence::not_observed);
            if (!present) count(*next, reason);
            ++next;
        });
        for (; next != signals().end(); ++next) count(*next, Absence::not_observed);
    }
    [[nodiscard]] std::size_t of(Signal signal, std::size_t reason) const {
        return counts_[static_cast<std::size_t>(signal)].at(reason);
    }

private:
    std::vector<std::array<std::size_t, reasons>> counts_ =
        std::vector<std::array<std::size_t, reasons>>(signals().size());
};

}  // namespace

std::map<std::pair<Signal, Absence>, std::size_t> absences_of(const Snapshot& snapshot) {
    Counts counts;
    for (const auto& [id, process] : snapshot.processes)
        if (!process->exited) counts.add(process->signals, Scope::process);
    for (const auto& [id, cgroup] : snapshot.cgroups) counts.add(cgroup->signals, Scope::cgroup);
    counts.add(snapshot.host.signals, Scope::host);
    std::map<std::pair<Signal, Absence>, std::size_t> out;
    for (const SignalInfo& signal : signals()) {
        if (!signal.key.empty() && snapshot.host.keyed.contains(signal.id)) continue;
        for (std::size_t reason = 0; reason < reasons; ++reason)
            if (const std::size_t count = counts.of(signal.id, reason); count > 0)
                out.emplace(std::pair(signal.id, static_cast<Absence>(reason)), count);
    }
    return out;
}

}  // namespace gotuned
