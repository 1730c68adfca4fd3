#include "main/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace gotuned {
namespace {

std::string quantity_cell(const SignalTable& table, Signal id) {
    const auto reading = table.get(id).value;
    if (!reading) return "-";
    const auto* quantity = std::get_if<Quantity>(&*reading);
    return quantity != nullptr ? to_string(*quantity) : "-";
}

std::string percentile_cell(const SignalTable& table, Signal id, double q) {
    const auto reading = table.get(id).value;
    if (!reading) return "-";
    const auto* distribution = std::get_if<DistributionPtr>(&*reading);
    if (distribution == nullptr || !*distribution) return "-";
    const auto value = (*distribution)->quantile(q);
    return value ? to_string(Quantity{*value, unit::time}) : "-";
}

double cpu_of(const ProcessState& state) {
    const auto reading = state.signals.get(Signal::cpu_usage).value;
    if (!reading) return 0;  // only for the order of rows
    const auto* quantity = std::get_if<Quantity>(&*reading);
    return quantity != nullptr ? quantity->value : 0;
}

/// Columns of a terminal are counted in code points here: good enough for a table that is cut anyway.
std::string fit(const std::string& text, std::size_t width) {
    std::string out;
    std::size_t columns = 0;
    for (const char c : text) {
        if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80 && ++columns > width) break;
        out += c;
    }
    return out;
}

std::string pad(const std::string& text, std::size_t width) {
    const std::string cut = fit(text, width);
    const auto columns = static_cast<std::size_t>(
        std::count_if(cut.begin(), cut.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
    return cut + std::string(width - std::min(width, columns), ' ');
}

}  // namespace

std::string render_table(const Snapshot& snapshot, std::size_t width, std::size_t rows) {
    std::vector<const ProcessState*> processes;
    for (const auto& [id, state] : snapshot.processes)
        if (!state->exited) processes.push_back(state.get());
    // Equally busy ones by pid, so that rows do not jump.
    std::sort(processes.begin(), processes.end(), [](const ProcessState* a, const ProcessState* b) {
        const double busy_a = cpu_of(*a);
        const double busy_b = cpu_of(*b);
        return busy_a != busy_b ? busy_a > busy_b : a->process->id < b->process->id;
    });

    const std::size_t fixed = 8 + 10 + 7 + 9 + 14 + 9 + 9 + 9 + 9;
    const std::size_t name_width = std::clamp<std::size_t>(width > fixed ? width - fixed : 0, 12, 40);
    std::string out;
    const auto line = [&](const std::string& pid, const std::string& name, const std::string& version,
                          const std::string& cpu, const std::string& rss, const std::string& fds,
                          const std::string& wake, const std::string& runq, const std::string& sleep,
                          const std::string& jitter) {
        const std::string text = pad(pid, 8) + pad(name, name_width - 1) + " " + pad(version, 10) + pad(cpu, 7) +
                                 pad(rss, 9) + pad(fds, 14) + pad(wake, 9) + pad(runq, 9) + pad(sleep, 9) + jitter;
        out += fit(text, width) + "\n";
    };
    line("PID", "SERVICE", "GO", "CPU", "RSS", "FDS", "WAKE99", "RUNQ99", "SLEEP50", "JITTER");
    std::size_t shown = 0;
    for (const ProcessState* state : processes) {
        if (shown++ == rows) break;
        const GoProcess& process = *state->process;
        std::string name = clean_text(state->service, 64);
        if (process.opted_out) name += " (opted out)";
        const SignalTable& table = state->signals;
        line(fmt::format("{}", process.id.pid), name, clean_text(process.build.version, 9),
             quantity_cell(table, Signal::cpu_usage), quantity_cell(table, Signal::mem_rss),
             quantity_cell(table, Signal::fd_used) + "/" + quantity_cell(table, Signal::fd_limit),
             percentile_cell(table, Signal::epoll_wake, 0.99), percentile_cell(table, Signal::runq, 0.99),
             percentile_cell(table, Signal::netpoll_sleep, 0.5), quantity_cell(table, Signal::syscall_jitter));
    }
    if (processes.size() > rows) out += fmt::format("… and {} more\n", processes.size() - rows);
    if (processes.empty()) out += "no Go process yet\n";
    return out;
}

}  // namespace gotuned
