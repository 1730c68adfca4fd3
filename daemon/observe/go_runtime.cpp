#include "observe/go_runtime.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/files.h"

namespace gotuned {
namespace {

// What cannot be is not believed: the address space of a process, more goroutines or Ps than its memory could hold.
constexpr std::uint64_t most_memory = std::uint64_t{1} << 47U;
constexpr std::uint64_t most_goroutines = std::uint64_t{1} << 30U;
constexpr std::int32_t most_gomaxprocs = 1 << 20U;
/// Each P is a part of the one call, two when they are looked up.
constexpr std::uint64_t most_ps = 480;
/// A P that has 64 free goroutines gives half of them to the global list (gfput in runtime/proc.go).
constexpr std::int32_t most_free_of_p = 64;
constexpr std::uint64_t longest_version = 128;
constexpr int attempts = 3;

Absent impossible(const char* what) { return {Absence::malformed, std::string(what) + " cannot be true"}; }
Absent not_in(const GoLayout& layout, const char* what) {
    return {Absence::not_supported, "Go 1." + std::to_string(layout.minor) + " has no " + what};
}

std::size_t index_of(GoVariable variable) {
    return static_cast<std::size_t>(variable) - static_cast<std::size_t>(GoVariable::sched);
}

/// All that is copied, with its size.
std::vector<std::pair<GoPlace, std::size_t>> fields_of(const GoLayout& layout) {
    return {{layout.sched_free, 4},    {layout.sched_free_no_stack, 4},
            {layout.sched_system, 4},  {layout.gc_count, 4},
            {layout.gc_pauses, 2048},  {layout.gc_time, 8},
            {layout.gc_idle_time, 8},  {layout.heap_marked, 8},
            {layout.next_gc, 8},       {layout.percent_goal, 8},
            {layout.sweep_trigger, 8}, {layout.triggered, 8},
            {layout.memory_limit, 8},  {layout.mapped_ready, 8},
            {layout.heap_released, 8}, {layout.heap_free, 8},
            {layout.total_alloc, 8},   {layout.total_free, 8},
            {layout.heap_sys, 8},      {layout.stacks_sys, 8},
            {layout.stacks_in_use, 8}, {layout.mspan_sys, 8},
            {layout.mcache_sys, 8},    {layout.buckhash_sys, 8},
            {layout.gc_sys, 8},        {layout.other_sys, 8}};
}

/// Where the kernel loaded it less where it was linked to: AT_ENTRY (getauxval(3)) is the executable's own entry as the
/// kernel reckoned it at exec(2), in one small read; maps would have to be searched for the executable's first line.
Reading<std::uint64_t> load_bias(const std::string& proc, pid_t pid, const GoSymbols& symbols) {
    if (symbols.position_independent == 0) return std::uint64_t{0};
    const auto vector = read_file(proc + "/" + std::to_string(pid) + "/auxv");
    if (!vector) {
        const int code = vector.error().code;
        if (code == ENOENT || code == ESRCH) return Absence::vanished;
        return Absent{code == EACCES || code == EPERM ? Absence::not_permitted : Absence::no_data,
                      "its auxiliary vector cannot be read"};
    }
    Elf64_auxv_t one{};
    for (std::size_t at = 0; at + sizeof one <= vector->size(); at += sizeof one) {
        std::memcpy(&one, vector->data() + at, sizeof one);
        if (one.a_type != AT_ENTRY || one.a_un.a_val < symbols.entry) continue;
        const std::uint64_t bias = one.a_un.a_val - symbols.entry;
        if (bias % 4096 == 0) return bias;
    }
    return Absent{Absence::malformed, "its auxiliary vector does not say where it was loaded"};
}

}  // namespace

struct GoRuntime::Copied {
    /// A stretch of a variable, from the first field that is read to the last.
    struct Stretch {
        std::uint64_t begin = 0;
        std::vector<std::uint8_t> bytes{};
    };
    std::array<Stretch, 4> stretches{};  ///< sched, memstats, controller, work
    std::uint32_t gc_count = 0;          ///< copied before the pauses, so that these are complete
    std::int32_t gomaxprocs = 0;
    std::uint64_t allglen = 0;
    Slice allp{};
    Text version{};  ///< the witness that this is still the same image
    std::vector<std::int32_t> p_free{};

