// The one translation unit of ctl with CLI11.
#include "ctl/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <limits>
#include <sstream>

#include "base/files.h"
#include "base/text.h"

namespace gotuned {
namespace {

constexpr const char* about = R"(Asks and steers gotuned, which observes Go services and adjusts the kernel around them.

TARGET is a pid, a service, a systemd unit, a cgroup path or "host".)";

constexpr const char* examples = R"(Examples:
  gotunectl status                              what the daemon sees and has changed
  gotunectl signals payments                    every signal of a service's processes
  gotunectl plan                                what the rules would do now, changing nothing
  gotunectl explain raise-nofile-before-emfile payments
  gotunectl history -n 50 --rule raise-nofile-before-emfile
  gotunectl undo 17                             puts one adjustment back
  gotunectl check /etc/gotuned/rulebook.d       needs no daemon and no root
  gotunectl profile balanced                    shows the plan, asks, then sets it
  gotunectl --json status | jq .processes)";

constexpr const char* statuses =
    R"(Exit status: 0 done; 1 refused, not done, or errors were found; 2 wrong usage; 3 no daemon answers; 4 not permitted.
Reading needs root or group gotuned, changing root or group gotuned-admin.)";

std::string absolute(const std::string& path) {
    std::error_code ignored;
    const auto full = std::filesystem::absolute(path, ignored);
    return full.empty() ? path : full.lexically_normal().string();
}

/// For CLI11: what is wrong with the argument; empty when nothing is.
std::string wrong_id(const std::string& text) {
    std::uint64_t id = 0;
    if (parse_u64(text, id) && id > 0 && id <= std::numeric_limits<std::int64_t>::max()) return {};
    return "'" + clean_text(text, 64) + "' is not the number of an adjustment; gotunectl status lists them";
}

struct Parser {
    CLI::App app{about, "gotunectl"};
    Invocation out{};
    std::string run_dir{};
    unsigned timeout = 0;

    CLI::App* add(Command command, const char* name, const char* text) {
        CLI::App* sub = app.add_subcommand(name, text);
        sub->callback([this, command] { out.command = command; });
        sub->footer(statuses);
        sub->fallthrough();  // --json and the like may stand behind the command, too
        return sub;
    }
    void add_reading();
    void add_changing();
    void add_offline();
    Parser();
};

void Parser::add_reading() {
    add(Command::status, "status", "What the daemon sees, what its rules say, what is changed now");
    auto* signals = add(Command::signals, "signals", "The catalogue of signals, or all values of a TARGET");
    signals->add_option("target", out.target, "A pid, a service, a unit, a cgroup path or host")->type_name("TARGET");
    auto* plan = add(Command::plan, "plan", "What the rules would do now; changes nothing");
    plan->add_option("--rulebook", out.rulebook, "Evaluate the rulebook in DIR instead of the running one")
        ->type_name("DIR");
    auto* explain = add(Command::explain, "explain",
                        "Why a rule does or does not fire for a target, with the values that were seen");
    explain->add_option("rule", out.rule, "The rule's name")->required()->type_name("RULE");
    explain->add_option("target", out.target, "A pid, a service, a unit, a cgroup path or host")
        ->required()
        ->type_name("TARGET");
    auto* history = add(Command::history, "history",
                        "What was decided, changed, verified, undone, and who commanded what; newest first");
    history->add_option("-n,--limit", out.limit, "At most N entries (20)")
        ->type_name("N")
        ->check(CLI::Range(1U, 100000U));
    history->add_option("--rule", out.rule, "Only of this rule")->type_name("RULE");
    history->add_option("--target", out.target, "Only of this target")->type_name("TARGET");
}

void Parser::add_changing() {
    auto* undo = add(Command::undo, "undo", "Puts an adjustment back, if its value is still ours and it is safe now");
    auto* id = undo->add_option("id", out.id, "The adjustment, as status and history number it")
                   ->type_name("ID")
                   ->check(CLI::Validator(wrong_id, "", "adjustment"));
    auto* all = undo->add_flag("--all", out.all, "All adjustments in force")->excludes(id);
    undo->add_flag("--force", out.force, "Also when it is not safe now; says what will happen and asks (or --yes)");
    undo->add_flag("-y,--yes", out.yes, "Do not ask");
    undo->final_callback([this, id, all] {
        out.command = Command::undo;
        if (id->count() == 0 && all->count() == 0) throw CLI::RequiredError("ID or --all");
    });
    add(Command::reload, "reload",
        "Loads the rulebook again; waits, and fails with its errors while the running one goes on");
    add(Command::pause, "pause", "Changes nothing more until resume; outlives a restart of the daemon");
    auto* resume = add(Command::resume, "resume",
                       "Lifts pause; with RULE TARGET, lets a rule act again where somebody else changed its value");
    auto* rule = resume->add_option("rule", out.rule, "The rule's name")->type_name("RULE");
    auto* target = resume->add_option("target", out.target, "The target")->type_name("TARGET");
    rule->needs(target);
    auto* profile = add(Command::profile, "profile",
                        "Shows the profile, or sets it: which packaged rules are enforced (observe, balanced, latency, "
                        "or one of your own)");
    profile->add_option("name", out.name, "The profile to set")->type_name("NAME");
    profile->add_flag("-y,--yes", out.yes, "Do not ask");
}

