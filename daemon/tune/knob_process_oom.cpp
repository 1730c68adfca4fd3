// process.oom_score_adj: /proc/PID/oom_score_adj. With CAP_SYS_RESOURCE each write also moves the least that the
// process may choose for itself (oom_score_adj_min in fs/proc/base.c), which nobody can read; so it is used only for
// what is not allowed without it, and a process keeps what it may do.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "rulebook/knob_catalogue.h"
#include "tune/as_owner.h"
#include "tune/crash_point.h"
#include "tune/knob.h"
#include "tune/process.h"

namespace gotuned {
namespace {

constexpr std::string_view name = "process.oom_score_adj";

/// Takes a capability out of effect for the calling thread, until it is destroyed.
class Without {
public:
    explicit Without(int capability) {
        if (::syscall(SYS_capget, &header_, before_) != 0) return;
        __user_cap_data_struct less[2]{before_[0], before_[1]};
        const auto index = static_cast<unsigned>(capability);
        less[index / 32].effective &= ~(1U << (index % 32));
        taken_ = ::syscall(SYS_capset, &header_, less) == 0;
    }
    Without(const Without&) = delete;
    Without& operator=(const Without&) = delete;
    ~Without() {
        if (taken_) ::syscall(SYS_capset, &header_, before_);
    }

private:
    __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct before_[2]{};
    bool taken_ = false;
};

Result<int> parse_score(std::string_view text) {
    int score = 0;
    const auto [stopped, failure] = std::from_chars(text.data(), text.data() + text.size(), score);
    if (failure != std::errc{} || stopped != text.data() + text.size())
        return fail(fmt::format("cannot understand oom_score_adj \"{}\"", clean_text(text)), EPROTO);
    return score;
}

KnobState state(int score) { return {count(score), std::to_string(score)}; }

class OomScoreAdjKnob final : public Knob {
public:
    [[nodiscard]] KnobTraits traits() const override {
        return {.name = name, .scope = Scope::process, .inherited = true};
    }

    [[nodiscard]] KnobAbility ability(const Roots&, const std::string&) const override {
        if (!has_capability(CAP_SYS_RESOURCE))
            return {true, "cannot go below the least that a process may choose itself: no CAP_SYS_RESOURCE"};
        if (!has_capability(CAP_DAC_OVERRIDE) && !has_capability(CAP_SETUID))
            return {true, "cannot change other users' processes: neither CAP_SETUID nor CAP_DAC_OVERRIDE"};
        return {};
    }

    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override {
        const auto held = hold(at);
        if (!held) return fail(held.error());
        const auto content = read_file(path(at));
        if (!content) return fail("cannot read " + at.knob, gone_is_esrch(content.error().code), target(at));
        const auto score = parse_score(trim(*content));
        if (!score) return fail(score.error());
        if (auto alive = held->check(); !alive) return fail(alive.error());
        return state(*score);
    }

    [[nodiscard]] Result<Fitted> fit(const KnobAt&, const PlannedWrite& planned, bool unsafe) const override {
        const KnobInfo* const info = find_knob_info(name);
        const Limit least{-1000, "the kernel's least"};
        const Limit most{1000, "the kernel's most"};
        auto fitted = fit_quantity(planned, info->least, info->most, least, most, unsafe);
        if (fitted) {
            auto& to = std::get<Quantity>(fitted->to);
            to.value = std::trunc(to.value);
        }
        return fitted;
    }

    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState&, const Value& to) const override {
        const auto* const score = std::get_if<Quantity>(&to);
        if (score == nullptr || std::abs(score->value) > 1000)
            return fail(at.knob + " takes a number from -1000 to 1000", EINVAL, target(at));
        auto held = put(at, static_cast<int>(score->value));
        if (!held) return fail(held.error());
        return Written{std::move(*held), {}};
    }

    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState&,
                                            Restore) const override {
        const auto score = parse_score(original.detail);
        if (!score) return fail(score.error());
        return put(at, *score);
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override { return UndoSafety{}; }
    [[nodiscard]] std::string describe(const KnobState& state) const override { return state.detail; }

private:
    static std::string target(const KnobAt& at) { return to_string(at.target); }
    static int gone_is_esrch(int code) { return code == ENOENT ? ESRCH : code; }
    static Result<HeldProcess> hold(const KnobAt& at) {
        const auto* const id = std::get_if<ProcessId>(&at.target);
        if (id == nullptr) return fail(at.knob + " is a knob of a process", EINVAL, target(at));
        return HeldProcess::open(at.roots.proc, *id);
    }
    static std::string path(const KnobAt& at) {
        return fmt::format("{}/{}/oom_score_adj", at.roots.proc, std::get<ProcessId>(at.target).pid);
    }

    [[nodiscard]] Result<KnobState> put(const KnobAt& at, int score) const {
        const auto file = open_as_owner(path(at), O_WRONLY);
        if (!file) return fail(file.error());
        // The file was opened by a number: that it is the process meant is known only when it is held and looked at
        // after that, and the file stays that process's own.
        const auto held = hold(at);
        if (!held) return fail(held.error());
        const std::string text = std::to_string(score);
        const auto write_once = [&] { return ::write(file->get(), text.data(), text.size()); };
        crash_point("before oom_score_adj write");
        ssize_t put = -1;
        {
            const Without resource(CAP_SYS_RESOURCE);
            put = write_once();
        }
        if (put < 0 && errno == EACCES) put = write_once();
        const int code = errno;
        crash_point("after oom_score_adj write");
        if (put < 0) {
            return fail(
                fmt::format("cannot set {} to {}", at.knob, score), code, target(at),
                code == EACCES ? "below the least that the process may choose itself it needs CAP_SYS_RESOURCE" : "");
        }
        return read(at);
    }
};

}  // namespace

const Knob& oom_score_adj_knob() {
    static const OomScoreAdjKnob knob;
    return knob;
}

}  // namespace gotuned