    template <typename T>
    [[nodiscard]] T get(const GoPlace& place) const {
        const Stretch& from = stretches[index_of(place.in)];
        T value{};
        std::memcpy(&value, from.bytes.data() + (place.offset - from.begin), sizeof value);
        return value;
    }
    [[nodiscard]] Reading<std::uint64_t> bytes_of(const GoPlace& place) const {
        const auto value = get<std::uint64_t>(place);
        if (value >= most_memory) return impossible("an amount of memory");
        return value;
    }
};

GoRuntimeValues absent_values(const Absent& why) {
    GoRuntimeValues out;
    out.version = why;
    for (auto* number : {&out.gomaxprocs, &out.goroutines, &out.gc_count, &out.gc_cpu_ns, &out.heap_live,
                         &out.heap_goal, &out.memory_limit, &out.sys, &out.in_use, &out.total_alloc}) {
        *number = why;
    }
    return out;
}

Reading<bool> can_be_read(const GoBuild& build) {
    if (!build.symbols) return Absent{Absence::not_observed, {}};
    const GoSymbols& symbols = *build.symbols;
    if (symbols.outcome != SymbolsOutcome::found)
        return Absent{Absence::not_supported, std::string(describe(symbols.outcome))};
    for (const GoSymbol needed : {GoSymbol::build_version, GoSymbol::gomaxprocs, GoSymbol::allglen, GoSymbol::allp,
                                  GoSymbol::sched, GoSymbol::memstats, GoSymbol::controller, GoSymbol::work}) {
        if (symbols.at(needed).address == 0)
            return Absent{Absence::not_supported, "the executable has no symbol " + std::string(symbol_name(needed))};
    }
    return true;
}

GoRuntime::GoRuntime(const GoProcess& process, std::string proc, std::shared_ptr<const RemoteMemory> memory)
    : pid_(process.id.pid), build_(process.build), proc_(std::move(proc)), memory_(std::move(memory)) {
    if (const auto readable = can_be_read(build_); !readable) {
        hopeless_ = readable.absent();
        is_hopeless_ = true;
    }
}

std::uint64_t GoRuntime::address_of(GoSymbol symbol) const { return build_.symbols->at(symbol).address + bias_; }

Reading<bool> GoRuntime::attach() {
    if (is_hopeless_) return hopeless_;
    const auto bias = load_bias(proc_, pid_, *build_.symbols);
    if (!bias) return bias.absent();
    bias_ = *bias;
    if (const auto version = read_version(); !version) return version;
    auto layout = find_go_layout(version_, build_.symbols->machine);
    if (layout) layout = check_sizes(**layout, *build_.symbols);
    if (!layout) {
        hopeless_ = layout.absent();
        is_hopeless_ = true;
        return hopeless_;
    }
    layout_ = *layout;
    return true;
}

/// The proof that the symbols are this process's: the text at runtime.buildVersion is what the executable says.
Reading<bool> GoRuntime::read_version() {
    const auto header = memory_->read(pid_, {{address_of(GoSymbol::build_version), &version_text_, sizeof(Text)}});
    if (!header) return header.absent();
    const Absent wrong{Absence::malformed, "the runtime's memory does not hold the version that the executable tells"};
    if (version_text_.length == 0 || version_text_.length > longest_version) return wrong;
    std::string text(version_text_.length, '\0');
    const auto got = memory_->read(pid_, {{version_text_.data, text.data(), text.size()}});
    if (!got) return got.absent().reason == Absence::malformed ? wrong : got.absent();
    // The build information of Go 1.18 and newer is the same text; a PIE of an older one does not tell it.
    if (!build_.version.empty() && build_.version != text) return wrong;
    version_ = std::move(text);
    return true;
}

/// What one reading copies, in the order of copying.
std::vector<RemotePart> GoRuntime::plan(Copied& into) const {
    constexpr std::array symbols{GoSymbol::sched, GoSymbol::memstats, GoSymbol::controller, GoSymbol::work};
    std::array<std::pair<std::uint64_t, std::uint64_t>, symbols.size()> ranges{};
    ranges.fill({UINT64_MAX, 0});
    for (const auto& [place, size] : fields_of(*layout_)) {
        if (!place) continue;
        auto& [begin, end] = ranges[index_of(place.in)];
        begin = std::min<std::uint64_t>(begin, place.offset);
        end = std::max<std::uint64_t>(end, place.offset + size);
    }
    std::vector<RemotePart> parts;
    parts.reserve(5 + symbols.size() + ps_.size());
    parts.push_back({address_of(GoSymbol::memstats) + layout_->gc_count.offset, &into.gc_count, sizeof into.gc_count});
    parts.push_back({address_of(GoSymbol::build_version), &into.version, sizeof into.version});
    parts.push_back({address_of(GoSymbol::gomaxprocs), &into.gomaxprocs, sizeof into.gomaxprocs});
    parts.push_back({address_of(GoSymbol::allp), &into.allp, sizeof into.allp});
    parts.push_back({address_of(GoSymbol::allglen), &into.allglen, sizeof into.allglen});
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        const auto& [begin, end] = ranges[i];
        if (begin >= end) continue;
        Copied::Stretch& stretch = into.stretches[i];
        stretch.begin = begin;
        stretch.bytes.resize(end - begin);
        parts.push_back({address_of(symbols[i]) + begin, stretch.bytes.data(), stretch.bytes.size()});
    }
    into.p_free.resize(ps_.size());
    for (std::size_t i = 0; i < ps_.size(); ++i)
        parts.push_back({ps_[i] + layout_->p_free.offset, &into.p_free[i], sizeof into.p_free[i]});
    return parts;
}

