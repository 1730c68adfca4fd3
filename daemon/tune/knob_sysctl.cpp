// sysctl.NAME: a file below PROC/sys, in the host's own namespaces; net.* also in the network namespace of a process.
// Held and compared as text with its white space evened out, since several hold more than one number, by tabs; put back
// as the text that was there.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <vector>

#include "base/text.h"
#include "rulebook/knob_catalogue.h"
#include "tune/crash_point.h"
#include "tune/knob.h"
#include "tune/net_namespace.h"

namespace gotuned {
namespace {

constexpr std::string_view prefix = "sysctl.";

/// "vm.swappiness" → "vm/swappiness"; a slash stands for a dot inside a part, as in sysctl.d(5).
Result<std::string> relative_path(std::string_view knob) {
    const std::string_view name = knob.substr(prefix.size());
    std::string path;
    for (const char c : name) path += c == '.' ? '/' : c == '/' ? '.' : c;
    for (const std::string_view part : split(path, '/')) {
        const bool climbs = part == "." || part == "..";
        const bool strange =
            part.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@") !=
            std::string_view::npos;
        if (part.empty() || climbs || strange) return fail("not a sysctl: " + clean_text(knob), EINVAL, "host");
    }
    return path;
}

/// Beneath PROC/sys and through no symbolic link, whatever the name holds: part by part, since openat2(2) is taken away
/// by RestrictSUIDSGID= (its flags lie where a system-call filter cannot look).
Result<Fd> open_sysctl(const KnobAt& at, int flags) {
    const auto path = relative_path(at.knob);
    if (!path) return fail(path.error());
    const std::string root = at.roots.proc + "/sys";
    Fd file(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!file.valid()) return fail("cannot open " + root, errno, "host");
    const std::vector<std::string_view> parts = split(*path, '/');
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const int how = i + 1 < parts.size() ? O_PATH | O_DIRECTORY : flags;
        Fd next(::openat(file.get(), std::string(parts[i]).c_str(), how | O_NOFOLLOW | O_CLOEXEC));
        if (!next.valid()) {
            return fail(fmt::format("cannot open {}", at.knob), errno, "host",
                        errno == EROFS || errno == EACCES
                            ? "ProtectKernelTunables= or a container makes /proc/sys read-only"
                            : "");
        }
        file = std::move(next);
    }
    return file;
}

std::string even_white_space(std::string_view text) {
    std::string even;
    for (const char c : trim(text)) {
        const bool blank = c == ' ' || c == '\t' || c == '\n';
        if (!blank) {
            even += c;
        } else if (!even.empty() && even.back() != ' ') {
            even += ' ';
        }
    }
    return even;
}

Value parse(const std::string& text) {
    double number = 0;
    if (parse_double(text, number)) return count(number);
    return text;
}

Result<std::string> format(const Value& value) {
    if (const auto* quantity = std::get_if<Quantity>(&value)) {
        if (!std::isfinite(quantity->value)) return fail("a sysctl cannot be unlimited", EINVAL, "host");
        // Sysctls hold whole numbers; of a computed fraction the whole part is meant.
        return fmt::format("{:.0f}", std::trunc(quantity->value));
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
        if (text->empty() || text->find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos) {
            return fail("not a value of a sysctl: \"" + clean_text(*text) + "\"", EINVAL, "host");
        }
        return even_white_space(*text);
    }
    if (const auto* boolean = std::get_if<bool>(&value)) return std::string(*boolean ? "1" : "0");
    return std::get<CpuSet>(value).list();
}

/// A file of /proc/sys/net shows in every network namespace in which it is, but what is one for the whole host is read
/// only in all but the first (ipv4_sysctl_init_net() in net/ipv4/sysctl_net_ipv4.c, and so the others), or is missing.
Status check_own(const KnobAt& at, const Result<Fd>& file) {
    const std::string target = "namespace " + net_inode(at.place);
    if (!file && file.error().code == ENOENT)
        return fail(at.knob + " is the host's alone: the process's network namespace does not have it", ENOENT, target);
    if (!file) return fail(file.error());
    struct stat status{};
    if (::fstat(file->get(), &status) != 0) return fail("cannot look at " + at.knob, errno, target);
    if ((status.st_mode & 0222U) == 0)
        return fail(at.knob + " is one for the whole host, read-only in a network namespace", EROFS, target,
                    "leave it to a rule of scope host");
    return {};
}

Result<std::string> read_here(const KnobAt& at, bool in_namespace) {
    const auto file = open_sysctl(at, O_RDONLY);
    if (in_namespace) {
        if (auto own = check_own(at, file); !own) return fail(own.error());
    }
    if (!file) return fail(file.error());
    std::string content(65536, '\0');  // proc_dostring and the vector handlers give all in one read
    const ssize_t got = ::read(file->get(), content.data(), content.size());
    if (got < 0) return fail("cannot read " + at.knob, errno, "host");
    content.resize(static_cast<std::size_t>(got));
    return even_white_space(content);
}

Status write_here(const KnobAt& at, const std::string& text) {
    const auto file = open_sysctl(at, O_WRONLY);
    if (!file) return fail(file.error());
    crash_point("before sysctl write");
    const ssize_t put = ::write(file->get(), text.data(), text.size());
    const int code = errno;
    // Without meaning for the kernel; in a tree of plain files the rest of a longer old value goes.
    static_cast<void>(!::ftruncate(file->get(), put));
    crash_point("after sysctl write");
    if (put < 0) return fail(fmt::format("cannot write {} to {}", text, at.knob), code, "host");
    if (static_cast<std::size_t>(put) != text.size()) {
        return fail(fmt::format("cannot write {} to {}: only a part was taken", text, at.knob), EIO, "host");
    }
    return {};
}

bool namespaced(const KnobAt& at) { return std::holds_alternative<ProcessId>(at.target); }

class SysctlKnob final : public Knob {
public:
    [[nodiscard]] bool turns(std::string_view knob, Scope scope) const override {
        return scope == Scope::host || (scope == Scope::process && knob.starts_with("sysctl.net."));
    }

