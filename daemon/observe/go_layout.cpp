#include "observe/go_layout.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "base/text.h"

namespace gotuned {
namespace {

Absent not_known(std::string detail) { return {Absence::not_supported, std::move(detail)}; }

/// Experiments (GOEXPERIMENT) that leave the runtime's structures as they are: other cryptography, other meaning of the
/// language.
bool harmless(std::string_view experiment) {
    constexpr std::array known{"boringcrypto",       "opensslcrypto", "systemcrypto", "strictfipsruntime",
                               "nocoverageredesign", "loopvar",       "noloopvar",    "aliastypeparams",
                               "noaliastypeparams",  "rangefunc",     "synctest",     "jsonv2",
                               "nodwarf5",           "regabi"};
    return std::find(known.begin(), known.end(), experiment) != known.end();
}

struct Version {
    int minor = 0;
    std::string_view rest{};  ///< behind the numbers
};

/// "go1.22.3 X:boringcrypto", "go1.19.8 (Red Hat 1.19.8-1)", "go1.22".
std::optional<Version> parse_version(std::string_view text) {
    constexpr std::string_view begin = "go1.";
    if (!text.starts_with(begin)) return std::nullopt;
    text.remove_prefix(begin.size());
    Version out;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.minor);
    if (error != std::errc{} || out.minor < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with(".")) {
        int patch = 0;
        const auto [patch_end, wrong] = std::from_chars(text.data() + 1, text.data() + text.size(), patch);
        if (wrong != std::errc{}) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(patch_end - text.data()));
    }
    // What vendors append; "rc1" and "beta1" are no releases.
    if (!text.empty() && text.front() != ' ' && text.front() != '-' && text.front() != '+') return std::nullopt;
    out.rest = text;
    return out;
}

}  // namespace

Reading<const GoLayout*> find_go_layout(std::string_view version, std::uint16_t machine) {
    const auto parsed = parse_version(version);
    if (!parsed) return not_known(std::string(version) + " is no release of Go");
    if (const auto mark = parsed->rest.find(" X:"); mark != std::string_view::npos) {
        const std::string_view list = parsed->rest.substr(mark + 3);
        for (const std::string_view experiment : split(list.substr(0, list.find(' ')), ','))
            if (!harmless(experiment)) return not_known("built with GOEXPERIMENT=" + std::string(experiment));
    }
    const auto all = go_layouts();
    const auto found = std::find_if(all.begin(), all.end(), [&](const GoLayout& layout) {
        return layout.minor == parsed->minor && layout.machine == machine;
    });
    if (found == all.end())
        return not_known("the runtime of Go 1." + std::to_string(parsed->minor) + " is not known for this machine");
    return &*found;
}

Reading<const GoLayout*> check_sizes(const GoLayout& layout, const GoSymbols& symbols) {
    const auto& sizes = layout.sizes;
    const bool same =
        symbols.at(GoSymbol::sched).size == sizes.sched && symbols.at(GoSymbol::memstats).size == sizes.memstats &&
        symbols.at(GoSymbol::controller).size == sizes.controller && symbols.at(GoSymbol::work).size == sizes.work;
    if (!same)
        return not_known("its runtime's variables have other sizes than those of Go 1." + std::to_string(layout.minor));
    return &layout;
}

}  // namespace gotuned
