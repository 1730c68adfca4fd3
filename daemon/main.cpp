// gotuned: the node daemon.
#include <fmt/format.h>

#include <cstdio>

#include "main/daemon.h"
#include "main/options.h"
#include "main/undo_command.h"

int main(int argc, char** argv) {
    using namespace gotuned;
    const ParsedOptions parsed = parse_options(argc, argv);
    if (parsed.exit_status) return *parsed.exit_status;
    const Options& options = parsed.options;
    if (options.command == Options::Command::undo) return undo_command(options);

    const auto settings = load_settings(options.config);
    if (!settings) {
        for (const Diagnostic& error : settings.error()) fmt::print(stderr, "{}\n", to_string(error));
        return 2;
    }
    set_log_level(settings->log.level);
    auto daemon = Daemon::start(options, *settings);
    if (!daemon) {
        fmt::print(stderr, "gotuned: {}\n", to_string(daemon.error()));
        return 1;
    }
    return (*daemon)->run();
}