Reading<bool> GoRuntime::copy(Copied& into) {
    for (int attempt = 0;; ++attempt) {
        if (const auto copied = memory_->read(pid_, plan(into)); !copied) return copied.absent();
        if (into.version != version_text_) return Absent{Absence::vanished, "it executes something else now"};
        if (into.allp == known_allp_ && ps_known_) return true;
        if (attempt == attempts) return true;  // the goroutines are then absent
        ps_known_ = find_ps(into.allp);
        if (!ps_known_) return true;
    }
}

/// Ps are made when GOMAXPROCS grows and never freed, so their addresses hold as long as allp is the same.
Reading<bool> GoRuntime::find_ps(const Slice& allp) {
    ps_.clear();
    known_allp_ = {};
    if (allp.length == 0) return Absent{Absence::no_data, "its runtime has not started"};
    if (allp.length > most_ps) return Absent{Absence::not_supported, "GOMAXPROCS is above " + std::to_string(most_ps)};
    const Absent wrong{Absence::malformed, "runtime.allp does not hold what it should"};
    if (allp.length > allp.capacity || allp.data % 8 != 0) return wrong;
    std::vector<std::uint64_t> ps(allp.length);
    if (const auto got = memory_->read(pid_, {{allp.data, ps.data(), ps.size() * 8}}); !got) return got.absent();

    struct List {
        std::uint64_t head = 0;
        std::int32_t length = 0;
    };
    std::vector<std::int32_t> ids(ps.size());
    std::vector<List> lists(ps.size());
    std::vector<RemotePart> parts;
    for (std::size_t i = 0; i < ps.size(); ++i) {
        parts.push_back({ps[i] + layout_->p_id.offset, &ids[i], sizeof ids[i]});
        parts.push_back({ps[i] + layout_->p_free_head.offset, &lists[i], offsetof(List, length) + 4});
    }
    if (const auto got = memory_->read(pid_, parts); !got) return got.absent();
    // struct p is no variable whose size the symbol table tells: that its fields are where they should be is seen by
    // what they hold. A list that changes at this very moment is looked at again at the next reading.
    for (std::size_t i = 0; i < ps.size(); ++i) {
        const List& list = lists[i];
        if (ids[i] != static_cast<std::int32_t>(i) || list.length < 0 || list.length > most_free_of_p ||
            (list.length == 0) != (list.head == 0)) {
            return wrong;
        }
    }
    ps_ = std::move(ps);
    known_allp_ = allp;
    return true;
}

