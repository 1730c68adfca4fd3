// Any bytes are an outcome: the parser of executables neither crashes nor reads beyond what it was given, and what it
// says it found fits what it promises. Seeds: tests/fuzz/corpus/elf_fuzz, made by tests/unit/discover/elf_builder.h.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "discover/buildinfo.h"
#include "discover/go_symbols.h"
#include "discover/placement.h"
#include "discover/process_facts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gotuned;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const BuildInfo info = read_build_info(MemorySource(bytes));
    const bool found = info.outcome == BuildInfoOutcome::found;
    if (!found && !info.version.view().empty()) std::abort();
    if (found && info.pointer_size != 4 && info.pointer_size != 8) std::abort();
    if (!info.version.view().empty() && bytes.find(info.version.view()) == std::string_view::npos) std::abort();
    const GoSymbols symbols = read_go_symbols(MemorySource(bytes));
    for (const GoSymbols::Place& place : symbols.places) {
        if (symbols.outcome != SymbolsOutcome::found && place.address != 0) std::abort();
        if (place.file_offset >= size && place.file_offset != 0) std::abort();
    }
    // The other texts of strangers.
    (void)parse_placement(bytes);
    ImageMark mark;
    (void)parse_stat(bytes, mark);
    (void)keep_environment(bytes, {"PATH"});
    (void)join_arguments(bytes);
    return 0;
}
