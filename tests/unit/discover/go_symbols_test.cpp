#include "discover/go_symbols.h"

#include "catch.h"
#include "elf_builder.h"

using namespace gotuned;
using test::ElfBuilder;

namespace {

GoSymbols read(const std::string& file) { return read_go_symbols(MemorySource(file)); }

ElfBuilder with_symbols() {
    ElfBuilder builder;
    builder.symbols = {{"main.main", 0x401000, 20},
                       {"runtime.gomaxprocs", 0x500010, 4},
                       {"runtime.sched", 0x500020, 344},
                       {"runtime.allglen", 0x500200, 8}};
    return builder;
}

}  // namespace

TEST_CASE("symbols are found with their addresses and sizes, and no others") {
    const GoSymbols symbols = read(with_symbols().build());
    CHECK(symbols.outcome == SymbolsOutcome::found);
    CHECK(symbols.machine == EM_X86_64);
    CHECK(symbols.entry == 0x400000);
    CHECK(symbols.position_independent == 0);
    CHECK(symbols.at(GoSymbol::gomaxprocs).address == 0x500010);
    CHECK(symbols.at(GoSymbol::gomaxprocs).size == 4);
    CHECK(symbols.at(GoSymbol::sched).size == 344);
    CHECK(symbols.at(GoSymbol::allglen).address == 0x500200);
    CHECK(symbols.at(GoSymbol::memstats).address == 0);
}

TEST_CASE("a name that shares its text with the end of a longer one is found") {
    ElfBuilder builder = with_symbols();
    builder.share_name_ends = true;
    builder.symbols.insert(builder.symbols.begin(), {"vendor/runtime.sched", 0x600000, 1});
    const GoSymbols symbols = read(builder.build());
    CHECK(symbols.outcome == SymbolsOutcome::found);
    CHECK(symbols.at(GoSymbol::sched).address == 0x500020);
}

TEST_CASE("one name for two places is not believed") {
    ElfBuilder builder = with_symbols();
    builder.symbols.push_back({"runtime.sched", 0x700000, 344});
    const GoSymbols symbols = read(builder.build());
    CHECK(symbols.outcome == SymbolsOutcome::damaged);
    CHECK(symbols.at(GoSymbol::gomaxprocs).address == 0);
}

TEST_CASE("names and symbols are found wherever they lie across the pieces that the file is read in") {
    for (std::size_t before = 500; before < 520; ++before) {
        ElfBuilder builder = with_symbols();
        // 16,320 bytes are read at once: names of 31 bytes push the wanted ones over that border bit by bit.
        std::vector<ElfBuilder::Symbol> fill;
        for (std::size_t i = 0; i < before; ++i) fill.push_back({std::string(31, 'x') + std::to_string(i % 10), 1, 1});
        builder.symbols.insert(builder.symbols.begin(), fill.begin(), fill.end());
        builder.symbols.insert(builder.symbols.begin(), {std::string(before % 33, 'y'), 1, 1});
        const GoSymbols symbols = read(builder.build());
        INFO(before);
        REQUIRE(symbols.outcome == SymbolsOutcome::found);
        CHECK(symbols.at(GoSymbol::gomaxprocs).address == 0x500010);
        CHECK(symbols.at(GoSymbol::sched).address == 0x500020);
        CHECK(symbols.at(GoSymbol::allglen).address == 0x500200);
    }
}

TEST_CASE("a stripped file, a foreign one and one that is cut say so") {
    CHECK(read(ElfBuilder{}.build()).outcome == SymbolsOutcome::stripped);
    ElfBuilder narrow = with_symbols();
    narrow.wide = false;
    CHECK(read(narrow.build()).outcome == SymbolsOutcome::not_supported);
    ElfBuilder foreign = with_symbols();
    foreign.big_endian = true;
    CHECK(read(foreign.build()).outcome == SymbolsOutcome::not_supported);
    CHECK(read("not an ELF file").outcome == SymbolsOutcome::damaged);
    const std::string whole = with_symbols().build();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const GoSymbols symbols = read(whole.substr(0, size));
        if (symbols.outcome != SymbolsOutcome::found) CHECK(symbols.at(GoSymbol::sched).address == 0);
    }
}

TEST_CASE("a symbol table that claims to be larger than any is not read") {
    std::string file = with_symbols().build();
    // The last section header is the symbol table's; sh_size stands 32 bytes into it.
    file.replace(file.size() - sizeof(Elf64_Shdr) + 32, 8, std::string("\0\0\0\0\0\0\0\x7f", 8));
    CHECK(read(file).outcome == SymbolsOutcome::too_large);
}