GoRuntimeValues GoRuntime::read() {
    if (layout_ == nullptr) {
        if (const auto attached = attach(); !attached) {
            auto out = absent_values(attached.absent());
            if (!version_.empty()) out.version = version_;
            return out;
        }
    }
    Copied copied;
    if (const auto done = copy(copied); !done) {
        layout_ = nullptr;  // looked up anew at the next reading: exec(2) puts another image in its place
        known_allp_ = {};
        ps_.clear();
        return absent_values(done.absent());
    }
    return understand(copied);
}

GoRuntimeValues GoRuntime::understand(const Copied& from) const {
    GoRuntimeValues out;
    if (from.gomaxprocs == 0) out = absent_values({Absence::no_data, "its runtime has not started"});
    out.version = version_;
    if (from.gomaxprocs == 0) return out;
    out.gomaxprocs = from.gomaxprocs > 0 && from.gomaxprocs <= most_gomaxprocs
                         ? Reading<std::uint64_t>(static_cast<std::uint64_t>(from.gomaxprocs))
                         : impossible("GOMAXPROCS");
    out.goroutines = goroutines(from);
    out.gc_count = std::uint64_t{from.gc_count};
    out.pauses_ns = from.get<decltype(out.pauses_ns)>(layout_->gc_pauses);
    out.gc_cpu_ns = gc_cpu(from);
    out.heap_live = from.gc_count == 0 ? Absent{Absence::no_data, "it has not collected garbage yet"}
                                       : from.bytes_of(layout_->heap_marked);
    out.heap_goal = heap_goal(from);
    out.memory_limit = memory_limit(from);
    set_memory(out, from);
    out.total_alloc = layout_->total_alloc ? Reading<std::uint64_t>(from.get<std::uint64_t>(layout_->total_alloc))
                                           : not_in(*layout_, "count of the bytes that it allocated");
    return out;
}

/// gcount() in runtime/proc.go.
Reading<std::uint64_t> GoRuntime::goroutines(const Copied& from) const {
    if (!ps_known_) return ps_known_.absent();
    if (from.allp != known_allp_) return impossible("a list of Ps that changes at each look");
    std::int64_t free = from.get<std::int32_t>(layout_->sched_free);
    if (layout_->sched_free_no_stack) free += from.get<std::int32_t>(layout_->sched_free_no_stack);
    for (const std::int32_t one : from.p_free) {
        if (one < 0 || one > most_free_of_p) return impossible("a P's list of free goroutines");
        free += one;
    }
    const std::int64_t system = from.get<std::int32_t>(layout_->sched_system);
    if (from.allglen > most_goroutines) return impossible("the number of goroutines");
    const std::int64_t alive = static_cast<std::int64_t>(from.allglen) - free - system;
    // While it runs, at least one does; the runtime reports no less either.
    if (free < 0 || system < 0 || alive < -most_free_of_p) return impossible("the number of goroutines");
    return static_cast<std::uint64_t>(std::max<std::int64_t>(alive, 1));
}

/// What GCCPUFraction is made of (gcMarkTermination in runtime/mgc.go).
Reading<std::uint64_t> GoRuntime::gc_cpu(const Copied& from) const {
    const auto all = from.get<std::int64_t>(layout_->gc_time);
    const auto idle = layout_->gc_idle_time ? from.get<std::int64_t>(layout_->gc_idle_time) : 0;
    if (all < 0 || idle < 0 || idle > all) return impossible("the collector's CPU time");
    return static_cast<std::uint64_t>(all - idle);
}

