#include "tune/sysfs_setting.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "tune/crash_point.h"

namespace gotuned {
namespace {

Result<Fd> open_for_writing(const std::string& path, const std::string& knob) {
    Fd file(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file.valid()) return file;
    const int code = errno;
    return fail(fmt::format("cannot open {} for writing", knob), code, "host",
                code == ENOENT                    ? fmt::format("this kernel has no {}", path)
                : code == EROFS || code == EACCES ? "ProtectKernelTunables= or a container makes /sys read-only"
                                                  : "");
}

}  // namespace

KnobState SysfsSetting::state() const {
    double number = 0;
    if (offered.empty() && parse_double(text, number)) return {count(number), text};
    return {text, text};
}

Result<SysfsSetting> read_setting(const std::string& path, const std::string& knob) {
    const auto content = read_file(path);
    if (!content) {
        const int code = content.error().code;
        return fail("cannot read " + knob, code, "host", code == ENOENT ? "this kernel has no " + path : "");
    }
    SysfsSetting setting;
    for (const std::string_view word : split(trim(*content), ' ')) {
        if (word.empty()) continue;
        const bool chosen = word.size() > 2 && word.front() == '[' && word.back() == ']';
        setting.offered.emplace_back(chosen ? word.substr(1, word.size() - 2) : word);
        if (chosen) setting.text = setting.offered.back();
    }
    if (setting.offered.empty()) return fail(fmt::format("{} is empty", path), EPROTO, "host");
    if (!setting.text.empty()) return setting;
    if (setting.offered.size() > 1) return fail(fmt::format("{}: no word is chosen", path), EPROTO, "host");
    // A number; or the only word there is: of a disk without a queue, "none".
    setting.text = setting.offered.front();
    double number = 0;
    if (parse_double(setting.text, number)) setting.offered.clear();
    return setting;
}

Status write_setting(const std::string& path, const std::string& knob, const std::string& text) {
    const auto file = open_for_writing(path, knob);
    if (!file) return fail(file.error());
    crash_point("before sysfs write");
    const ssize_t put = ::write(file->get(), text.data(), text.size());
    const int code = errno;
    // Without meaning for the kernel; in a tree of plain files the rest of a longer old value goes.
    static_cast<void>(!::ftruncate(file->get(), put));
    crash_point("after sysfs write");
    if (put < 0) return fail(fmt::format("cannot write {} to {}", text, knob), code, "host");
    if (static_cast<std::size_t>(put) != text.size())
        return fail(fmt::format("cannot write {} to {}: only a part was taken", text, knob), EIO, "host");
    return {};
}

KnobAbility setting_ability(const std::string& path, const std::string& knob) {
    if (const auto file = open_for_writing(path, knob); !file) return {false, to_string(file.error())};
    return {};
}

Result<Fitted> fit_word(const SysfsSetting& now, const PlannedWrite& planned, std::string_view packaged, bool unsafe) {
    const auto* const word = planned.to.present() ? std::get_if<std::string>(&*planned.to) : nullptr;
    if (word == nullptr) return fail(planned.knob + " takes a word", EINVAL, "host");
    if (std::find(now.offered.begin(), now.offered.end(), *word) == now.offered.end()) {
        return fail(fmt::format("{} is not offered here", clean_text(*word, 80)), EINVAL, "host",
                    fmt::format("one of {}; others may need a kernel module", fmt::join(now.offered, ", ")));
    }
    const auto safe = split(packaged, ' ');
    if (!unsafe && !packaged.empty() && std::find(safe.begin(), safe.end(), *word) == safe.end())
        return fail(fmt::format("{} is not safe for {}", *word, planned.knob), EINVAL, "host",
                    fmt::format("one of {}", packaged));
    return Fitted{*word, *word, {}};
}

}  // namespace gotuned
