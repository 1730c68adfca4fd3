#include "main/after_start.h"

#include <malloc.h>
#include <sys/mman.h>

#include <charconv>

#include "base/files.h"
#include "base/text.h"

namespace gotuned {
namespace {

/// "7f00-7f10 r-xp 00001000 08:01 1234   /usr/lib/x.so": nothing of a line that is no such header.
bool parse_header(std::string_view line, CodePages& pages, bool& code_of_a_file) {
    const auto dash = line.find('-');
    const auto blank = line.find(' ');
    if (dash == std::string_view::npos || blank == std::string_view::npos || dash > blank) return false;
    const auto number = [](std::string_view text, std::uintptr_t& out) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
        return error == std::errc() && end == text.data() + text.size();
    };
    if (!number(line.substr(0, dash), pages.from) || !number(line.substr(dash + 1, blank - dash - 1), pages.to))
        return false;
    code_of_a_file = line.substr(blank + 1, 4) == "r-xp" && line.find(" /") != std::string_view::npos;
    return true;
}

}  // namespace

std::vector<CodePages> clean_code(std::string_view smaps) {
    std::vector<CodePages> found;
    CodePages pages;
    bool code_of_a_file = false;
    for (const std::string_view line : split(smaps, '\n')) {
        if (parse_header(line, pages, code_of_a_file)) continue;
        // In memory of its own: what was written to a private mapping.
        if (!line.starts_with("Anonymous:") || !code_of_a_file) continue;
        std::uint64_t kib = 0;
        const auto words = trim(line.substr(line.find(':') + 1));
        if (parse_u64(words.substr(0, words.find(' ')), kib) && kib == 0) found.push_back(pages);
    }
    return found;
}

void give_back_start() {
    ::malloc_trim(0);
    constexpr std::size_t limit = 4U << 20U;
    const auto smaps = read_file("/proc/self/smaps", limit);
    if (!smaps) return;
    for (const CodePages& pages : clean_code(*smaps))
        static_cast<void>(::madvise(reinterpret_cast<void*>(pages.from),  // NOLINT(performance-no-int-to-ptr): as text
                                    pages.to - pages.from, MADV_DONTNEED));
    ::malloc_trim(0);  // the text above
}

}  // namespace gotuned
