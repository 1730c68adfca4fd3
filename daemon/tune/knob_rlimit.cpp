// rlimit.NAME: a pair of limits of a process, by prlimit(2). The soft one is set; the hard one is raised only if it
// must be and may be. Both originals are kept, as exact numbers: a double does not hold every 64-bit limit.
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>

#include "base/text.h"
#include "rulebook/knob_catalogue.h"
#include "tune/crash_point.h"
#include "tune/knob.h"
#include "tune/knob_family.h"
#include "tune/process.h"

namespace gotuned {
namespace {

struct Resource {
    std::string_view name;
    __rlimit_resource number;  // prlimit(2) takes this enumeration
    Unit unit;
};
constexpr std::array resources = {
    Resource{"rlimit.nofile", RLIMIT_NOFILE, unit::count},
    Resource{"rlimit.nproc", RLIMIT_NPROC, unit::count},
    Resource{"rlimit.memlock", RLIMIT_MEMLOCK, unit::bytes},
    Resource{"rlimit.as", RLIMIT_AS, unit::bytes},
    Resource{"rlimit.core", RLIMIT_CORE, unit::bytes},
    Resource{"rlimit.cpu", RLIMIT_CPU, unit::count},
    Resource{"rlimit.data", RLIMIT_DATA, unit::bytes},
    Resource{"rlimit.fsize", RLIMIT_FSIZE, unit::bytes},
    Resource{"rlimit.locks", RLIMIT_LOCKS, unit::count},
    Resource{"rlimit.msgqueue", RLIMIT_MSGQUEUE, unit::bytes},
    Resource{"rlimit.nice", RLIMIT_NICE, unit::count},
    Resource{"rlimit.rss", RLIMIT_RSS, unit::bytes},
    Resource{"rlimit.rtprio", RLIMIT_RTPRIO, unit::count},
    Resource{"rlimit.rttime", RLIMIT_RTTIME, unit::count},
    Resource{"rlimit.sigpending", RLIMIT_SIGPENDING, unit::count},
    Resource{"rlimit.stack", RLIMIT_STACK, unit::bytes},
};

struct Pair {
    rlim_t soft = 0;
    rlim_t hard = 0;
};

std::string words(rlim_t limit) { return limit == RLIM_INFINITY ? "unlimited" : fmt::format("{}", limit); }
double number(rlim_t limit) { return limit == RLIM_INFINITY ? unlimited_value : static_cast<double>(limit); }
rlim_t limit(double value) {
    // 2^64 as a double is beyond every rlim_t: such a limit is none.
    return value >= 18446744073709551615.0 ? RLIM_INFINITY : static_cast<rlim_t>(std::trunc(value));
}

std::string encode_pair(const Pair& pair) { return words(pair.soft) + " " + words(pair.hard); }
Result<Pair> decode_pair(const std::string& text) {
    const auto parts = split(text, ' ');
    Pair pair;
    const auto parse = [](std::string_view part, rlim_t& out) {
        if (part == "unlimited") {
            out = RLIM_INFINITY;
            return true;
        }
        std::uint64_t value = 0;
        if (!parse_u64(part, value)) return false;
        out = value;
        return true;
    };
    if (parts.size() != 2 || !parse(parts[0], pair.soft) || !parse(parts[1], pair.hard)) {
        return fail("cannot understand the journaled limits \"" + clean_text(text) + "\"", EPROTO);
    }
    return pair;
}

class RlimitKnob final : public Knob {
public:
    explicit RlimitKnob(const Resource& resource) : resource_(resource) {}

    [[nodiscard]] KnobTraits traits() const override {
        return {.name = resource_.name, .scope = Scope::process, .inherited = true};
    }

