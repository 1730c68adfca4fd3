// cgroup.memory.*: files of the memory controller of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst), through
// a directory whose inode is checked. memory.high and memory.max never go below what the cgroup works with now.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>

#include "base/text.h"
#include "rulebook/knob_catalogue.h"
#include "tune/cgroup_directory.h"
#include "tune/crash_point.h"
#include "tune/knob.h"
#include "tune/knob_family.h"

namespace gotuned {
namespace {

constexpr double mib = 1024.0 * 1024;

enum class Kind { limit, protection, swap, reclaim };
struct File {
    std::string_view knob;
    std::string_view file;
    Kind kind;
};
constexpr std::array files = {
    File{"cgroup.memory.high", "memory.high", Kind::limit},
    File{"cgroup.memory.max", "memory.max", Kind::limit},
    File{"cgroup.memory.low", "memory.low", Kind::protection},
    File{"cgroup.memory.min", "memory.min", Kind::protection},
    File{"cgroup.memory.swap.max", "memory.swap.max", Kind::swap},
    File{"cgroup.memory.reclaim", "memory.reclaim", Kind::reclaim},
};

Result<double> parse_limit(std::string_view text) {
    if (trim(text) == "max") return unlimited_value;
    std::uint64_t number = 0;
    if (!parse_u64(trim(text), number)) return fail("cannot understand \"" + clean_text(text) + "\"", EPROTO);
    return static_cast<double>(number);
}
std::string format_limit(double value) {
    return value == unlimited_value ? "max" : fmt::format("{}", static_cast<std::uint64_t>(value));
}

Result<double> number_in(int directory, const std::string& file) {
    const auto content = read_file_at(directory, file);
    if (!content) return fail(content.error());
    return parse_limit(*content);
}

/// What the cgroup cannot give back without harm: all but the file pages that were not used lately.
Result<double> working_set(int directory) {
    const auto current = number_in(directory, "memory.current");
    if (!current) return fail(current.error());
    const auto stat = read_file_at(directory, "memory.stat");
    if (!stat) return fail(stat.error());
    for (const std::string_view line : split(*stat, '\n')) {
        std::uint64_t inactive = 0;
        if (line.starts_with("inactive_file ") && parse_u64(line.substr(14), inactive)) {
            return std::max(0.0, *current - static_cast<double>(inactive));
        }
    }
    return fail("memory.stat has no inactive_file", EPROTO);
}
/// A tenth, and 16 MiB when that is more: what a garbage collection or a burst of requests takes at once.
double with_margin(double working) { return working + std::max(16 * mib, working / 10); }

double page_floor(double value) {
    static const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    return value == unlimited_value ? value : std::floor(value / page) * page;
}
double page_ceiling(double value) { return page_floor(value + static_cast<double>(::sysconf(_SC_PAGESIZE)) - 1); }

class CgroupMemoryKnob final : public Knob {
public:
    explicit CgroupMemoryKnob(const File& file) : file_(file), name_(file.file) {}

    [[nodiscard]] KnobTraits traits() const override {
        return {.name = file_.knob, .scope = Scope::cgroup, .one_shot = file_.kind == Kind::reclaim};
    }

    [[nodiscard]] KnobAbility ability(const Roots& roots, const std::string&) const override {
        if (roots.cgroup2.empty()) return {false, "there is no unified cgroup hierarchy"};
        const auto controllers = read_file(roots.cgroup2 + "/cgroup.controllers");
        if (!controllers) return {false, to_string(controllers.error())};
        const auto names = split(trim(*controllers), ' ');
        if (std::find(names.begin(), names.end(), "memory") == names.end()) {
            return {false, "the memory controller is not in the unified hierarchy (it is on cgroup v1)"};
        }
        if (::access((roots.cgroup2 + "/cgroup.subtree_control").c_str(), W_OK) != 0) {
            return {false, fmt::format("{} cannot be written: {}", roots.cgroup2, errno_words(errno))};
        }
        return {};
    }

    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override {
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        if (file_.kind == Kind::reclaim) return KnobState{bytes(0), {}};
        const auto value = number_in(directory->get(), name_);
        if (!value) return fail(in_cgroup(value.error(), at));
        return KnobState{bytes(*value), format_limit(*value)};
    }

