// A PSI trigger: wakes the loop within the window in which threads were stalled for longer than asked
// (Documentation/accounting/psi.rst). Used by main on the cgroups whose rules read pressure; it decides nothing.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"

namespace gotuned {

class PsiTrigger {
public:
    enum class Kind : std::uint8_t { some, full };
    /// Wake when `kind` was stalled for `stall` within `window` (500 ms to 10 s).
    struct Threshold {
        Kind kind = Kind::some;
        Duration stall{};
        Duration window{};
        friend bool operator==(const Threshold&, const Threshold&) = default;
    };
    /// Each trigger of a privileged process costs the kernel work in a thread of its own: more are refused.
    static constexpr int most = 64;

    /// `file` is a pressure file. Without CAP_SYS_RESOURCE the kernel takes only windows of whole 2 s: then the next
    /// longer one is taken, with the stall in proportion; granted() says so.
    /// Errors: EMFILE (too many triggers), EPERM (kernels before 6.5 without CAP_SYS_RESOURCE), EOPNOTSUPP (PSI is
    /// turned off), EINVAL (threshold), ENOENT (no such cgroup).
    static Result<PsiTrigger> open(const std::string& file, const Threshold& asked);

    PsiTrigger(PsiTrigger&&) = default;
    PsiTrigger& operator=(PsiTrigger&&) = default;

    /// For the loop: poll it for POLLPRI.
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const Threshold& granted() const { return granted_; }

    enum class Event : std::uint8_t {
        nothing,   ///< no event, or one that the kernel sent though no time was lost since the last (its first may be)
        pressure,  ///< the threshold was met
        gone,      ///< the cgroup was removed (POLLERR): close this
    };
    /// What the poll(2) result means.
    Event check(short revents);

private:
    /// Counts the triggers that are open.
    class Place {
    public:
        static Result<Place> take();
        Place(Place&& other) noexcept : held_(std::exchange(other.held_, false)) {}
        Place& operator=(Place&& other) noexcept;
        ~Place();

    private:
        Place() = default;
        bool held_ = true;
    };
    PsiTrigger(Place place, Fd fd, const Threshold& granted)
        : place_(std::move(place)), fd_(std::move(fd)), granted_(granted) {}
    [[nodiscard]] std::uint64_t total() const;

    Place place_;
    Fd fd_;
    Threshold granted_;
    std::uint64_t total_ = 0;
};

}  // namespace gotuned