    [[nodiscard]] Result<std::string> place(const KnobAt& at) const override {
        const auto* const process = std::get_if<ProcessId>(&at.target);
        return process == nullptr ? at.place : net_place(at.roots, *process);
    }

    [[nodiscard]] KnobTraits traits() const override { return {.name = prefix, .prefix = true, .scope = Scope::host}; }

    [[nodiscard]] KnobAbility ability(const Roots& roots, const std::string& knob) const override {
        const auto file = open_sysctl({roots, knob, HostId{}, {}}, O_WRONLY);
        if (!file) return {false, to_string(file.error())};
        return {};
    }

    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override {
        Result<std::string> read = std::string();
        if (!namespaced(at)) {
            read = read_here(at, false);
        } else if (auto entered = inside_net(at.roots, at.target, at.place,
                                             [&]() -> Status {
                                                 read = read_here(at, true);
                                                 return {};
                                             });
                   !entered) {
            return fail(entered.error());
        }
        if (!read) return fail(read.error());
        std::string text = std::move(*read);
        Value value = parse(text);
        return KnobState{std::move(value), std::move(text)};
    }

    [[nodiscard]] Result<Fitted> fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const override {
        if (!planned.to.present()) return fail("no value for " + at.knob);
        if (const auto* quantity = std::get_if<Quantity>(&*planned.to)) {
            const SysctlBounds bounds = sysctl_bounds(at.knob.substr(prefix.size())).value_or(SysctlBounds{});
            auto fitted = fit_quantity(planned, bounds.least, bounds.most, std::nullopt, std::nullopt, unsafe);
            if (!fitted) return fitted;
            const auto text = format(fitted->to);
            if (!text) return fail(text.error());
            fitted->wanted = count(quantity->value);
            fitted->to = parse(*text);
            return fitted;
        }
        const auto text = format(*planned.to);
        if (!text) return fail(text.error());
        // "10" as text is the number 10: the packaged bounds count for it, too.
        if (const Value value = parse(*text); std::holds_alternative<Quantity>(value)) {
            PlannedWrite number = planned;
            number.to = value;
            return fit(at, number, unsafe);
        }
        return Fitted{*text, *text, {}};
    }

    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState&, const Value& to) const override {
        const auto text = format(to);
        if (!text) return fail(text.error());
        if (auto put = put_text(at, *text); !put) return fail(put.error());
        auto held = read(at);
        if (!held) return fail(held.error());
        std::string note = held->detail == *text ? "" : fmt::format("the kernel made {} of {}", held->detail, *text);
        return Written{std::move(*held), std::move(note)};
    }

    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState&,
                                            Restore) const override {
        if (auto put = put_text(at, original.detail); !put) return fail(put.error());
        return read(at);
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override {
        // The value was the host's own until we came; nothing of a process depends on ours by number.
        return UndoSafety{};
    }

    [[nodiscard]] std::string describe(const KnobState& state) const override { return state.detail; }

private:
    static Status put_text(const KnobAt& at, const std::string& text) {
        if (!namespaced(at)) return write_here(at, text);
        return inside_net(at.roots, at.target, at.place, [&] { return write_here(at, text); });
    }
};

}  // namespace

const Knob& sysctl_knob() {
    static const SysctlKnob knob;
    return knob;
}

}  // namespace gotuned
