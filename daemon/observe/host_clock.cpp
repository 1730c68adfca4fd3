#include "observe/host_clock.h"

#include <cerrno>

#include "observe/held_directory.h"

namespace gotuned {

using enum Signal;

int HostClock::ask_kernel(timex& state) { return ::adjtimex(&state); }

void HostClock::read(SignalTable& table, const Roots& roots, MonoTime now) {
    watch_.look();
    table.set(host_clock_step, steps_.signal(watch_.steps(), now, unit::per_second));
    timex state{};
    if (adjtimex_(state) < 0) {
        const Absent why = errno == EPERM || errno == EACCES
                               ? Absent{Absence::not_permitted,
                                        "adjtimex(2) is refused: gotuned.service's ProtectClock= does so; "
                                        "examples/clock.conf in the documentation folder allows it"}
                               : absent_of(Error{"cannot read the clock's state", {}, errno, {}});
        table.set(host_clock_offset, why);
        table.set(host_clock_synchronised, why);
    } else {
        const double unit_of_offset = (state.status & STA_NANO) != 0 ? 1e-9 : 1e-6;
        table.set(host_clock_offset, Quantity{static_cast<double>(state.offset) * unit_of_offset, unit::time});
        table.set(host_clock_synchronised, count((state.status & STA_UNSYNC) != 0 ? 0 : 1));
    }
    const auto source = read_file(roots.sys + "/devices/system/clocksource/clocksource0/current_clocksource");
    if (source)
        table.set(host_clock_source, {SignalValue(std::string(trim(*source))), {}});
    else
        table.set(host_clock_source, absent_of(source.error()));
}

}  // namespace gotuned
