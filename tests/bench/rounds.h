// The command line of a bench that repeats one measurement for a number of rounds.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "base/result.h"

namespace gotuned::bench {

/// What main() returns: `measure(build folder, rounds, json)` under the name that the usage shows.
template <typename Measure>
int run_rounds(int argc, char** argv, const char* program, Measure measure) {
    std::string build;
    std::size_t rounds = 20;
    bool json = false;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--json") {
            json = true;
        } else if (name == "--build" && i + 1 < argc) {
            build = argv[++i];
        } else if (name == "--rounds" && i + 1 < argc) {
            rounds = std::stoul(argv[++i]);
        } else {
            build.clear();
            break;
        }
    }
    if (build.empty()) {
        fmt::print(stderr, "usage: {} --build FOLDER [--json] [--rounds N]\n", program);
        return 2;
    }
    if (const Status done = measure(build, rounds, json); !done) {
        fmt::print(stderr, "bench: {}\n", to_string(done.error()));
        return 1;
    }
    return 0;
}

}  // namespace gotuned::bench
