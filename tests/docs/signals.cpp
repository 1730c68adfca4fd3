// Prints docs/signals.md from the catalogue in the code: scripts/docs writes it, a test holds it against the file.
#include <fmt/format.h>

#include <string>

#include "observe/signal.h"

namespace {

/// A cell of a Markdown table: '|' would end it, and '<…>' would be taken for HTML.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|' || c == '<') out += '\\';
        out += c;
    }
    return out;
}

void print_scope(gotuned::Scope scope, const char* title) {
    using namespace gotuned;
    fmt::print("\n## {}\n\n| signal | unit | meaning | source |\n| --- | --- | --- | --- |\n", title);
    for (const SignalInfo& signal : signals()) {
        if (signal.scope != scope) continue;
        const bool distribution = signal.kind == SignalKind::distribution;
        const std::string unit = signal.kind == SignalKind::text   ? "text"
                                 : signal.kind == SignalKind::cpus ? "CPU set"
                                                                   : to_string(signal.unit);
        const std::string key = signal.key.empty() ? std::string() : fmt::format("(\"{}\")", signal.key);
        fmt::print("| `{}{}{}`{} | {} | {} | {} |\n", signal.name, distribution ? ".*" : "", key,
                   signal.sampled ? " (w)" : "", unit, cell(signal.meaning), cell(signal.source));
    }
}

}  // namespace

int main() {
    using namespace gotuned;
    fmt::print(
        "# Signals\n\n"
        "Made from the code by `scripts/docs`; `gotunectl signals` prints the same.\n\n"
        "A signal ending in `.*` is a distribution, read through `.p50 .p90 .p99 .max .mean .stddev .count .rate`. "
        "(w): looked at\n"
        "in short windows only; rates are scaled by the time observed, and with too little of it the signal is "
        "unknown. A rule\n"
        "reads its own signals bare, its cgroup's as `cgroup.…`, the host's as `host.…`.\n");
    print_scope(Scope::process, "Of a process");
    print_scope(Scope::cgroup, "Of a cgroup");
    print_scope(Scope::host, "Of the host");
    fmt::print(
        "\nOf a signal with a name in brackets there is one of each: `host.block.await(\"sda\")`; "
        "`host.block.await(\"*\")` is the\nlargest of all, which distributions do not have.\n");
    fmt::print(
        "\n`host.sysctl(\"NAME\")` reads a sysctl, `env(\"NAME\")` a variable of the target's environment, "
        "`app(\"SAMPLE\")` a "
        "sample\nof the service's own metrics page, `prometheus(\"QUERY\")` one number from a Prometheus "
        "(rulebook.md).\n");
    return 0;
}
