#include "tune/cpu_topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/text.h"

namespace gotuned {
namespace {

/// Path of a process in the hierarchy of a controller; "" is the unified one (cgroups(7)).
std::string cgroup_path(const std::string& content, std::string_view controller) {
    for (const std::string_view line : split(content, '\n')) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) continue;
        const auto controllers = split(line.substr(first + 1, second - first - 1), ',');
        if (std::find(controllers.begin(), controllers.end(), controller) != controllers.end())
            return std::string(line.substr(second + 1));
    }
    return {};
}

/// The file in the cgroup, or in the nearest of its parents that has it.
Result<CpuSet> nearest_list(const std::string& root, std::string path, const std::string& file) {
    for (;;) {
        const auto content = read_file(root + path + "/" + file);
        CpuSet cpus;
        if (content && CpuSet::parse(*content, cpus) && !cpus.empty()) return cpus;
        if (path.empty() || path == "/") return fail("no " + file);
        path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
}

/// How near two CPUs are: the number of caches that both use. CPUs of one core share them all.
class Nearness {
public:
    Nearness(const Roots& roots, const CpuSet& cpus) : cpus_(cpus.cpus()), near_(cpus_.size() * cpus_.size(), 0) {
        for (std::size_t i = 0; i < cpus_.size(); ++i) {
            const std::string cpu = fmt::format("{}/devices/system/cpu/cpu{}", roots.sys, cpus_[i]);
            for (int index = 0; index < 16; ++index) {
                const auto shared = read_file(fmt::format("{}/cache/index{}/shared_cpu_list", cpu, index));
                if (!shared) break;
                add(i, *shared);
            }
            // Without caches to go by (some virtual machines) the package still tells.
            if (const auto package = read_file(cpu + "/topology/package_cpus_list"); package) add(i, *package);
        }
    }
    [[nodiscard]] int of(std::size_t i, std::size_t j) const { return near_[i * cpus_.size() + j]; }

private:
    void add(std::size_t i, const std::string& list) {
        CpuSet shared;
        if (!CpuSet::parse(list, shared)) return;
        for (std::size_t j = 0; j < cpus_.size(); ++j)
            if (shared.contains(cpus_[j])) ++near_[i * cpus_.size() + j];
    }
    const std::vector<int>& cpus_;
    std::vector<int> near_;
};

/// Grows a set from one CPU, each time by the one that is nearest to (or farthest from) those already in it.
struct Grown {
    std::vector<std::size_t> members{};
    int nearness = 0;
};
Grown grow(const Nearness& nearness, std::size_t all, std::size_t start, std::size_t wanted, bool near) {
    Grown grown{{start}, 0};
    std::vector<int> to_set(all, 0);
    std::vector<bool> in(all, false);
    in[start] = true;
    while (grown.members.size() < wanted) {
        const std::size_t latest = grown.members.back();
        std::size_t best = all;
        for (std::size_t i = 0; i < all; ++i) {
            if (in[i]) continue;
            to_set[i] += nearness.of(latest, i);
            if (best == all || (near ? to_set[i] > to_set[best] : to_set[i] < to_set[best])) best = i;
        }
        in[best] = true;
        grown.nearness += to_set[best];
        grown.members.push_back(best);
    }
    return grown;
}

}  // namespace

Result<CpuSet> allowed_cpus(const Roots& roots, pid_t pid) {
    CpuSet online;
    const auto online_text = read_file(roots.sys + "/devices/system/cpu/online");
    if (!online_text) return fail(online_text.error());
    if (!CpuSet::parse(*online_text, online) || online.empty())
        return fail("cannot understand the list of CPUs that are online");
    const auto groups = read_file(fmt::format("{}/{}/cgroup", roots.proc, pid));
    if (!groups) return fail("cannot read the cgroups of the process", groups.error().code, fmt::format("pid {}", pid));
    Result<CpuSet> set = fail("no cpuset");
    if (const std::string v1 = cgroup_path(*groups, "cpuset"); !v1.empty()) {
        set = nearest_list(roots.sys + "/fs/cgroup/cpuset", v1, "cpuset.effective_cpus");
    } else if (!roots.cgroup2.empty()) {
        set = nearest_list(roots.cgroup2, cgroup_path(*groups, ""), "cpuset.cpus.effective");
    }
    if (!set) return online;
    const CpuSet both = set->intersect(online);
    return both.empty() ? online : both;
}

CpuSet choose_cpus(const Roots& roots, const CpuSet& allowed, const Adjust::Placement& placement) {
    const std::size_t all = allowed.size();
    const auto wanted = static_cast<std::size_t>(std::max(placement.cpus, 1));
    if (wanted >= all) return allowed;
    const Nearness nearness(roots, allowed);
    Grown best;
    const bool near = placement.kind == Adjust::Placement::Kind::pack;
    for (std::size_t start = 0; start < all; ++start) {
        Grown grown = grow(nearness, all, start, wanted, near);
        // Of equals the higher numbers: the first CPU serves more interrupts than the others on most hosts.
        if (best.members.empty() || (near ? grown.nearness >= best.nearness : grown.nearness <= best.nearness))
            best = std::move(grown);
    }
    std::vector<int> cpus;
    for (const std::size_t member : best.members) cpus.push_back(allowed.cpus()[member]);
    return CpuSet(std::move(cpus));
}

}  // namespace gotuned
