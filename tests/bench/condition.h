// The sets of BPF programs that the bench compares: each is attached for a slice and detached again.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "base/target.h"

namespace gotuned::bench {

enum class Condition : unsigned char {
    bare,                 ///< nothing attached
    scheduler_watched,    ///< what is always on, the server being watched
    scheduler_neighbour,  ///< the same, another Go process being watched
    full_watched,         ///< the system-call window open as well
    full_neighbour,
    floor,  ///< empty programs on sys_enter and sys_exit
};
inline constexpr std::size_t conditions = 6;
std::string_view to_string(Condition condition);

/// Attached for as long as it lives.
class Attached {
public:
    virtual ~Attached() = default;
};

/// Errors: the kernel refused a program: then there is nothing to measure.
Result<std::unique_ptr<Attached>> attach(Condition condition, const ProcessId& server, const ProcessId& neighbour);

}  // namespace gotuned::bench
