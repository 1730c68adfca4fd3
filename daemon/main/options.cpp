#include "main/options.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "base/text.h"
#include "rulebook/expression.h"
#include "rulebook/settings.h"

namespace gotuned {
namespace {

/// A duration as the rulebook writes it ("500ms", "5s", "1m"); an empty text of `problem` means it is one.
std::optional<Duration> duration_flag(const std::string& text, std::string& problem) {
    const auto literal = parse_literal(text);
    if (!literal) {
        problem = literal.error().message;
        return std::nullopt;
    }
    if (literal->unit != unit::time || !(literal->value > 0) || literal->value > 86400.0 * 365) {
        problem = "'" + text + "' is not a duration; write one with its unit, like 5s or 500ms";
        return std::nullopt;
    }
    return from_seconds(literal->value);
}

void add_duration(CLI::App& app, const std::string& name, std::optional<Duration>& out, const std::string& help) {
    app.add_option_function<std::string>(
           name,
           [&out, name](const std::string& text) {
               std::string problem;
               out = duration_flag(text, problem);
               if (!out) throw CLI::ValidationError(name, problem);
           },
           help)
        ->type_name("DURATION");
}

/// For CLI11: what is wrong with the argument; empty when nothing is.
std::string wrong_listen(const std::string& address) {
    const std::string wrong = wrong_address(address);
    return wrong.empty() ? wrong : clean_text(address) + " is not an address to listen on: " + wrong;
}

/// A socket's path must be absolute, and errors name a path that can be found again.
std::string make_absolute(std::string& path) {
    std::error_code error;
    const auto full = std::filesystem::absolute(path, error).lexically_normal();
    if (path.empty() || error) return "'" + clean_text(path) + "' is not a directory's name";
    path = full.string();
    return {};
}

std::string wrong_run_dir(const std::string& path) {
    constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - sizeof "/control.sock";
    return path.size() <= longest ? std::string()
                                  : fmt::format("{} is too long: the control socket's path has at most {} bytes",
                                                clean_text(path), sizeof(sockaddr_un::sun_path) - 1);
}

}  // namespace

ParsedOptions parse_options(int argc, char** argv) {
    ParsedOptions parsed;
    Options& options = parsed.options;
    CLI::App app{
        "gotuned watches the Go processes of this host, adjusts the kernel around them by a rulebook, checks that it\n"
        "helped, undoes it if it did not, and exports what it saw and did to Prometheus."};
    app.name("gotuned");
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // a unit's drop-in adds to ExecStart
    app.set_version_flag("--version", "gotuned " GOTUNED_VERSION);
    app.add_option("--config", options.config, "gotuned.yaml; a missing file means the defaults")
        ->capture_default_str();
    app.add_option("--rulebook", options.rulebook, "directory of the operator's rulebook files")->capture_default_str();
    app.add_option("--packaged", options.packaged, "directory of the packaged rulebook files")->capture_default_str();
    app.add_option("--profiles", options.profiles, "directory of the profiles")->capture_default_str();
    app.add_option("--profile", options.profile, "a file of the profiles; beats gotuned.yaml and `gotunectl profile`")
        ->type_name("NAME");
    app.add_option("--listen", options.listen,
                   "address of the metrics server: 127.0.0.1:9713, [::1]:9713, unix:/path; may be given again")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name("ADDRESS")
        ->check(CLI::Validator(wrong_listen, "", "listen"));
    add_duration(app, "--tick", options.tick, "time between two Snapshots");
    app.add_option("--state-dir", options.state_dir, "history, last-good rulebook, chosen profile")
        ->type_name("DIR")
        ->capture_default_str()
        ->transform(CLI::Validator(make_absolute, "", "directory"));
    app.add_option("--run-dir", options.run_dir, "journal, lock, control socket")
        ->type_name("DIR")
        ->capture_default_str()
        ->transform(CLI::Validator(make_absolute, "", "directory"))
        ->check(CLI::Validator(wrong_run_dir, "", "run directory"));
    add_duration(app, "--for", options.run_for, "stop by itself after this time");
    app.add_flag("--table", options.table, "print a live table of the Go processes");
    app.add_flag("--leased", options.leased,
                 "a stop leaves changes in force: what started the daemon undoes them when adjust.lease has run out");
    app.footer("Exit status: 0 stopped as asked; 1 cannot run (said why); 2 wrong command line or gotuned.yaml.");

    CLI::App* undo =
        app.add_subcommand("undo", "put back every value that the journal holds, then exit; needs no daemon");
    undo->add_flag("--unless-running", options.unless_running, "do nothing when a daemon holds the journal");
    undo->add_flag("--force", options.force, "also where putting the value back would harm its target now");
    CLI::App* lease = app.add_subcommand(
        "lease",
        "start gotuned-undo.timer, which undoes when no daemon comes back; gotuned.service runs it at its end");
    CLI::App* run = app.add_subcommand("run", "the daemon (also without this word)");
    app.require_subcommand(0, 1);
    undo->fallthrough();
    lease->fallthrough();
    run->fallthrough();

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error, std::cout, std::cerr);
        parsed.exit_status = status == 0 ? 0 : 2;
        return parsed;
    }
    if (undo->parsed()) options.command = Options::Command::undo;
    if (lease->parsed()) options.command = Options::Command::lease;
    return parsed;
}

}  // namespace gotuned
