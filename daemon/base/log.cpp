#include "base/log.h"

#include <sys/stat.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <mutex>

#include "base/text.h"
#include "base/time.h"

namespace gotuned {
namespace {

std::atomic<LogLevel> least_level{LogLevel::info};

/// systemd.exec(5): JOURNAL_STREAM names device and inode of the stream, so a redirected stderr is told apart.
bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    unsigned long long device = 0;
    unsigned long long inode = 0;
    return stream != nullptr && std::sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           ::fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

/// Same message at most once a minute, so that a broken thing does not fill the disk.
bool repeated(std::string_view message) {
    static std::mutex mutex;
    static std::map<std::string, MonoTime, std::less<>> printed;
    const std::lock_guard lock(mutex);
    const MonoTime now = MonoClock::now();
    if (printed.size() > 512)
        std::erase_if(printed, [now](const auto& entry) { return now - entry.second > std::chrono::minutes(1); });
    if (printed.size() > 4096) printed.clear();
    const auto [entry, fresh] = printed.try_emplace(std::string(message), now);
    if (fresh) return false;
    if (now - entry->second < std::chrono::minutes(1)) return true;
    entry->second = now;
    return false;
}

}  // namespace

void set_log_level(LogLevel level) { least_level = level; }

void log_line(LogLevel level, std::string_view message) {
    if (level < least_level || repeated(message)) return;
    const std::string text = clean_text(message, 4096);
    static const bool journal = stderr_is_journal();
    static constexpr int priorities[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};
    static constexpr const char* names[] = {"debug", "info", "warning", "error"};
    const auto index = static_cast<std::size_t>(level);
    if (journal) {
        sd_journal_send("MESSAGE=%s", text.c_str(), "PRIORITY=%i", priorities[index], "SYSLOG_IDENTIFIER=gotuned",
                        nullptr);
        return;
    }
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &parts);
    std::fprintf(stderr, "%s %s: %s\n", stamp, names[index], text.c_str());
}

}  // namespace gotuned