    [[nodiscard]] Result<Fitted> fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const override {
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        const KnobInfo* const info = find_knob_info(file_.knob);
        std::optional<Limit> least;
        std::optional<Limit> most;
        if (file_.kind == Kind::limit) {
            const auto working = working_set(directory->get());
            if (!working) return fail(in_cgroup(working.error(), at));
            least = Limit{page_ceiling(with_margin(*working)),
                          fmt::format("the working set is {}", to_string(bytes(*working)))};
        } else if (file_.kind == Kind::protection) {
            const auto total = memory_total(at.roots);
            if (!total) return fail(total.error());
            most = Limit{*total / 2, "half of the host's memory"};
        } else if (file_.kind == Kind::reclaim) {
            const auto current = number_in(directory->get(), "memory.current");
            if (!current) return fail(in_cgroup(current.error(), at));
            most = Limit{*current, "the cgroup holds no more"};
        }
        auto fitted = fit_quantity(planned, info != nullptr ? info->least : 0,
                                   info != nullptr ? info->most : unlimited_value, least, most, unsafe);
        if (!fitted) return fitted;
        double value = std::get<Quantity>(fitted->to).value;
        if (file_.kind == Kind::limit && value != unlimited_value) {
            const Limit above = parents_limit(at);
            if (value > above.value && (!least || above.value >= least->value)) {
                value = above.value;
                fitted->clamped = fmt::format("lowered to {}: {}", to_string(bytes(value)), above.why);
            }
        }
        fitted->to = bytes(page_floor(value));  // as the kernel will
        return fitted;
    }

    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState&, const Value& to) const override {
        const auto* const quantity = std::get_if<Quantity>(&to);
        if (quantity == nullptr || quantity->value < 0) return fail(at.knob + " takes a quantity", EINVAL);
        const auto put = put_text(at, format_limit(quantity->value));
        if (file_.kind == Kind::reclaim) {
            // EAGAIN: less could be reclaimed than was asked for; what could be, was.
            if (!put && put.error().code != EAGAIN) return fail(put.error());
            return Written{{*quantity, {}}, put ? "" : "less could be reclaimed than was asked for"};
        }
        if (!put) return fail(put.error());
        auto held = read(at);
        if (!held) return fail(held.error());
        std::string note;
        if (held->value != to) note = fmt::format("the kernel made {} of {}", to_string(held->value), to_string(to));
        return Written{std::move(*held), std::move(note)};
    }

    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState&,
                                            Restore) const override {
        if (file_.kind == Kind::reclaim) return original;
        if (auto put = put_text(at, original.detail); !put) return fail(put.error());
        return read(at);
    }

    [[nodiscard]] Result<bool> holds(const KnobAt& at, const KnobState& ours) const override {
        if (file_.kind == Kind::reclaim) return true;
        return Knob::holds(at, ours);
    }

    [[nodiscard]] bool same(const KnobState& now, const Value& to) const override {
        return file_.kind != Kind::reclaim && now.value == to;
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt& at, const KnobState& original) const override {
        const auto* const old = std::get_if<Quantity>(&original.value);
        if (old == nullptr || old->unlimited() || file_.kind == Kind::protection || file_.kind == Kind::reclaim)
            return UndoSafety{};
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        const auto now = number_in(directory->get(), name_);
        if (!now) return fail(in_cgroup(now.error(), at));
        if (old->value >= *now) return UndoSafety{};
        const bool swap = file_.kind == Kind::swap;
        const auto used = swap ? number_in(directory->get(), "memory.swap.current") : working_set(directory->get());
        if (!used) return fail(in_cgroup(used.error(), at));
        if ((swap ? *used : with_margin(*used)) <= old->value) return UndoSafety{};
        return UndoSafety{false, fmt::format("{} {}, the old limit is {}", to_string(bytes(*used)),
                                             swap ? "in swap" : "of working set", to_string(*old))};
    }

private:
    static Result<Fd> open(const KnobAt& at) {
        const auto* const cgroup = std::get_if<CgroupId>(&at.target);
        if (cgroup == nullptr) return fail(at.knob + " is a knob of a cgroup", EINVAL, to_string(at.target));
        return open_cgroup(at.roots, *cgroup, at.place);
    }

    static Error in_cgroup(Error error, const KnobAt& at) {
        error.target = "cgroup " + at.place;
        if (error.code == ENOENT) error.hint = "the memory controller is not enabled for this cgroup";
        // The cgroup is there (its directory is open): a missing file must not read as a missing cgroup.
        if (error.code == ENOENT) error.code = ENOTSUP;
        return error;
    }

    Status put_text(const KnobAt& at, const std::string& text) const {
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        crash_point("before cgroup write");
        auto put = write_cgroup_file(directory->get(), name_, text);
        crash_point("after cgroup write");
        if (!put) return fail(in_cgroup(put.error(), at));
        return put;
    }

    static Result<double> memory_total(const Roots& roots) {
        const auto content = read_file(roots.proc + "/meminfo");
        if (!content) return fail(content.error());
        for (const std::string_view line : split(*content, '\n')) {
            std::uint64_t kib = 0;
            if (!line.starts_with("MemTotal:")) continue;
            const std::string_view rest = trim(line.substr(9));
            if (parse_u64(rest.substr(0, rest.find(' ')), kib)) return static_cast<double>(kib) * 1024;
        }
        return fail("PROC/meminfo has no MemTotal", EPROTO);
    }

    /// The lowest memory.max above the cgroup, or the host's memory.
    static Limit parents_limit(const KnobAt& at) {
        Limit lowest{unlimited_value, {}};
        if (const auto total = memory_total(at.roots); total) lowest = {*total, "the host has no more memory"};
        std::string path = at.place;
        while (path.size() > 1) {
            path.resize(path.rfind('/'));
            const auto content = read_file(at.roots.cgroup2 + path + "/memory.max");
            if (!content) continue;
            if (const auto limit = parse_limit(*content); limit && *limit < lowest.value) {
                lowest = {*limit, fmt::format("memory.max of {} above it", path.empty() ? "/" : path)};
            }
        }
        return lowest;
    }

    const File& file_;
    std::string name_;
};

}  // namespace

std::span<const Knob* const> cgroup_memory_knobs() {
    static const KnobFamily<CgroupMemoryKnob, decltype(files)> family(files);
    return family.table();
}

}  // namespace gotuned