void Parser::add_offline() {
    auto* check = add(Command::check, "check",
                      "Checks rulebook files or a directory, and gotuned.yaml; needs no daemon and no root");
    check->add_option("files", out.files, "Files, or one directory (default: /etc/gotuned/rulebook.d)")
        ->type_name("FILE");
    check->add_option("--config", out.config, "Check this gotuned.yaml as well (alone when no FILE is given)")
        ->type_name("FILE");
    check->add_option("--packaged", out.packaged, "Directory of the packaged rules that overrides refer to")
        ->type_name("DIR");
    check->add_option("--profiles", out.profiles, "Directory of the packaged profiles")->type_name("DIR");
    check->add_option("--profile", out.with_profile, "The profile to check with (observe)")->type_name("NAME");
    auto* schema =
        add(Command::schema, "schema", "Prints the JSON Schema of rulebook files, of profiles or of gotuned.yaml");
    schema->add_option("name", out.name, "rulebook, profile or settings")
        ->required()
        ->check(CLI::IsMember({"rulebook", "profile", "settings"}))
        ->type_name("NAME");
}

Parser::Parser() {
    app.footer(std::string(examples) + "\n\n" + statuses);
    app.require_subcommand(1);
    app.set_version_flag("--version", "gotunectl " GOTUNED_VERSION);
    app.add_flag("--json", out.json, "Print nothing but JSON on standard output");
    auto* socket = app.add_option("--socket", out.socket, "The daemon's control socket (/run/gotuned/control.sock)")
                       ->type_name("PATH");
    app.add_option("--run-dir", run_dir, "Directory of the control socket")->type_name("DIR")->excludes(socket);
    app.add_option("--timeout", timeout, "Seconds to wait for an answer (10; 60 for what changes something)")
        ->type_name("S")
        ->check(CLI::Range(1U, 3600U));
    add_reading();
    add_changing();
    add_offline();
}

bool changes_something(Command command) {
    return command == Command::undo || command == Command::reload || command == Command::profile ||
           command == Command::resume || command == Command::pause;
}

/// CLI11 only says that a command is missing; empty when there is one.
std::string unknown_command(const CLI::App& app) {
    const std::vector<std::string> words = app.remaining();
    if (words.empty() || !app.get_subcommands().empty()) return {};
    std::vector<std::string_view> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(command->get_name());
    const std::string near = nearest(words.front(), names);
    return "unknown command " + clean_text(words.front(), 64) + (near.empty() ? "" : "; did you mean " + near + "?") +
           "\n";
}

}  // namespace

std::string error_json(int status, std::string_view text) {
    return "{\"error\":" + json_quote(trim(text)) + ",\"status\":" + std::to_string(status) + "}\n";
}

Parsed parse_arguments(int count, const char* const* arguments) {
    Parser parser;
    try {
        parser.app.parse(count, arguments);
    } catch (const CLI::ParseError& error) {
        std::ostringstream out;
        std::ostringstream errors;
        const int code = parser.app.exit(error, out, errors);
        if (code == 0) return {std::nullopt, exit_status::ok, out.str(), false};
        // What stands behind the mistake was not parsed, and scripts put --json there, too.
        const bool json =
            std::any_of(arguments, arguments + count, [](std::string_view one) { return one == "--json"; });
        return {std::nullopt, exit_status::usage, unknown_command(parser.app) + errors.str() + out.str(), json};
    }
    Invocation& out = parser.out;
    if (!parser.run_dir.empty()) out.socket = parser.run_dir + "/control.sock";
    if (!out.rulebook.empty()) out.rulebook = absolute(out.rulebook);  // the daemon has another working directory
    // A forced write has a deadline of some seconds in the daemon, and there may be many of them.
    out.timeout = std::chrono::seconds(parser.timeout > 0 ? parser.timeout : changes_something(out.command) ? 60 : 10);
    return {std::move(out), exit_status::ok, {}, false};
}

}  // namespace gotuned
