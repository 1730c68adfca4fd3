#include "discover/go_symbols.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "discover/elf_image.h"

namespace gotuned {
namespace {

constexpr std::array<std::string_view, go_symbol_count> names{
    "runtime.buildVersion", "runtime.gomaxprocs", "runtime.allglen",
    "runtime.allp",         "runtime.sched",      "runtime.memstats",
    "runtime.gcController", "runtime.work",       "internal/poll.runtime_pollWait",
    "runtime.netpollready", "runtime.execute",
};
constexpr std::size_t longest_name = 63;
static_assert(std::all_of(names.begin(), names.end(), [](auto name) { return name.size() <= longest_name; }));

// kubelet, one of the largest, has 5 MiB of symbols and 9 MiB of names: read in some 20 ms.
constexpr std::uint64_t most_bytes = 64U << 20U;
constexpr std::size_t chunk = 680 * sizeof(Elf64_Sym);

/// Where the wanted names stand among all names. A C linker lets a name share the end of a longer one, so that one text
/// may stand for several; more than these are not for real.
struct NamePlaces {
    struct One {
        std::uint32_t offset = 0;
        std::uint8_t symbol = 0;
    };
    std::array<One, 64> all{};
    std::size_t count = 0;
    bool overflow = false;

    void add(std::uint64_t offset, std::size_t symbol) {
        if (count == all.size() || offset > UINT32_MAX) {
            overflow = true;
            return;
        }
        all[count++] = {static_cast<std::uint32_t>(offset), static_cast<std::uint8_t>(symbol)};
    }
};

/// False when the file ends before the range does.
bool find_names(const ByteSource& file, const FileRange& range, NamePlaces& out) {
    // What was read stands behind the end of what was read before, in which a name may have begun.
    std::array<char, longest_name + chunk> buffer{};
    for (std::uint64_t done = 0; done < range.size; done += chunk) {
        const std::size_t wanted = std::min<std::uint64_t>(chunk, range.size - done);
        if (file.read(range.offset + done, &buffer[longest_name], wanted) < wanted) return false;
        const char* const end = &buffer[longest_name] + wanted;
        for (const char* at = &buffer[longest_name]; at < end; ++at) {
            at = static_cast<const char*>(std::memchr(at, '\0', static_cast<std::size_t>(end - at)));
            if (at == nullptr) break;
            for (std::size_t i = 0; i < names.size(); ++i) {
                const std::string_view name = names[i];
                const std::uint64_t ends = done + static_cast<std::uint64_t>(at - &buffer[longest_name]);
                if (at[-1] != name.back() || ends < name.size()) continue;
                if (std::memcmp(at - name.size(), name.data(), name.size()) == 0) out.add(ends - name.size(), i);
            }
        }
        std::memmove(buffer.data(), end - longest_name, longest_name);
    }
    return true;
}

SymbolsOutcome find_places(const ByteSource& file, const ElfImage& image, const FileRange& range,
                           const NamePlaces& texts, GoSymbols& out) {
    std::array<std::uint8_t, chunk> buffer;  // NOLINT: filled by read
    for (std::uint64_t done = 0; done < range.size; done += chunk) {
        const std::size_t wanted = std::min<std::uint64_t>(chunk, range.size - done);
        if (file.read(range.offset + done, buffer.data(), wanted) < wanted) return SymbolsOutcome::damaged;
        for (std::size_t i = 0; i + sizeof(Elf64_Sym) <= wanted; i += sizeof(Elf64_Sym)) {
            const std::uint8_t* symbol = &buffer[i];
            const auto text = static_cast<std::uint32_t>(image.number(symbol + offsetof(Elf64_Sym, st_name), 4));
            const auto* const last = texts.all.begin() + texts.count;
            const auto* const known =
                std::find_if(texts.all.begin(), last, [text](const auto& one) { return one.offset == text; });
            if (known == last || image.number(symbol + offsetof(Elf64_Sym, st_shndx), 2) == SHN_UNDEF) continue;
            GoSymbols::Place& place = out.places[known->symbol];
            const std::uint64_t address = image.number(symbol + offsetof(Elf64_Sym, st_value), 8);
            if (place.address != 0 && place.address != address) return SymbolsOutcome::damaged;
            place.address = address;
            place.size = image.number(symbol + offsetof(Elf64_Sym, st_size), 8);
        }
    }
    return SymbolsOutcome::found;
}

}  // namespace

std::string_view symbol_name(GoSymbol symbol) { return names.at(static_cast<std::size_t>(symbol)); }

std::string_view describe(SymbolsOutcome outcome) {
    switch (outcome) {
        case SymbolsOutcome::found:
            return "the executable has a symbol table";
        case SymbolsOutcome::stripped:
            return "the executable is stripped: it has no symbol table";
        case SymbolsOutcome::too_large:
            return "the executable's symbol table is too large";
        case SymbolsOutcome::damaged:
            return "the executable's symbol table cannot be understood";
        case SymbolsOutcome::not_supported:
            return "the executable is not a 64-bit little-endian one";
    }
    return "unknown";
}

GoSymbols read_go_symbols(const ByteSource& file) {
    GoSymbols out;
    ElfImage image;
    if (ElfImage::open(file, image) != BuildInfoOutcome::found) {
        out.outcome = SymbolsOutcome::damaged;
        return out;
    }
    out.machine = image.machine();
    out.position_independent = image.position_independent() ? 1 : 0;
    out.entry = image.entry();
    if (!image.wide() || image.big_endian()) {
        out.outcome = SymbolsOutcome::not_supported;
        return out;
    }
    FileRange symbols;
    FileRange texts;
    if (!image.find_symbols(symbols, texts)) return out;
    if (symbols.size > most_bytes || texts.size > most_bytes) {
        out.outcome = SymbolsOutcome::too_large;
        return out;
    }
    NamePlaces places;
    const bool sound = symbols.offset <= UINT64_MAX - most_bytes && texts.offset <= UINT64_MAX - most_bytes &&
                       find_names(file, texts, places) && !places.overflow;
    out.outcome = sound ? find_places(file, image, symbols, places, out) : SymbolsOutcome::damaged;
    if (out.outcome != SymbolsOutcome::found) {
        out.places = {};
        return out;
    }
    for (std::size_t i = static_cast<std::size_t>(GoSymbol::poll_wait); i < go_symbol_count; ++i) {
        GoSymbols::Place& place = out.places[i];
        std::uint64_t offset = 0;
        if (place.address == 0 || !image.resolve(place.address, out.begins[i].size(), offset)) continue;
        if (file.read(offset, out.begins[i].data(), out.begins[i].size()) == out.begins[i].size())
            place.file_offset = offset;
    }
    return out;
}

}  // namespace gotuned
