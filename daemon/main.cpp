// gotuned: the node daemon.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/stat.h>

#include <cstdio>

#include "base/text.h"
#include "main/daemon.h"
#include "main/lease.h"
#include "main/options.h"
#include "main/undo_command.h"
#include "rulebook/profiles.h"

int main(int argc, char** argv) {
    using namespace gotuned;
    const ParsedOptions parsed = parse_options(argc, argv);
    if (parsed.exit_status) return *parsed.exit_status;
    const Options& options = parsed.options;
    if (options.command == Options::Command::undo) return undo_command(options);
    if (options.command == Options::Command::lease) return lease_command(options);

    if (options.profile) {
        if (const std::string others = missing_profile(*options.profile, options.profiles); !others.empty()) {
            fmt::print(stderr, "gotuned: there is no profile {}; {}\n", clean_text(*options.profile), others);
            return 2;
        }
    }
    const auto settings = load_settings(options.config, options.profiles);
    if (!settings) {
        for (const Diagnostic& error : settings.error()) fmt::print(stderr, "{}\n", to_string(error));
        return 2;
    }
    for (const std::string& address : options.listen) {
        if (!reachable_by_others(address) || settings->plain) continue;
        fmt::print(
            stderr,
            "gotuned: --listen {}: others can reach it, and TLS is not built yet; `plain: true` in {} allows it\n",
            address, options.config);
        return 2;
    }
    set_log_level(settings->log.level);
    // What is large (the text of /metrics) lives for a moment: it goes back to the kernel when it is freed. Left alone,
    // glibc raises this bound to the largest block that was ever freed, and keeps such blocks.
    constexpr int large = 128 << 10;
    ::mallopt(M_MMAP_THRESHOLD, large);
    ::umask(0027);  // history and last-good rulebooks are for root and the group of readers
    auto daemon = Daemon::start(options, *settings);
    if (!daemon) {
        fmt::print(stderr, "gotuned: {}\n", to_string(daemon.error()));
        return 1;
    }
    return (*daemon)->run();
}
