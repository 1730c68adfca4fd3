#include "tune/thread_masks.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "tune/crash_point.h"

namespace gotuned {
namespace {

/// Room for 8,192 CPUs, the most that Linux can be built for (NR_CPUS); the kernel ignores bits it has no CPU for.
constexpr std::size_t mask_words = 8192 / (sizeof(unsigned long) * CHAR_BIT);
using Bits = std::array<unsigned long, mask_words>;
constexpr std::size_t word_bits = sizeof(unsigned long) * CHAR_BIT;

Result<ThreadMask> parse_mask(std::string_view text) {
    ThreadMask mask;
    mask.full = text == "full";
    if (!mask.full && (!CpuSet::parse(text, mask.cpus) || mask.cpus.empty())) {
        return fail("cannot understand the journaled mask \"" + clean_text(text) + "\"", EPROTO);
    }
    return mask;
}

}  // namespace

const ThreadMask& ThreadMasks::of(pid_t thread) const {
    const auto other = others.find(thread);
    return other == others.end() ? common : other->second;
}

std::string ThreadMasks::encode() const {
    std::map<std::string, std::string> threads;
    for (const auto& [thread, mask] : others) {
        std::string& list = threads[mask.text()];
        list += (list.empty() ? "" : "+") + std::to_string(thread);
    }
    std::string text = common.text();
    for (const auto& [mask, list] : threads) text += ";" + mask + "=" + list;
    return text;
}

Result<ThreadMasks> ThreadMasks::decode(std::string_view text) {
    ThreadMasks masks;
    const auto parts = split(text, ';');
    auto common = parse_mask(parts.front());
    if (!common) return fail(common.error());
    masks.common = std::move(*common);
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const std::size_t equals = parts[i].find('=');
        const auto mask = parse_mask(parts[i].substr(0, equals));
        if (!mask || equals == std::string_view::npos) return fail("cannot understand the journaled masks", EPROTO);
        for (const std::string_view thread : split(parts[i].substr(equals + 1), '+')) {
            std::uint64_t number = 0;
            if (!parse_u64(thread, number) || number > INT_MAX)
                return fail("cannot understand the journaled masks", EPROTO);
            masks.others[static_cast<pid_t>(number)] = *mask;
        }
    }
    return masks;
}

ThreadMasks ThreadMasks::from(const std::map<pid_t, ThreadMask>& all) {
    std::map<std::string, std::size_t> counts;
    for (const auto& [thread, mask] : all) ++counts[mask.text()];
    ThreadMasks masks;
    std::size_t most = 0;
    for (const auto& [thread, mask] : all) {
        const std::size_t threads = counts[mask.text()];
        if (threads > most) {
            most = threads;
            masks.common = mask;
        }
    }
    for (const auto& [thread, mask] : all)
        if (mask != masks.common) masks.others[thread] = mask;
    return masks;
}

Result<CpuSet> thread_cpus(pid_t thread) {
    Bits bits{};
    const long size = ::syscall(SYS_sched_getaffinity, thread, sizeof bits, bits.data());
    if (size < 0) return fail("cannot read the affinity", errno, fmt::format("thread {}", thread));
    std::vector<int> cpus;
    for (std::size_t cpu = 0; cpu < static_cast<std::size_t>(size) * CHAR_BIT; ++cpu)
        if ((bits[cpu / word_bits] >> (cpu % word_bits) & 1U) != 0) cpus.push_back(static_cast<int>(cpu));
    return CpuSet(std::move(cpus));
}

Status set_thread_mask(pid_t thread, const ThreadMask& mask) {
    Bits bits{};
    if (mask.full) bits.fill(~0UL);
    for (const int cpu : mask.cpus.cpus()) {
        const auto index = static_cast<std::size_t>(cpu);
        if (index < mask_words * word_bits) bits[index / word_bits] |= 1UL << (index % word_bits);
    }
    crash_point("before sched_setaffinity");
    const long put = ::syscall(SYS_sched_setaffinity, thread, sizeof bits, bits.data());
    const int code = errno;
    crash_point("after sched_setaffinity");
    if (put != 0) {
        return fail("cannot set the affinity to " + mask.text(), code, fmt::format("thread {}", thread),
                    code == EPERM ? "another user's process needs CAP_SYS_NICE" : "");
    }
    return {};
}

}  // namespace gotuned
