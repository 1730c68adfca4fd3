// The command line of a bench that runs the daemon: --build and --config FOLDER, --json, and options of its own.
#pragma once

#include <string>

namespace gotuned::bench {

/// Fills build, config and json of `arguments`; `take(name, value)` says whether it knows another option, each of which
/// has a value. False: a wrong command line.
template <typename Arguments, typename Take>
bool read_arguments(int argc, char** argv, Arguments& arguments, Take take) {
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--json") {
            arguments.json = true;
            continue;
        }
        if (i + 1 == argc) return false;
        const std::string value = argv[++i];
        if (name == "--build")
            arguments.build = value;
        else if (name == "--config")
            arguments.config = value;
        else if (!take(name, value))
            return false;
    }
    return !arguments.build.empty() && !arguments.config.empty();
}

}  // namespace gotuned::bench
