// What only the daemon's start needed.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace gotuned {

/// Pages of code of files, by address, that hold nothing but what the file holds: none was ever written (a debugger's
/// breakpoint, a uprobe). `smaps` is the text of /proc/PID/smaps (proc(5)).
struct CodePages {
    std::uintptr_t from = 0, to = 0;
    friend bool operator==(const CodePages&, const CodePages&) = default;
};
std::vector<CodePages> clean_code(std::string_view smaps);

/// Gives back memory that was freed, and code that ran once: the rulebook's and BPF objects' readers are more than half
/// of all code, and never run again on most hosts. What is needed after all comes back from the page cache, at a minor
/// fault for 16 pages.
void give_back_start();

}  // namespace gotuned
