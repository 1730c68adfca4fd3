#include "observe/psi_trigger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "observe/psi.h"

namespace gotuned {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

std::atomic<int> open_triggers{0};

/// The terminating zero belongs to what is written: psi_write() in kernel/sched/psi.c cuts off the last byte.
bool set(int fd, const PsiTrigger::Threshold& threshold) {
    const std::string text = fmt::format("{} {} {}", threshold.kind == PsiTrigger::Kind::some ? "some" : "full",
                                         std::chrono::duration_cast<microseconds>(threshold.stall).count(),
                                         std::chrono::duration_cast<microseconds>(threshold.window).count());
    return ::write(fd, text.c_str(), text.size() + 1) > 0;
}

/// The window for processes without CAP_SYS_RESOURCE: the averages' own period of 2 s, whole times.
PsiTrigger::Threshold unprivileged(const PsiTrigger::Threshold& asked) {
    constexpr Duration step = 2s;
    PsiTrigger::Threshold out = asked;
    out.window = (asked.window + step - 1ns) / step * step;
    out.stall = from_seconds(seconds(asked.stall) * (seconds(out.window) / seconds(asked.window)));
    return out;
}

}  // namespace

Result<PsiTrigger::Place> PsiTrigger::Place::take() {
    if (++open_triggers > most) {
        --open_triggers;
        return fail(fmt::format("{} PSI triggers are open already", most), EMFILE);
    }
    return Place();
}

PsiTrigger::Place& PsiTrigger::Place::operator=(Place&& other) noexcept {
    if (this != &other) {
        if (held_) --open_triggers;
        held_ = std::exchange(other.held_, false);
    }
    return *this;
}

PsiTrigger::Place::~Place() {
    if (held_) --open_triggers;
}

Result<PsiTrigger> PsiTrigger::open(const std::string& file, const Threshold& asked) {
    if (asked.window < 500ms || asked.window > 10s || asked.stall <= 0s || asked.stall > asked.window)
        return fail("a PSI trigger needs a window of 500 ms to 10 s and a stall within it", EINVAL, file);
    auto place = Place::take();
    if (!place) return fail(place.error());
    Fd fd(::open(file.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid()) return fail("cannot open " + file, errno);
    Threshold granted = asked;
    if (!set(fd.get(), granted)) {
        const int refused = errno;
        granted = unprivileged(asked);
        if (refused != EINVAL || granted == asked || !set(fd.get(), granted))
            return fail("cannot set a PSI trigger on " + file, refused);
    }
    PsiTrigger trigger(std::move(*place), std::move(fd), granted);
    trigger.total_ = trigger.total();
    return trigger;
}

std::uint64_t PsiTrigger::total() const {
    char buffer[512];
    const ssize_t got = ::pread(fd_.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return total_;
    const Pressure pressure = parse_pressure(std::string_view(buffer, static_cast<std::size_t>(got)));
    const auto& line = granted_.kind == Kind::some ? pressure.some : pressure.full;
    return line ? line->total_us : total_;
}

PsiTrigger::Event PsiTrigger::check(short revents) {
    if ((revents & POLLERR) != 0) return Event::gone;
    if ((revents & POLLPRI) == 0) return Event::nothing;
    const std::uint64_t before = total_;
    total_ = total();
    return total_ > before ? Event::pressure : Event::nothing;
}

}  // namespace gotuned
