// A Go runtime's memory as a test wants it: the variables of a release in their places, behind a RemoteMemory.
#pragma once

#include <elf.h>

#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "discover/go_process.h"
#include "observe/go_layout.h"
#include "observe/remote_memory.h"

namespace gotuned {

class GoImage final : public RemoteMemory {
public:
    explicit GoImage(const std::string& version = "go1.22.3", int ps = 4)
        : version_(version), layout_(*find_go_layout(version, EM_X86_64).value()) {
        auto symbols = std::make_shared<GoSymbols>();
        symbols->outcome = SymbolsOutcome::found;
        symbols->machine = EM_X86_64;
        const auto place = [&](GoSymbol symbol, std::uint64_t address, std::uint64_t size) {
            symbols->places[static_cast<std::size_t>(symbol)] = {address, size, 0};
            bytes_[address].resize(size);
        };
        place(GoSymbol::build_version, 0x5000, 16);
        place(GoSymbol::gomaxprocs, 0x5100, 4);
        place(GoSymbol::allglen, 0x5200, 8);
        place(GoSymbol::allp, 0x5300, 24);
        place(GoSymbol::sched, 0x10000, layout_.sizes.sched);
        place(GoSymbol::memstats, 0x60000, layout_.sizes.memstats);
        place(GoSymbol::controller, 0x30000, layout_.sizes.controller);
        place(GoSymbol::work, 0x40000, layout_.sizes.work);
        symbols_ = symbols;
        write<std::uint64_t>(0x5000, 0x6000);
        write<std::uint64_t>(0x5008, version.size());
        bytes_[0x6000].assign(version.begin(), version.end());
        set_procs(ps);
        write<std::uint64_t>(0x5200, 10);
        set(layout_.sched_system, std::int32_t{4});
        if (layout_.memory_limit) set(layout_.memory_limit, std::int64_t{INT64_MAX});
        if (layout_.triggered) set(layout_.triggered, std::uint64_t{UINT64_MAX});
    }
    [[nodiscard]] const GoLayout& layout() const { return layout_; }
    [[nodiscard]] GoProcess process(pid_t pid = 10) const {
        GoProcess out;
        out.id.pid = pid;
        out.build.version = version_;
        out.build.symbols = symbols_;
        return out;
    }

    /// GOMAXPROCS and its Ps, in a new array, as when it grows.
    void set_procs(int ps) {
        const std::uint64_t array = 0x100000 + 0x10000 * static_cast<std::uint64_t>(++arrays_);
        write<std::int32_t>(0x5100, ps);
        bytes_[array].resize(static_cast<std::size_t>(ps) * 8);
        for (int i = 0; i < ps; ++i) {
            write<std::uint64_t>(array + 8 * static_cast<std::uint64_t>(i), p(i));
            bytes_[p(i)].resize(8192);
            write<std::int32_t>(p(i) + layout_.p_id.offset, i);
        }
        write<std::uint64_t>(0x5300, array);
        write<std::uint64_t>(0x5308, static_cast<std::uint64_t>(ps));
        write<std::uint64_t>(0x5310, static_cast<std::uint64_t>(ps));
    }
    static std::uint64_t p(int index) { return 0x1000000 + 0x10000 * static_cast<std::uint64_t>(index); }
    void set_free_of_p(int index, std::int32_t count) {
        write<std::uint64_t>(p(index) + layout_.p_free_head.offset, count == 0 ? 0 : 0xc000000000);
        write<std::int32_t>(p(index) + layout_.p_free.offset, count);
    }
    void set_goroutines(std::uint64_t ever) { write<std::uint64_t>(0x5200, ever); }
    template <typename T>
    void set(const GoPlace& place, T value, std::size_t index = 0) {
        const std::uint64_t base = place.in == GoVariable::sched        ? 0x10000
                                   : place.in == GoVariable::memstats   ? 0x60000
                                   : place.in == GoVariable::controller ? 0x30000
                                                                        : 0x40000;
        write<T>(base + place.offset + index * sizeof(T), value);
    }
    template <typename T>
    void write(std::uint64_t address, T value) {
        const std::lock_guard lock(mutex_);
        auto entry = bytes_.upper_bound(address);
        --entry;
        if (entry->second.size() < address - entry->first + sizeof value)
            entry->second.resize(address - entry->first + sizeof value);
        std::memcpy(entry->second.data() + (address - entry->first), &value, sizeof value);
    }

    [[nodiscard]] Reading<std::size_t> read(pid_t, const std::vector<RemotePart>& parts) const override {
        ++calls;
        const std::lock_guard lock(mutex_);
        if (refuses.reason != Absence::not_observed) return refuses;
        for (const RemotePart& part : parts) {
            auto entry = bytes_.upper_bound(part.address);
            if (entry == bytes_.begin()) return Absence::malformed;
            --entry;
            const std::uint64_t inside = part.address - entry->first;
            if (inside + part.size > entry->second.size()) return Absence::malformed;
            std::memcpy(part.into, entry->second.data() + inside, part.size);
        }
        return std::size_t{1};
    }
    mutable std::atomic<int> calls{0};
    Absent refuses{Absence::not_observed, {}};

private:
    std::string version_;
    GoLayout layout_;
    std::shared_ptr<const GoSymbols> symbols_{};
    std::map<std::uint64_t, std::vector<std::uint8_t>> bytes_{};
    mutable std::mutex mutex_{};
    int arrays_ = 0;
};

}  // namespace gotuned
