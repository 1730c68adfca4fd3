// Where a Go executable keeps the variables and functions of its runtime that gotuned looks at, by its ELF symbol
// table. Used in the confined inspector, right after buildinfo.h recognised the file, with the same promises: no
// allocation, everything bounded. What it finds are numbers to try, never to trust: a stranger wrote the file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "discover/buildinfo.h"

namespace gotuned {

/// Symbols of package runtime.
enum class GoSymbol : std::uint8_t {
    build_version,  ///< runtime.buildVersion, a string
    gomaxprocs,
    allglen,
    allp,
    sched,
    memstats,
    controller,  ///< runtime.gcController
    work,
    poll_wait,      ///< internal/poll.runtime_pollWait
    netpoll_ready,  ///< runtime.netpollready
    execute,        ///< runtime.execute
    end_of_symbols
};
inline constexpr std::size_t go_symbol_count = static_cast<std::size_t>(GoSymbol::end_of_symbols);
/// As it stands in the symbol table.
std::string_view symbol_name(GoSymbol symbol);

enum class SymbolsOutcome : std::uint8_t {
    found,          ///< the table was read; single symbols may be missing all the same
    stripped,       ///< there is no symbol table
    too_large,      ///< more than is worth reading
    damaged,        ///< cut, or one name stands for two places
    not_supported,  ///< 32 bit or big-endian
};
/// For people: "the executable is stripped: it has no symbol table".
std::string_view describe(SymbolsOutcome outcome);

/// Plain data that fits a message. An address of 0: not there.
struct GoSymbols {
    struct Place {
        std::uint64_t address = 0;  ///< as linked: a position-independent program is loaded elsewhere
        std::uint64_t size = 0;
        std::uint64_t file_offset = 0;  ///< of what is in a segment of the file, else 0
    };
    SymbolsOutcome outcome = SymbolsOutcome::stripped;
    std::uint8_t position_independent = 0;
    std::uint16_t machine = 0;  ///< EM_…
    std::uint64_t entry = 0;    ///< as linked
    std::array<Place, go_symbol_count> places{};
    /// Of functions: the instructions that they begin with.
    std::array<std::array<std::uint8_t, 8>, go_symbol_count> begins{};

    [[nodiscard]] const Place& at(GoSymbol symbol) const { return places[static_cast<std::size_t>(symbol)]; }
};

GoSymbols read_go_symbols(const ByteSource& file);

}  // namespace gotuned
