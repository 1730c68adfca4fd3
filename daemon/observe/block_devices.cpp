#include "observe/block_devices.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"
#include "observe/held_directory.h"

namespace gotuned {
namespace {

using enum Signal;

bool whole_disk(const Roots& roots, std::string name) {
    std::replace(name.begin(), name.end(), '/', '!');  // as sysfs writes it
    return ::access((roots.sys + "/block/" + name).c_str(), F_OK) == 0;
}

}  // namespace

Reading<DiskCounts> parse_diskstats_line(std::string_view line) {
    constexpr std::size_t name = 2, first = 3;
    // Places behind the name: reads 0 and their ms 3, writes 4 and 7, in flight 8, busy 9, discards 11 and 14 (4.18),
    // flushes 15 and 16 (5.5).
    constexpr std::array<std::size_t, 4> requests{0, 4, 11, 15};
    constexpr std::array<std::size_t, 4> milliseconds{3, 7, 14, 16};
    constexpr std::size_t inflight = 8, busy = 9, least = 11;
    std::vector<std::string_view> words;
    for (const std::string_view word : split(trim(line), ' '))
        if (!word.empty()) words.push_back(word);
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = first; i < words.size(); ++i) {
        std::uint64_t number = 0;
        if (!parse_u64(words[i], number)) return Absent{Absence::malformed, "diskstats has a word where a number is"};
        numbers.push_back(number);
    }
    if (numbers.size() < least) return Absent{Absence::malformed, "a line of diskstats is too short"};
    DiskCounts out;
    out.name = words[name];
    for (const std::size_t place : requests)
        if (place < numbers.size()) out.requests += numbers[place];
    for (const std::size_t place : milliseconds)
        if (place < numbers.size()) out.waited_ms += numbers[place];
    out.inflight = numbers[inflight];
    out.busy_ms = numbers[busy];
    return out;
}

void BlockDevices::read(HostState& host, const Roots& roots, MonoTime now) {
    const auto text = read_file(roots.proc + "/diskstats", 1U << 20U);
    if (!text) {
        for (const Signal id : {host_block_await, host_block_inflight, host_block_util})
            host.signals.set(id, absent_of(text.error()));
        return;
    }
    for (auto& [name, device] : devices_) device.seen = false;
    auto& await = host.keyed[host_block_await];
    auto& inflight = host.keyed[host_block_inflight];
    auto& util = host.keyed[host_block_util];
    std::size_t told = 0;
    for (const std::string_view line : split(*text, '\n')) {
        const auto counts = parse_diskstats_line(line);
        if (!counts || counts->requests == 0 || told == most) continue;
        const auto known = devices_.find(counts->name);
        if (known == devices_.end() && !whole_disk(roots, counts->name)) continue;
        ++told;
        Device& device = known == devices_.end() ? devices_[counts->name] : known->second;
        device.seen = true;
        const auto requests = device.requests.grow(counts->requests, now);
        const auto waited = device.waited.grow(counts->waited_ms, now);
        const auto busy = device.busy.grow(counts->busy_ms, now);
        inflight[counts->name] = {SignalValue(count(static_cast<double>(counts->inflight))), {}};
        if (!requests || !waited || !busy) {
            const Absent& why = !requests ? requests.absent() : !waited ? waited.absent() : busy.absent();
            await[counts->name] = util[counts->name] = {why, {}};
            continue;
        }
        util[counts->name] = {SignalValue(ratio(std::min(1.0, busy->per_second() / 1000))), {}};
        if (requests->amount == 0) {
            await[counts->name] = {Absent{Absence::no_data, "no request was completed"}, {}};
            continue;
        }
        const double each = static_cast<double>(waited->amount) / static_cast<double>(requests->amount) / 1000;
        await[counts->name] = {SignalValue(Quantity{each, unit::time}), {}};
    }
    std::erase_if(devices_, [](const auto& entry) { return !entry.second.seen; });
}

}  // namespace gotuned
