#include "observe/proc_files.h"

#include <unistd.h>

#include <string>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "observe/keyed.h"

namespace gotuned {
namespace {

/// Fields between blanks; kernel tables pad with several.
std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> out;
    for (const std::string_view part : split(text, ' '))
        if (!part.empty()) out.push_back(part);
    return out;
}

}  // namespace

Reading<ProcStat> parse_proc_stat(std::string_view text) {
    // proc(5): fields are numbered from 1; 3 is the first behind the name in parentheses.
    constexpr std::size_t first = 3, state = 3, majflt = 12, utime = 14, stime = 15, start = 22;
    const std::size_t paren = text.rfind(')');
    if (paren == std::string_view::npos) return Absent{Absence::malformed, "stat has no command name"};
    const auto fields = words(trim(text.substr(paren + 1)));
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    ProcStat out;
    if (fields.size() <= start - first || fields[state - first].size() != 1 ||
        !parse_u64(fields[majflt - first], out.major_faults) || !parse_u64(fields[utime - first], user) ||
        !parse_u64(fields[stime - first], system) || !parse_u64(fields[start - first], out.start_ticks))
        return Absent{Absence::malformed, "stat is not as in proc(5)"};
    out.state = fields[state - first][0];
    static const long ticks_a_second = ::sysconf(_SC_CLK_TCK);
    out.cpu_time = from_seconds(static_cast<double>(user + system) / static_cast<double>(ticks_a_second));
    return out;
}

ProcStatus parse_proc_status(std::string_view text) {
    ProcStatus out;
    const auto uid = find_line(text, "Uid");
    std::uint64_t number = 0;
    if (!uid) {
        out.uid = Absent{Absence::malformed, "status has no Uid"};
    } else if (parse_u64(uid->substr(0, uid->find('\t')), number)) {
        out.uid = number;
    } else {
        out.uid = Absent{Absence::malformed, "Uid is no number"};
    }
    out.threads = keyed_number(text, "Threads");
    const auto state = find_line(text, "State");
    const bool ended = state && (state->starts_with('Z') || state->starts_with('X'));
    const auto memory = [&](std::string_view key) -> Reading<std::uint64_t> {
        if (ended) return Absence::vanished;
        return keyed_kilobytes(text, key);
    };
    out.rss = memory("VmRSS");
    out.anon = memory("RssAnon");
    out.file = memory("RssFile");
    out.shmem = memory("RssShmem");
    out.swap = memory("VmSwap");
    const auto cpus = find_line(text, "Cpus_allowed_list");
    CpuSet set;
    if (!cpus) {
        out.cpus_allowed = Absent{Absence::not_supported, "status has no Cpus_allowed_list"};
    } else if (CpuSet::parse(*cpus, set)) {
        out.cpus_allowed = set;
    } else {
        out.cpus_allowed = Absent{Absence::malformed, "Cpus_allowed_list is no CPU list"};
    }
    return out;
}

Reading<Limit> parse_limit(std::string_view text, std::string_view name) {
    const auto line = find_line(text, name);
    if (!line) return Absent{Absence::malformed, "limits has no line " + std::string(name)};
    const auto fields = words(*line);
    const auto parse = [](std::string_view field, Quantity& out) {
        std::uint64_t number = 0;
        if (field == "unlimited") {
            out = count(unlimited_value);
        } else if (parse_u64(field, number)) {
            out = count(static_cast<double>(number));
        } else {
            return false;
        }
        return true;
    };
    Limit out;
    if (fields.size() < 2 || !parse(fields[0], out.soft) || !parse(fields[1], out.hard))
        return Absent{Absence::malformed, std::string(name) + " is \"" + std::string(line->substr(0, 60)) + "\""};
    return out;
}

}  // namespace gotuned