    [[nodiscard]] KnobAbility ability(const Roots&, const std::string&) const override {
        if (has_capability(CAP_SYS_RESOURCE)) return {};
        return {true, "cannot raise hard limits, nor change limits of other users' processes: no CAP_SYS_RESOURCE"};
    }

    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override {
        const auto pair = get_set(at, nullptr);
        if (!pair) return fail(pair.error());
        return state(*pair);
    }

    [[nodiscard]] Result<Fitted> fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const override {
        const auto pair = get_set(at, nullptr);
        if (!pair) return fail(pair.error());
        const KnobInfo* const info = find_knob_info(resource_.name);
        std::optional<Limit> most;
        if (resource_.number == RLIMIT_NOFILE) {
            // prlimit(2) refuses a hard nofile above it, and a soft one is never above the hard.
            std::uint64_t highest = 0;
            const auto text = read_file(at.roots.proc + "/sys/fs/nr_open");
            if (text && parse_u64(*text, highest))
                most = Limit{static_cast<double>(highest), fmt::format("fs.nr_open is {}", highest)};
        }
        if (!has_capability(CAP_SYS_RESOURCE) && (!most || number(pair->hard) < most->value)) {
            most = Limit{
                number(pair->hard),
                fmt::format("the hard limit is {} and cannot be raised without CAP_SYS_RESOURCE", words(pair->hard))};
        }
        auto fitted = fit_quantity(planned, info != nullptr ? info->least : 0,
                                   info != nullptr ? info->most : unlimited_value, std::nullopt, most, unsafe);
        if (!fitted) return fitted;
        fitted->to = Quantity{number(limit(std::get<Quantity>(fitted->to).value)), resource_.unit};
        return fitted;
    }

    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState& before, const Value& to) const override {
        const auto* const quantity = std::get_if<Quantity>(&to);
        if (quantity == nullptr || quantity->value < 0) return fail(at.knob + " takes a quantity", EINVAL);
        const auto was = decode_pair(before.detail);
        if (!was) return fail(was.error());
        Pair wanted{limit(quantity->value), was->hard};
        std::string note;
        if (wanted.soft > wanted.hard) {
            wanted.hard = wanted.soft;
            auto raised = get_set(at, &wanted);
            if (!raised && raised.error().code == EPERM) {
                wanted = Pair{was->hard, was->hard};
                note = fmt::format("the hard limit could not be raised: clamped to {}", words(was->hard));
                raised = get_set(at, &wanted);
            }
            if (!raised) return fail(raised.error());
        } else if (auto set = get_set(at, &wanted); !set) {
            return fail(set.error());
        }
        auto held = read(at);
        if (!held) return fail(held.error());
        return Written{std::move(*held), std::move(note)};
    }

    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState& ours,
                                            Restore) const override {
        const auto now = get_set(at, nullptr);
        if (!now) return fail(now.error());
        const auto was = decode_pair(original.detail);
        if (!was) return fail(was.error());
        Pair wanted = *was;
        // Somebody else's hard limit stays. So does one of ours that was not touched: hard limits only go down for
        // good, and equal ones need no write.
        const auto set = decode_pair(ours.detail);
        if (set && now->hard != set->hard && now->hard != was->hard) wanted.hard = std::max(now->hard, was->soft);
        auto put = get_set(at, &wanted);
        if (!put && put.error().code == EPERM && wanted.hard > now->hard) {
            wanted = Pair{std::min(was->soft, now->hard), now->hard};
            put = get_set(at, &wanted);
        }
        if (!put) return fail(put.error());
        return read(at);
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt& at, const KnobState& original) const override {
        const auto was = decode_pair(original.detail);
        if (!was) return fail(was.error());
        if (was->soft == RLIM_INFINITY) return UndoSafety{};
        const auto now = get_set(at, nullptr);
        if (!now) return fail(now.error());
        if (was->soft >= now->soft) return UndoSafety{};  // wider than what is in force
        const auto used = usage(at);
        if (!used) return fail(used.error());
        if (!*used) return UndoSafety{};
        // A tenth to go on with until it is raised again, or eight when that is more.
        const double margin = std::max(8.0, number(was->soft) / 10);
        if (**used + margin <= number(was->soft)) return UndoSafety{};
        return UndoSafety{false,
                          fmt::format("{} in use, the old limit is {}", to_string(Quantity{**used, resource_.unit}),
                                      to_string(Quantity{number(was->soft), resource_.unit}))};
    }

