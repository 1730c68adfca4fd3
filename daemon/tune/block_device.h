// Which disk a name of /sys/block stands for: a disk that was taken out and another that has its name since are two.
// For the knobs of disks and for presence(); writes nothing.
#pragma once

#include <string>

#include "base/result.h"
#include "tune/knob.h"

namespace gotuned {

/// "disk:nvme0n1:12": the name and its diskseq, which no two disks of a boot share (Linux 5.15; before it 0).
/// Errors: ENOENT when there is no such disk.
Result<std::string> disk_place(const std::string& sys, const std::string& device);

/// Of what disk_place() said; there, for a place that is no disk's.
Presence disk_presence(const std::string& sys, const std::string& place);

}  // namespace gotuned
