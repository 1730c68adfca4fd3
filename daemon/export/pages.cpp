#include "export/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace gotuned {
namespace {

constexpr std::size_t most_rows = 200;

constexpr std::string_view style = R"(
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c2733; }
h1 { font-size: 1.4rem } table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #dde3ea }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } .bad { color: #a11 } .quiet { color: #667 } code { background: #f2f5f8; padding: 0 .3em }
)";

std::string quantile(const ProcessState& process, Signal signal) {
    const SignalReading reading = process.signals.get(signal);
    if (!reading.value.present()) return "–";
    const auto* distribution = std::get_if<DistributionPtr>(&*reading.value);
    if (distribution == nullptr || !*distribution) return "–";
    const Reading<double> p99 = (*distribution)->quantile(0.99);
    return p99 ? to_string(Quantity{*p99, unit::time}) : "–";
}

std::string quantity(const ProcessState& process, Signal signal) {
    const SignalReading reading = process.signals.get(signal);
    if (!reading.value.present()) return "–";
    const auto* value = std::get_if<Quantity>(&*reading.value);
    return value == nullptr ? "–" : to_string(*value);
}

std::string row(const ProcessState& process) {
    const GoProcess& go = *process.process;
    return fmt::format(
        "<tr><td>{}</td><td class=n>{}</td><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{} "
        "/ {}</td><td class=n>{}</td></tr>\n",
        escape_html(clean_text(process.service, 64)), go.id.pid, escape_html(clean_text(go.build.version, 32)),
        escape_html(clean_text(go.exe, 96)), quantile(process, Signal::epoll_wake), quantile(process, Signal::runq),
        quantity(process, Signal::fd_used), quantity(process, Signal::fd_limit), quantity(process, Signal::mem_rss));
}

std::string targets_table(const Snapshot& snapshot) {
    std::vector<const ProcessState*> processes;
    for (const auto& [id, process] : snapshot.processes)
        if (!process->exited) processes.push_back(process.get());
    std::stable_sort(processes.begin(), processes.end(),
                     [](const auto* a, const auto* b) { return a->service < b->service; });
    std::string out = fmt::format("<h2>Go processes ({})</h2>\n", processes.size());
    if (processes.empty()) return out + "<p class=quiet>None was found yet.</p>\n";
    out +=
        "<table><tr><th>service<th class=n>pid<th>Go<th>executable<th class=n>epoll wake p99<th class=n>run queue "
        "p99<th class=n>descriptors<th class=n>memory</tr>\n";
    for (std::size_t i = 0; i < processes.size() && i < most_rows; ++i) out += row(*processes[i]);
    out += "</table>\n";
    if (processes.size() > most_rows)
        out += fmt::format("<p class=quiet>{} more are in <code>gotunectl status</code>.</p>\n",
                           processes.size() - most_rows);
    return out;
}

}  // namespace

std::string escape_html(std::string_view text) {
    std::string out;
    for (const char c : text) switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    return out;
}

std::string landing_html(const LandingPage& page) {
    std::string out = fmt::format(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><title>gotuned</title><style>{}</style>\n<h1>gotuned "
        "{}</h1>\n",
        style, escape_html(page.version));
    out += page.not_ready.empty()
               ? "<p>Ready."
               : fmt::format("<p class=bad>Not ready: {}", escape_html(clean_text(page.not_ready, 512)));
    out +=
        fmt::format(" Profile <b>{}</b>, {} rules, {} of them enforced.{}</p>\n", escape_html(clean_text(page.profile)),
                    page.rules, page.enforced, page.paused ? " <b class=bad>Paused: nothing is changed.</b>" : "");
    out +=
        "<p><a href=\"/metrics\">/metrics</a> · <a href=\"/-/healthy\">/-/healthy</a> · <a "
        "href=\"/-/ready\">/-/ready</a> · on this host: <code>gotunectl status</code></p>\n";
    if (page.snapshot) out += targets_table(*page.snapshot);
    return out + "</html>\n";
}

HttpServer::Handler make_pages(PageSources sources) {
    return [sources = std::move(sources)](const HttpRequest& request) -> HttpResponse {
        if (request.path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", sources.metrics()};
        if (request.path == "/-/healthy") return text_response(200, "gotuned is healthy\n");
        if (request.path == "/-/ready") {
            const std::string reason = sources.not_ready();
            if (reason.empty()) return text_response(200, "gotuned is ready\n");
            return text_response(503, "gotuned is not ready: " + clean_text(reason, 512) + "\n");
        }
        if (request.path == "/")
            return {200, "text/html; charset=utf-8",
                    std::make_shared<const std::string>(landing_html(sources.landing()))};
        return text_response(404, "not found: see / for what is here\n");
    };
}

}  // namespace gotuned
