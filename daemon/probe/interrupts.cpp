#include "probe/interrupts.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "probe/arithmetic.h"

namespace gotuned {
namespace {

Distribution gained(const gt_named_hist& now, const gt_named_hist& before, std::uint32_t window) {
    return difference(now.hist, before.hist, now.window == window ? now.hist.max_ns : 0);
}

}  // namespace

InterruptReader::Totals InterruptReader::read(int map, std::size_t key_size, std::size_t most) {
    // One call for the whole map (5.6): a call for each of its elements would be hundreds a tick.
    std::vector<unsigned char> keys(key_size * most);
    std::vector<gt_named_hist> values(most);
    std::uint32_t count = static_cast<std::uint32_t>(most);
    std::uint64_t next = 0;
    bpf_map_batch_opts options{};
    options.sz = sizeof options;
    const int error = bpf_map_lookup_batch(map, nullptr, &next, keys.data(), values.data(), &count, &options);
    Totals out;
    if (error != 0 && error != -ENOENT && errno != ENOENT) return out;  // ENOENT: that was all
    for (std::uint32_t i = 0; i < count; ++i) {
        std::uint64_t key = 0;
        std::memcpy(&key, keys.data() + i * key_size, key_size);
        out[key] = values[i];
    }
    return out;
}

void InterruptReader::add(std::map<std::string, Distribution>& into, const Totals& now, const Totals& before,
                          std::uint32_t window) {
    static const gt_named_hist nothing{};
    for (const auto& [key, total] : now) {
        const auto known = before.find(key);
        const std::string name(total.name, ::strnlen(total.name, sizeof total.name));
        // Two with one name (queues that share it) are told as one.
        into[name].add(gained(total, known == before.end() ? nothing : known->second, window));
    }
}

InterruptDelta InterruptReader::take(std::uint32_t window) {
    InterruptDelta delta;
    Totals softirqs = read(maps_.softirqs, sizeof(std::uint32_t), GT_SOFTIRQS);
    for (const auto& [vector, total] : softirqs)
        if (vector < GT_SOFTIRQS) delta.softirqs[vector] = gained(total, softirqs_[vector], window);
    Totals handlers = read(maps_.handlers, sizeof(std::uint64_t), GT_MAX_HANDLERS);
    Totals drivers = read(maps_.drivers, sizeof(std::uint64_t), GT_MAX_DRIVERS);
    add(delta.handlers, handlers, handlers_, window);
    add(delta.drivers, drivers, drivers_, window);
    softirqs_ = std::move(softirqs);
    handlers_ = std::move(handlers);
    drivers_ = std::move(drivers);
    return delta;
}

}  // namespace gotuned