    [[nodiscard]] std::string describe(const KnobState& state) const override {
        const auto pair = decode_pair(state.detail);
        if (!pair) return to_string(state.value);
        return fmt::format("{} (hard {})", to_string(state.value),
                           to_string(Quantity{number(pair->hard), resource_.unit}));
    }

private:
    [[nodiscard]] KnobState state(const Pair& pair) const {
        return KnobState{Quantity{number(pair.soft), resource_.unit}, encode_pair(pair)};
    }

    /// What there is to compare with the limit; nothing for limits that are not about something held.
    [[nodiscard]] Result<std::optional<double>> usage(const KnobAt& at) const {
        const auto pid = std::get<ProcessId>(at.target).pid;
        const auto kib_of = [&](std::string_view key) -> Result<std::optional<double>> {
            const auto kib = status_number(at.roots.proc, pid, key);
            if (!kib) return fail(kib.error());
            return static_cast<double>(*kib) * 1024;
        };
        const auto as_double = [](const Result<std::uint64_t>& value) -> Result<std::optional<double>> {
            if (!value) return fail(value.error());
            return static_cast<double>(*value);
        };
        switch (resource_.number) {
            case RLIMIT_NOFILE:
                return as_double(descriptors_in_use(at.roots.proc, pid));
            case RLIMIT_MEMLOCK:
                return kib_of("VmLck");
            case RLIMIT_AS:
                return kib_of("VmSize");
            case RLIMIT_DATA:
                return kib_of("VmData");
            case RLIMIT_STACK:
                return kib_of("VmStk");
            case RLIMIT_NPROC: {
                const auto uid = status_number(at.roots.proc, pid, "Uid");
                if (!uid) return fail(uid.error());
                return as_double(tasks_of_user(at.roots.proc, *uid));
            }
            default:
                return std::optional<double>{};
        }
    }

    /// prlimit(2) on a process that is checked to be the one meant before, and to have lived through it after.
    [[nodiscard]] Result<Pair> get_set(const KnobAt& at, const Pair* wanted) const {
        const auto* const id = std::get_if<ProcessId>(&at.target);
        if (id == nullptr) return fail(at.knob + " is a knob of a process", EINVAL, to_string(at.target));
        const auto held = HeldProcess::open(at.roots.proc, *id);
        if (!held) return fail(held.error());
        const std::string target = fmt::format("pid {}", id->pid);
        rlimit old{};
        if (wanted == nullptr) {
            if (::prlimit(id->pid, resource_.number, nullptr, &old) != 0)
                return fail("cannot read " + at.knob, errno, target);
        } else {
            const rlimit next{wanted->soft, wanted->hard};
            crash_point("before prlimit");
            const int put = ::prlimit(id->pid, resource_.number, &next, &old);
            const int code = errno;
            crash_point("after prlimit");
            if (put != 0) {
                return fail(
                    fmt::format("cannot set {} to {} (hard {})", at.knob, words(wanted->soft), words(wanted->hard)),
                    code, target,
                    code == EPERM ? "another user's process or a higher hard limit needs CAP_SYS_RESOURCE" : "");
            }
        }
        if (auto alive = held->check(); !alive) return fail(alive.error());
        return Pair{old.rlim_cur, old.rlim_max};
    }

    const Resource& resource_;
};

}  // namespace

std::span<const Knob* const> rlimit_knobs() {
    static const KnobFamily<RlimitKnob, decltype(resources)> family(resources);
    return family.table();
}

}  // namespace gotuned
