// The block devices of the real host against sysfs, which shows the kernel's counters device by device.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>

#include "catch.h"
#include "observe/block_devices.h"

using namespace gotuned;

namespace {

struct Sysfs {
    double requests = 0, waited_ms = 0, busy_ms = 0;
};
Sysfs look(const std::string& device) {
    // Documentation/block/stat.rst
    std::ifstream file("/sys/block/" + device + "/stat");
    double fields[17]{};
    for (double& field : fields)
        if (!(file >> field)) break;
    return {fields[0] + fields[4] + fields[11] + fields[15], fields[3] + fields[7] + fields[14] + fields[16],
            fields[9]};
}

/// Writes past the page cache, each one to the device and back.
bool write_directly(int count) {
    constexpr std::size_t size = 4096;
    const int file = ::open("/var/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC | O_DIRECT | O_DSYNC, 0600);
    if (file < 0) return false;
    const std::unique_ptr<void, decltype(&std::free)> block(std::aligned_alloc(size, size), std::free);
    std::memset(block.get(), 'x', size);
    bool written = true;
    for (int i = 0; i < count; ++i)
        written = written && ::pwrite(file, block.get(), size, static_cast<off_t>(i) * static_cast<off_t>(size)) ==
                                 static_cast<ssize_t>(size);
    ::close(file);
    return written;
}

}  // namespace

TEST_CASE("what a device's requests took is what sysfs says of it") {
    BlockDevices devices;
    HostState before;
    const MonoTime begin = MonoClock::now();
    devices.read(before, Roots{}, begin);
    const auto& known = before.keyed.at(Signal::host_block_inflight);
    if (known.empty()) {
        WARN("SKIPPED: no block device was ever used here");
        return;
    }
    std::map<std::string, Sysfs> first;
    for (const auto& [device, reading] : known) first[device] = look(device);
    if (!write_directly(200)) {
        WARN("SKIPPED: no direct writes to /var/tmp");
        return;
    }
    HostState after;
    const MonoTime end = MonoClock::now();
    devices.read(after, Roots{}, end);
    bool any = false;
    for (const auto& [device, was] : first) {
        const Sysfs is = look(device);
        INFO(device << ": " << is.requests - was.requests << " requests, " << is.waited_ms - was.waited_ms << " ms");
        const auto& await = after.keyed.at(Signal::host_block_await).at(device).value;
        if (!await) continue;
        any = true;
        // Others use the device between the two looks: a tenth and a millisecond of rounding each way.
        const double known_await = (is.waited_ms - was.waited_ms) / (is.requests - was.requests) / 1000;
        CHECK(std::get<Quantity>(*await).value == Approx(known_await).epsilon(0.1).margin(0.0002));
        const double busy = (is.busy_ms - was.busy_ms) / 1000 / seconds(end - begin);
        CHECK(std::get<Quantity>(*after.keyed.at(Signal::host_block_util).at(device).value).value ==
              Approx(std::min(1.0, busy)).epsilon(0.2).margin(0.05));
    }
    if (!any) WARN("/var/tmp is on no block device");
}
