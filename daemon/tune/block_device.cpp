#include "tune/block_device.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"

namespace gotuned {
namespace {

constexpr std::string_view disk = "disk:";

}  // namespace

Result<std::string> disk_place(const std::string& sys, const std::string& device) {
    const std::string directory = sys + "/block/" + device;
    if (::access(directory.c_str(), F_OK) != 0)
        return fail("there is no such block device", errno, clean_text(device), "see lsblk");
    std::uint64_t number = 0;
    if (const auto text = read_file(directory + "/diskseq")) static_cast<void>(parse_u64(*text, number));
    return fmt::format("{}{}:{}", disk, device, number);
}

Presence disk_presence(const std::string& sys, const std::string& place) {
    if (!place.starts_with(disk)) return Presence::there;
    const std::size_t end = place.rfind(':');
    const auto now = disk_place(sys, place.substr(disk.size(), end - disk.size()));
    if (!now) return now.error().code == ENOENT ? Presence::gone : Presence::there;
    return *now == place ? Presence::there : Presence::gone;
}

}  // namespace gotuned
