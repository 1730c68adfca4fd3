#include "ctl/commands.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

#include "base/text.h"
#include "ctl/check.h"
#include "ctl/client.h"
#include "ctl/render.h"
#include "rulebook/loader.h"
#include "rulebook/settings.h"

namespace gotuned {
namespace {

int status_of(Refusal why) {
    switch (why) {
        case Refusal::unreachable:
            return exit_status::unreachable;
        case Refusal::denied:
            return exit_status::denied;
        case Refusal::failed:
            break;
    }
    return exit_status::failed;
}

/// One command at work: asks, prints, remembers the exit status.
class Session {
public:
    Session(const Invocation& invocation, const Terminal& terminal) : call_(invocation), terminal_(terminal) {}
    int run();

private:
    using Arguments = std::vector<ControlClient::Argument>;
    using Render = std::function<std::string(const std::string&, unsigned)>;

    const Invocation& call_;
    const Terminal& terminal_;
    std::optional<ControlClient> client_;

    tl::expected<std::string, CallError> ask(const std::string& method, const Arguments& arguments = {});
    int refuse(const CallError& error) const;
    int refuse(int status, const std::string& text) const;
    int show(const std::string& method, const Arguments& arguments, const Render& render);
    int undo();
    int profile();
    int check() const;
    int schema() const;
    /// Yes by --yes or by a person; else the status to exit with.
    std::optional<int> confirm(const std::string& question) const;
};

tl::expected<std::string, CallError> Session::ask(const std::string& method, const Arguments& arguments) {
    if (!client_) {
        auto connected = ControlClient::connect(call_.socket, call_.timeout);
        if (!connected) return tl::unexpected(connected.error());
        client_ = std::move(*connected);
    }
    return client_->call(method, arguments);
}

int Session::refuse(int status, const std::string& text) const {
    terminal_.error << "gotunectl: " << text << "\n";
    if (call_.json) terminal_.out << error_json(status, text);
    return status;
}
int Session::refuse(const CallError& error) const {
    // The daemon's errors have carets on lines of their own: kept, while other control characters go.
    std::string text;
    for (const std::string_view line : split(error.text, '\n'))
        text += (text.empty() ? "" : "\n") + clean_text(line, 4096);
    return refuse(status_of(error.why), text);
}

int Session::show(const std::string& method, const Arguments& arguments, const Render& render) {
    const auto answer = ask(method, arguments);
    if (!answer) return refuse(answer.error());
    terminal_.out << (call_.json ? *answer + "\n" : render(*answer, terminal_.width));
    return exit_status::ok;
}

std::optional<int> Session::confirm(const std::string& question) const {
    if (call_.yes) return std::nullopt;
    if (call_.json || !terminal_.ask) return refuse(exit_status::usage, "nobody can be asked here: add --yes");
    if (terminal_.ask(question)) return std::nullopt;
    return refuse(exit_status::failed, "nothing was changed");
}

int Session::undo() {
    if (call_.force) {
        const auto status = ask("Status");
        if (!status) return refuse(status.error());
        const auto lines = describe_adjustments(*status, call_.id);
        std::string question =
            "These values are put back at once, without looking whether that is safe now: a server with more open\n"
            "connections than its old limit of descriptors stops accepting, a cgroup above its old memory.high is "
            "throttled.\n";
        for (const std::string& line : lines) question += "  " + line + "\n";
        if (lines.empty()) question += "  (no such adjustment is in force)\n";
        if (const auto refused = confirm(question + "Put them back?")) return *refused;
    }
    const auto answer = ask("Undo", {call_.id, call_.all, call_.force});
    if (!answer) return refuse(answer.error());
    if (!call_.all && nothing_undone(*answer))
        return refuse(exit_status::failed, fmt::format("no adjustment {} is in force", call_.id));
    terminal_.out << (call_.json ? *answer + "\n" : render_outcomes(*answer, terminal_.width));
    return all_undone(*answer) ? exit_status::ok : exit_status::failed;
}

int Session::profile() {
    if (call_.name.empty()) {
        const auto status = ask("Status");
        if (!status) return refuse(status.error());
        const std::string name = profile_of(*status);
        terminal_.out << (call_.json ? "{\"profile\":" + json_quote(name) + "}" : name) << "\n";
        return exit_status::ok;
    }
    if (!call_.yes || !call_.json) {
        const auto plan = ask("Plan", {"profile:" + call_.name});
        if (!plan) return refuse(plan.error());
        if (!call_.json)
            terminal_.out << "With profile " << call_.name << ", right now:\n"
                          << render_plan(*plan, terminal_.width) << std::flush;
        if (const auto refused = confirm(fmt::format("Set the profile to {}?", call_.name))) return *refused;
    }
    return show("Profile", {call_.name}, [](const std::string& json, unsigned) { return render_loaded(json); });
}

int Session::check() const {
    const CheckReport report = check_files(call_);
    if (call_.json) {
        terminal_.out << report.json << "\n";
    } else {
        terminal_.error << report.warnings;
        (report.good ? terminal_.out : terminal_.error) << report.text;
    }
    return report.good ? exit_status::ok : exit_status::failed;
}

int Session::schema() const {
    terminal_.out << (call_.name == "settings"  ? settings_schema()
                      : call_.name == "profile" ? profile_schema()
                                                : rulebook_schema())
                  << "\n";
    return exit_status::ok;
}

int Session::run() {
    const auto loaded = [](const std::string& json, unsigned) { return render_loaded(json); };
    const auto done = [](const std::string& json, unsigned) { return render_done(json); };
    switch (call_.command) {
        case Command::status:
            return show("Status", {}, render_status);
        case Command::signals:
            return show("Signals", {call_.target}, call_.target.empty() ? render_catalogue : render_values);
        case Command::plan:
            return show("Plan", {call_.rulebook}, render_plan);
        case Command::explain:
            return show("Explain", {call_.rule, call_.target}, render_explanation);
        case Command::history:
            return show("History", {static_cast<std::uint32_t>(call_.limit), call_.rule, call_.target}, render_history);
        case Command::undo:
            return undo();
        case Command::check:
            return check();
        case Command::reload:
            return show("Reload", {}, loaded);
        case Command::pause:
            return show("Pause", {}, done);
        case Command::resume:
            return show("Resume", {call_.rule, call_.target}, done);
        case Command::profile:
            return profile();
        case Command::schema:
            return schema();
    }
    return exit_status::usage;
}

}  // namespace

Terminal standard_terminal() {
    Terminal terminal{std::cout, std::cerr, 0, {}};
    winsize size{};
    if (::isatty(STDOUT_FILENO) == 1 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) terminal.width = size.ws_col;
    if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1)
        terminal.ask = [](const std::string& question) {
            std::cerr << question << " [y/N] " << std::flush;
            std::string answer;
            std::getline(std::cin, answer);
            return answer == "y" || answer == "Y" || answer == "yes";
        };
    return terminal;
}

int run_command(const Invocation& invocation, const Terminal& terminal) { return Session(invocation, terminal).run(); }

}  // namespace gotuned
