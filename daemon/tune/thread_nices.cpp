#include "tune/thread_nices.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/text.h"
#include "tune/crash_point.h"

namespace gotuned {
namespace {

bool parse_int(std::string_view text, int& out) {
    const auto [stopped, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
    return failure == std::errc{} && stopped == text.data() + text.size();
}

}  // namespace

int ThreadNices::of(pid_t thread) const {
    const auto other = others.find(thread);
    return other == others.end() ? common : other->second;
}

std::string ThreadNices::encode() const {
    std::map<int, std::string> threads;
    for (const auto& [thread, nice] : others) {
        std::string& list = threads[nice];
        list += (list.empty() ? "" : "+") + std::to_string(thread);
    }
    std::string text = std::to_string(common);
    for (const auto& [nice, list] : threads) text += fmt::format(";{}={}", nice, list);
    return text;
}

Result<ThreadNices> ThreadNices::decode(std::string_view text) {
    const auto wrong = [&] {
        return fail(fmt::format("cannot understand the journaled nice values \"{}\"", clean_text(text)), EPROTO);
    };
    ThreadNices nices;
    const auto parts = split(text, ';');
    if (!parse_int(parts.front(), nices.common)) return wrong();
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const std::size_t equals = parts[i].find('=');
        int nice = 0;
        if (equals == std::string_view::npos || !parse_int(parts[i].substr(0, equals), nice)) return wrong();
        for (const std::string_view number : split(parts[i].substr(equals + 1), '+')) {
            int thread = 0;
            if (!parse_int(number, thread) || thread <= 0) return wrong();
            nices.others[thread] = nice;
        }
    }
    return nices;
}

ThreadNices ThreadNices::from(const std::map<pid_t, int>& all) {
    std::map<int, std::size_t> counts;
    for (const auto& [thread, nice] : all) ++counts[nice];
    ThreadNices nices;
    std::size_t most = 0;
    for (const auto& [nice, threads] : counts) {
        if (threads <= most) continue;
        most = threads;
        nices.common = nice;
    }
    for (const auto& [thread, nice] : all)
        if (nice != nices.common) nices.others[thread] = nice;
    return nices;
}

Result<int> thread_nice(pid_t thread) {
    // The system call itself gives 20 - nice, so that no value looks like an error.
    const long answer = ::syscall(SYS_getpriority, PRIO_PROCESS, thread);
    if (answer < 0) return fail("cannot read nice", errno, fmt::format("thread {}", thread));
    return static_cast<int>(20 - answer);
}

Status set_thread_nice(pid_t thread, int nice) {
    crash_point("before setpriority");
    const int put = ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread), nice);
    const int code = errno;
    crash_point("after setpriority");
    if (put != 0) {
        return fail(
            fmt::format("cannot set nice to {}", nice), code, fmt::format("thread {}", thread),
            code == EPERM || code == EACCES ? "another user's thread, or a lower value, needs CAP_SYS_NICE" : "");
    }
    return {};
}

}  // namespace gotuned
