#include "observe/go_goroutines.h"

#include <elf.h>

#include <string>

#include "observe/go_layout.h"
#include "observe/go_runtime.h"

namespace gotuned {

Reading<GoroutineTarget> goroutine_target(const GoProcess& process, std::string_view version) {
    if (const auto readable = can_be_read(process.build); !readable) return readable.absent();
    const GoSymbols& symbols = *process.build.symbols;
    auto layout = find_go_layout(version, symbols.machine);
    if (layout) layout = check_sizes(**layout, symbols);
    if (!layout) return layout.absent();
    constexpr int first_with_registers = 17;  // src/cmd/compile/abi-internal.md
    if ((*layout)->minor < first_with_registers || symbols.machine != EM_X86_64)
        return Absent{Absence::not_supported, "goroutines are probed in programs of Go 1.17 and newer, on x86-64"};
    GoroutineTarget out;
    out.process = process.id;
    out.netpoll_ready = symbols.at(GoSymbol::netpoll_ready).file_offset;
    out.execute = symbols.at(GoSymbol::execute).file_offset;
    out.rg_offset = (*layout)->waiting_reader.offset;
    if (out.netpoll_ready == 0 || out.execute == 0)
        return Absent{Absence::not_supported, "the executable has no symbol runtime.netpollready or runtime.execute"};
    return out;
}

}  // namespace gotuned
