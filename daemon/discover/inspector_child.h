// What passes between the inspector and its child, and the child's whole life. Private to the inspector and its tests.
#pragma once

#include <array>
#include <cstdint>

#include "discover/buildinfo.h"
#include "discover/confinement.h"
#include "discover/go_symbols.h"

namespace gotuned {

/// With one descriptor attached (SCM_RIGHTS).
struct InspectorRequest {
    std::uint64_t id = 0;
};

/// The parent believes nothing of it that it has not checked: the child may have been taken over by a file.
struct InspectorReply {
    enum class Tag : std::uint8_t { hello, answer };
    std::uint64_t id = 0;
    Tag tag = Tag::hello;
    BuildInfoOutcome outcome = BuildInfoOutcome::not_elf;
    std::uint8_t pointer_size = 0;
    std::uint8_t big_endian = 0;
    std::uint8_t step = 0;      ///< hello: ConfinementReport
    std::uint8_t kept_uid = 0;  ///< hello
    std::uint16_t version_size = 0;
    std::int32_t failed = 0;  ///< hello
    std::uint16_t module_size = 0;
    std::uint16_t reserved = 0;
    std::array<char, 128> version{};
    std::array<char, 256> module{};
    GoSymbols symbols{};  ///< answer, of a Go executable
};

/// Confines itself, says hello, answers requests from `socket` until the other end closes, and ends. Free of
/// allocation from its first instruction: it runs between fork(2) and _exit(2) of a process that may have threads.
[[noreturn]] void run_inspector_child(int socket, const Confinement& confinement);

}  // namespace gotuned
