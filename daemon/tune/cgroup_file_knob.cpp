#include "tune/cgroup_file_knob.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/text.h"
#include "tune/crash_point.h"

namespace gotuned {
namespace {

/// KnobState::detail: the text of the file; of a unit also its name and the drop-in, with its text when there is one.
struct Detail {
    std::string text{};
    std::string unit{};
    DropIn drop_in{};
};
constexpr std::string_view unit_mark = "\nunit ";
constexpr std::string_view path_mark = "\ndrop-in ";

std::string encode(const Detail& detail) {
    if (detail.unit.empty()) return detail.text;
    std::string text = fmt::format("{}{}{}{}{}", detail.text, unit_mark, detail.unit, path_mark, detail.drop_in.path);
    if (detail.drop_in.text) text += "\n" + *detail.drop_in.text;
    return text;
}
Detail decode_detail(std::string_view text) {
    Detail detail;
    const auto unit = text.find(unit_mark);
    detail.text = text.substr(0, unit);
    if (unit == std::string_view::npos) return detail;
    text.remove_prefix(unit + unit_mark.size());
    const auto path = text.find(path_mark);
    detail.unit = text.substr(0, path);
    if (path == std::string_view::npos) return detail;
    text.remove_prefix(path + path_mark.size());
    const auto drop_in = text.find('\n');
    detail.drop_in.path = text.substr(0, drop_in);
    if (drop_in != std::string_view::npos) detail.drop_in.text = text.substr(drop_in + 1);
    return detail;
}

}  // namespace

KnobAbility controller_ability(const Roots& roots, std::string_view controller) {
    if (roots.cgroup2.empty()) return {false, "there is no unified cgroup hierarchy"};
    const auto controllers = read_file(roots.cgroup2 + "/cgroup.controllers");
    if (!controllers) return {false, to_string(controllers.error())};
    const auto names = split(trim(*controllers), ' ');
    if (std::find(names.begin(), names.end(), controller) == names.end()) {
        return {false, fmt::format("the {} controller is not in the unified hierarchy (it is on cgroup v1, or off)",
                                   controller)};
    }
    if (::access((roots.cgroup2 + "/cgroup.subtree_control").c_str(), W_OK) != 0) {
        return {false, fmt::format("{} cannot be written: {}", roots.cgroup2, errno_words(errno))};
    }
    return {};
}

Result<double> parse_cgroup_limit(std::string_view text) {
    if (trim(text) == "max") return unlimited_value;
    std::uint64_t number = 0;
    if (!parse_u64(trim(text), number)) return fail("cannot understand \"" + clean_text(text) + "\"", EPROTO);
    return static_cast<double>(number);
}

std::string format_cgroup_limit(double value) {
    return value == unlimited_value ? "max" : fmt::format("{}", static_cast<std::uint64_t>(value));
}

Result<double> cgroup_number(int directory, const std::string& file) {
    const auto content = read_file_at(directory, file);
    if (!content) return fail(content.error());
    return parse_cgroup_limit(*content);
}

Limit lowest_above(const KnobAt& at, const std::string& file, Limit host) {
    Limit lowest = std::move(host);
    std::string path = at.place;
    while (path.size() > 1) {
        path.resize(path.rfind('/'));
        const auto content = read_file(at.roots.cgroup2 + path + "/" + file);
        if (!content) continue;
        if (const auto limit = parse_cgroup_limit(*content); limit && *limit < lowest.value)
            lowest = {*limit, fmt::format("{} of {} above it", file, path.empty() ? "/" : path)};
    }
    return lowest;
}

Result<double> cpus_in_use(int directory) {
    const auto usage = [directory]() -> Result<double> {
        const auto stat = read_file_at(directory, "cpu.stat");
        if (!stat) return fail(stat.error());
        for (const std::string_view line : split(*stat, '\n')) {
            std::uint64_t microseconds = 0;
            if (line.starts_with("usage_usec ") && parse_u64(line.substr(11), microseconds))
                return static_cast<double>(microseconds);
        }
        return fail("cpu.stat has no usage_usec", EPROTO);
    };
    const auto began = std::chrono::steady_clock::now();
    auto first = usage();
    if (!first) return first;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    auto second = usage();
    if (!second) return second;
    const std::chrono::duration<double, std::micro> passed = std::chrono::steady_clock::now() - began;
    return std::max(0.0, *second - *first) / passed.count();
}

KnobTraits CgroupFileKnob::traits() const {
    return {.name = file_.knob, .scope = Scope::cgroup, .outlives = !file_.setting.name.empty()};
}

KnobAbility CgroupFileKnob::ability(const Roots& roots, const std::string&) const {
    KnobAbility able = controller_ability(roots, file_.controller);
    const std::string control = roots.systemd + "/system.control";
    if (able.writable && !file_.setting.name.empty() && ::access(control.c_str(), F_OK) == 0 &&
        ::access(control.c_str(), W_OK) != 0) {
        able.reason = fmt::format(
            "not for units of systemd: what is set there could not be put back, {} cannot be "
            "written: {}",
            control, errno_words(errno));
    }
    return able;
}

Result<Fd> CgroupFileKnob::open(const KnobAt& at) {
    const auto* const cgroup = std::get_if<CgroupId>(&at.target);
    if (cgroup == nullptr) return fail(at.knob + " is a knob of a cgroup", EINVAL, to_string(at.target));
    return open_cgroup(at.roots, *cgroup, at.place);
}

Error CgroupFileKnob::in_cgroup(Error error, const KnobAt& at, std::string_view controller) {
    error.target = "cgroup " + at.place;
    // The cgroup is there (its directory is open): a missing file must not read as a missing cgroup.
    if (error.code == ENOENT) {
        error.hint =
            fmt::format("the {} controller is not enabled for this cgroup, or the kernel has no such file", controller);
        error.code = ENOTSUP;
    }
    return error;
}

Result<std::string> CgroupFileKnob::text(const KnobAt& at, int directory) const {
    auto content = read_file_at(directory, std::string(file_.name));
    if (content) return std::string(trim(*content));
    if (content.error().code == ENOENT && !file_.setting.name.empty() && !unit_of_cgroup(at.roots, at.place).empty())
        return std::string(file_.without_controller);
    return fail(in_cgroup(content.error(), at));
}

Result<KnobState> CgroupFileKnob::read(const KnobAt& at) const {
    const auto directory = open(at);
    if (!directory) return fail(directory.error());
    auto held = text(at, directory->get());
    if (!held) return fail(held.error());
    auto value = parse(*held);
    if (!value) return fail(in_cgroup(value.error(), at));
    Detail detail{std::move(*held), {}, {}};
    if (!file_.setting.name.empty()) detail.unit = unit_of_cgroup(at.roots, at.place);
    if (!detail.unit.empty()) {
        auto drop_in = find_drop_in(at.roots, detail.unit, file_.setting);
        if (!drop_in) return fail(drop_in.error());
        detail.drop_in = std::move(*drop_in);
    }
    return KnobState{std::move(*value), encode(detail)};
}

Result<Fitted> CgroupFileKnob::fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const {
    const auto directory = open(at);
    if (!directory) return fail(directory.error());
    const std::string unit = file_.setting.name.empty() ? "" : unit_of_cgroup(at.roots, at.place);
    if (!unit.empty()) {
        if (auto lasts = drop_in_objection(at.roots, unit, file_.setting); !lasts) return fail(lasts.error());
    }
    return fit_in(at, directory->get(), planned, unsafe);
}

UnitValue CgroupFileKnob::unit_value(const Value& value) const {
    const double number = std::get<Quantity>(value).value;
    return number == unlimited_value ? UINT64_MAX : static_cast<std::uint64_t>(number);
}

Result<std::string> CgroupFileKnob::text_of(const UnitValue& setting, std::string_view) const {
    const auto* const number = std::get_if<std::uint64_t>(&setting);
    if (number == nullptr) return fail(fmt::format("cannot understand systemd's {}", file_.setting.property), EPROTO);
    return *number == UINT64_MAX ? std::string("max") : fmt::format("{}", *number);
}

Result<std::string> CgroupFileKnob::text(const KnobAt& at) const {
    const auto directory = open(at);
    if (!directory) return fail(directory.error());
    return text(at, directory->get());
}

Status CgroupFileKnob::follow_unit(const KnobAt& at, const std::string& unit, const std::string& before) const {
    const auto now = text(at);
    if (!now) return fail(now.error());
    if (*now != before) return {};  // systemd wrote it
    const auto setting = unit_property(at.roots, unit, file_.setting);
    if (!setting) return fail(setting.error());
    const auto wanted = text_of(*setting, *now);
    if (!wanted) return fail(wanted.error());
    if (*wanted == *now) return {};
    return put_text(at, *wanted);
}

Result<Written> CgroupFileKnob::write(const KnobAt& at, const KnobState& before, const Value& to) const {
    const Detail was = decode_detail(before.detail);
    const auto formatted = format(to, was.text);
    if (!formatted) return fail(formatted.error());
    bool by_systemd = false;
    if (!was.unit.empty()) {
        const auto set = set_unit_property(at.roots, was.unit, at.place, file_.setting, unit_value(to));
        if (!set) return fail(set.error());
        by_systemd = *set;
    }
    if (!by_systemd) {
        if (auto put = put_text(at, *formatted); !put) return fail(put.error());
    }
    auto held = read(at);
    if (!held) return fail(held.error());
    std::string note;
    if (held->value != to) note = fmt::format("the kernel made {} of {}", describe(*held), to_string(to));
    return Written{std::move(*held), std::move(note)};
}

Result<KnobState> CgroupFileKnob::restore(const KnobAt& at, const KnobState& original, const KnobState&,
                                          Restore) const {
    const Detail was = decode_detail(original.detail);
    bool by_systemd = false;
    if (!was.unit.empty()) {
        const auto before = text(at);
        if (!before) return fail(before.error());
        const auto back = put_drop_in_back(at.roots, was.unit, at.place, was.drop_in);
        if (!back) return fail(back.error());
        by_systemd = *back;
        if (by_systemd) {
            if (auto followed = follow_unit(at, was.unit, *before); !followed) return fail(followed.error());
        }
    }
    if (!by_systemd) {
        if (auto put = put_text(at, was.text); !put) return fail(put.error());
    }
    return read(at);
}

std::string CgroupFileKnob::left_alone(const KnobAt& at, const KnobState& original) const {
    const Detail was = decode_detail(original.detail);
    if (was.unit.empty()) return {};
    const auto now = read(at);
    if (!now || now->value == original.value) return {};
    return fmt::format("{} says {} now, it said {} before", was.unit, describe(*now), describe(original));
}

Status CgroupFileKnob::clear(const KnobAt& at, const KnobState& original, const KnobState& ours) const {
    const Detail was = decode_detail(original.detail);
    const Detail set = decode_detail(ours.detail);
    if (was.unit.empty()) return {};
    const auto now = find_drop_in(at.roots, was.unit, file_.setting);
    if (!now) return fail(now.error());
    // A transient unit takes its drop-ins with it.
    if (!now->text || *now == was.drop_in) return {};
    // Not read back: killed in between. Else only what is still as we left it.
    if (!set.unit.empty() && *now != set.drop_in) return {};
    // The unit may run again, in a cgroup of the same name that began with what our drop-in says.
    std::optional<KnobAt> successor;
    struct stat status{};
    if (::stat((at.roots.cgroup2 + at.place).c_str(), &status) == 0) {
        successor = at;
        successor->target = CgroupId{status.st_ino};
    }
    const auto before = successor ? text(*successor) : std::string();
    const auto back = put_drop_in_back(at.roots, was.unit, {}, was.drop_in);
    if (!back) return fail(back.error());
    if (!successor || !before) return {};
    auto followed = follow_unit(*successor, was.unit, *before);
    // Ended by now.
    return !followed && followed.error().code == ENOENT ? Status{} : followed;
}

Result<bool> CgroupFileKnob::holds(const KnobAt& at, const KnobState& ours) const {
    const auto directory = open(at);
    if (!directory) return fail(directory.error());
    const auto held = text(at, directory->get());
    if (!held) return fail(held.error());
    const auto value = parse(*held);
    if (!value) return fail(in_cgroup(value.error(), at));
    return *value == ours.value;
}

Status CgroupFileKnob::put_text(const KnobAt& at, const std::string& text) const {
    const auto directory = open(at);
    if (!directory) return fail(directory.error());
    crash_point("before cgroup write");
    // An empty list is a line, too: a write of nothing does not reach the kernel.
    auto put = write_cgroup_file(directory->get(), std::string(file_.name), text.empty() ? "\n" : text);
    crash_point("after cgroup write");
    if (!put) return fail(in_cgroup(put.error(), at));
    return put;
}

}  // namespace gotuned
