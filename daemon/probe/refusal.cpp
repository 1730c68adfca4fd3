// Why the kernel refused, in words. libbpf's own advice goes to the debug log: under lockdown it blames ulimit -l.
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "probe/object.h"

namespace gotuned {
namespace {

std::string& warning() {
    static std::string last;
    return last;
}

int listen(libbpf_print_level level, const char* format, va_list arguments) __attribute__((format(printf, 2, 0)));
int listen(libbpf_print_level level, const char* format, va_list arguments) {
    std::va_list again;
    va_copy(again, arguments);
    const int size = std::vsnprintf(nullptr, 0, format, arguments);
    // The verifier's log may have megabytes, and what it found wrong is at its end.
    std::string text(static_cast<std::size_t>(std::max(size, 0)) + 1, '\0');
    std::vsnprintf(text.data(), text.size(), format, again);
    va_end(again);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
    if (const std::string verdict = verifier_verdict(text); !verdict.empty()) warning() = verdict;
    // What only repeats that loading failed, the guesses where nothing at all may be loaded, and the verifier's log say
    // nothing to an operator.
    const bool telling = text.find("load failed") == std::string::npos &&
                         text.find("failed to load") == std::string::npos &&
                         text.find("trivial BPF program") == std::string::npos;
    if (level == LIBBPF_WARN && telling && text.size() < 300) warning() = text;
    log_debug("{}", text);
    return 0;
}

}  // namespace

void quiet_libbpf() { libbpf_set_print(listen); }

std::string verifier_verdict(std::string_view log) {
    if (log.find("-- BEGIN PROG LOAD LOG --") == std::string_view::npos) return {};
    std::string_view verdict;
    while (!log.empty()) {
        const std::size_t end = log.find('\n');
        const std::string_view line = log.substr(0, end);
        log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
        // Its last line but for the counts, and for the source lines that stand between instructions.
        const bool telling = !line.empty() && !line.starts_with(';') && !line.starts_with("processed ") &&
                             !line.starts_with("-- ") && line.find(" LOAD LOG --") == std::string_view::npos;
        if (telling) verdict = line;
    }
    return "the verifier: " + std::string(verdict);
}

std::string last_libbpf_warning() { return std::exchange(warning(), {}); }

std::string refusal_words(int code, const ProbeFeatures& features, const std::string& said) {
    std::string words;
    if (features.lockdown == "confidentiality" && (code == EPERM || code == EINVAL))
        words = "kernel lockdown is in confidentiality mode, which keeps BPF from reading kernel memory";
    else if (said.starts_with("the verifier: "))
        words = "this kernel's verifier refused it";
    else if (code == EPERM || code == EACCES)
        words = "not permitted: the daemon needs CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before 5.8)";
    else if (code == ESRCH || code == ENOENT)
        words = "this kernel has no such tracepoint or type";
    else if (code == ENOMEM || code == E2BIG)
        words = "no memory for its maps (before 5.11 they count against RLIMIT_MEMLOCK)";
    else if (code == ENOSYS)
        words = "this kernel has no BPF";
    else
        words = "the kernel refused it";
    words += ": " + errno_words(code);
    if (features.lockdown == "integrity") words += "; lockdown is in integrity mode";
    if (!said.empty()) words += "; " + clean_text(said, 200);
    return words;
}

}  // namespace gotuned
