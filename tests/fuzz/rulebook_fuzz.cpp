// The loader is total: any bytes give a rulebook or errors with places, never a crash, a hang or a leak.
// The first byte chooses where the rest goes: an operator's file, a packaged file, a profile.
#include <cstdint>
#include <cstdlib>

#include "rulebook/compile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gotuned;
    if (size == 0) return 0;
    const std::string text(reinterpret_cast<const char*>(data + 1),
                           size - 1);  // NOLINT: bytes are what libFuzzer gives
    SourceSet set;
    const bool profile = data[0] % 3 == 2;
    set.files.push_back({"fuzz.yaml", profile ? std::string() : text, data[0] % 3 == 1});
    if (profile) set.profile_file = SourceText{"profile.yaml", text, true};
    const auto loaded = compile_rulebook(set);
    if (loaded) {
        for (const Rule& rule : (*loaded)->rules) {
            // What loaded can be used: each condition is there and prints to something that parses.
            if (rule.name.empty() || rule.when == nullptr || rule.adjust.empty()) std::abort();
            if (!parse_expression(rule.when->print(), rule.scope, ExpressionRole::when, rule.when->type()))
                std::abort();
            if (rule.verify.present && rule.verify.expect == nullptr) std::abort();
        }
        return 0;
    }
    if (loaded.error().empty()) std::abort();
    for (const Diagnostic& error : loaded.error()) {
        if (error.message.empty() || to_string(error).empty() || error.place.line < 0) std::abort();
    }
    return 0;
}
