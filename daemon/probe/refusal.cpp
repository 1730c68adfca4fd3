// Why the kernel refused, in words. libbpf's own advice goes to the debug log: under lockdown it blames ulimit -l.
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
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
    std::array<char, 4096> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    std::string text = line.data();
    while (!text.empty() && text.back() == '\n') text.pop_back();
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

std::string last_libbpf_warning() { return std::exchange(warning(), {}); }

std::string refusal_words(int code, const ProbeFeatures& features, const std::string& said) {
    std::string words;
    if (features.lockdown == "confidentiality" && (code == EPERM || code == EINVAL))
        words = "kernel lockdown is in confidentiality mode, which keeps BPF from reading kernel memory";
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