/// gcControllerState.heapGoalInternal and memoryLimitHeapGoal in runtime/mgcpacer.go; before 1.19 it is kept as it is.
Reading<std::uint64_t> GoRuntime::heap_goal(const Copied& from) const {
    const GoLayout& at = *layout_;
    if (at.next_gc) {
        const auto goal = from.get<std::uint64_t>(at.next_gc);
        if (goal == GoRuntimeValues::never) return goal;
        return from.bytes_of(at.next_gc);
    }
    const auto marked = from.get<std::uint64_t>(at.heap_marked);
    const auto ready = from.get<std::uint64_t>(at.mapped_ready);
    const auto used = from.get<std::uint64_t>(at.heap_free) + from.get<std::uint64_t>(at.total_alloc) -
                      from.get<std::uint64_t>(at.total_free);
    const auto limit = from.get<std::int64_t>(at.memory_limit);
    if (ready >= most_memory || marked >= most_memory || limit < 0) return impossible("the heap's goal");
    // Not copied at one moment: the collector's own look at them tries again when they do not fit.
    if (used > ready) return Absent{Absence::no_data, "the heap was changing while it was read"};

    const auto by_limit = [&]() -> std::uint64_t {
        const auto most = static_cast<std::uint64_t>(limit);
        const std::uint64_t overage = ready > most ? ready - most : 0;
        const std::uint64_t others = ready - used + overage;
        if (others >= most) return marked;
        const std::uint64_t goal = most - others;
        constexpr std::uint64_t least_headroom = 1U << 20U;
        const std::uint64_t headroom = at.minor >= 21 ? std::max(goal / 100 * 3, least_headroom) : least_headroom;
        return std::max(marked, goal < headroom || goal - headroom < headroom ? headroom : goal - headroom);
    };
    std::uint64_t goal = from.get<std::uint64_t>(at.percent_goal);
    if (const std::uint64_t limited = by_limit(); limited < goal) {
        goal = limited;
    } else {
        constexpr std::uint64_t least_runway = 64U << 10U;
        goal = std::max(goal, from.get<std::uint64_t>(at.sweep_trigger));
        const auto triggered = from.get<std::uint64_t>(at.triggered);
        if (triggered != UINT64_MAX && goal < triggered + least_runway) goal = triggered + least_runway;
    }
    // With the collector off the goal is the largest number, or, with the largest limit, what that leaves.
    return goal >= most_memory ? GoRuntimeValues::never : goal;
}

Reading<std::uint64_t> GoRuntime::memory_limit(const Copied& from) const {
    if (!layout_->memory_limit) return not_in(*layout_, "memory limit");
    const auto limit = from.get<std::int64_t>(layout_->memory_limit);
    if (limit < 0) return impossible("the memory limit");
    return limit == INT64_MAX ? GoRuntimeValues::never : static_cast<std::uint64_t>(limit);
}

/// readmemstats_m in runtime/mstats.go: what is mapped and ready, and what was given back, is all that the runtime has;
/// it checks that itself. Before 1.19 the parts have to be added up.
void GoRuntime::set_memory(GoRuntimeValues& out, const Copied& from) const {
    const GoLayout& at = *layout_;
    const auto released = from.bytes_of(at.heap_released);
    Reading<std::uint64_t> all = std::uint64_t{0};
    const std::vector<GoPlace> parts =
        at.mapped_ready ? std::vector<GoPlace>{at.mapped_ready, at.heap_released}
                        : std::vector<GoPlace>{at.heap_sys,   at.stacks_sys,   at.stacks_in_use, at.mspan_sys,
                                               at.mcache_sys, at.buckhash_sys, at.gc_sys,        at.other_sys};
    for (const GoPlace& part : parts) {
        const auto one = from.bytes_of(part);
        all = !all ? all : !one ? one : Reading<std::uint64_t>(*all + *one);
    }
    if (all && released && *released > *all) all = impossible("the memory that was given back");
    out.sys = all;
    out.in_use = all && released ? Reading<std::uint64_t>(*all - *released) : !all ? all : released;
}

}  // namespace gotuned
