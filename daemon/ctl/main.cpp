// gotunectl.
#include <iostream>

#include "ctl/commands.h"
#include "ctl/options.h"

int main(int count, char** arguments) {
    const gotuned::Parsed parsed = gotuned::parse_arguments(count, arguments);
    if (!parsed.invocation) {
        (parsed.status == gotuned::exit_status::ok ? std::cout : std::cerr) << parsed.text;
        if (parsed.json) std::cout << gotuned::error_json(parsed.status, parsed.text) << std::flush;
        return parsed.status;
    }
    const int status = gotuned::run_command(*parsed.invocation, gotuned::standard_terminal());
    std::cout.flush();
    // A full disk or a closed pipe must not look like success.
    return std::cout.good() ? status : gotuned::exit_status::failed;
}
