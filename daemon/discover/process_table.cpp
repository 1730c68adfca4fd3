#include "discover/process_table.h"

#include <dirent.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/log.h"
#include "discover/placement.h"
#include "discover/process_table_impl.h"

namespace gotuned {
namespace {

constexpr std::size_t max_waiting = 4096;  // binaries
constexpr std::size_t max_pids_a_binary = 65536;
constexpr Duration open_deadline = std::chrono::seconds(2);
constexpr int attempts = 3;  // at a process that changes while it is read

constexpr Duration unit_recheck = std::chrono::seconds(30);  // a stat(2) for each of its files

bool gone(int code) { return code == ENOENT || code == ESRCH; }

}  // namespace

std::unique_ptr<ProcessTable> ProcessTable::make(const Roots& roots, Callbacks callbacks) {
    ScanningProcessTable::Options options;
    options.roots = roots;
    options.callbacks = std::move(callbacks);
    return std::make_unique<ScanningProcessTable>(std::move(options));
}

ScanningProcessTable::ScanningProcessTable(Options options)
    : roots_(std::move(options.roots)),
      callbacks_(std::move(options.callbacks)),
      units_(std::move(options.unit_root)),
      in_flight_(options.inspector.in_flight),
      user_name_(options.user_name),
      poll_(::epoll_create1(EPOLL_CLOEXEC)),
      worker_(open_deadline) {
    auto inspector = Inspector::make(options.inspector);
    if (!inspector) {
        inspector_error_ = inspector.error();
        return;
    }
    for (const int source : {(*inspector)->fd(), worker_.fd()}) {
        epoll_event event{};
        event.events = EPOLLIN;
        if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, source, &event) == 0) continue;
        inspector_error_ = Error{"cannot wait for the inspector", {}, errno, {}};
        return;
    }
    inspector_ = std::move(*inspector);
}

Status ScanningProcessTable::scan() {
    if (!inspector_) return fail(inspector_error_);
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(roots_.proc.c_str()), ::closedir);
    if (!directory) return fail("cannot list " + roots_.proc, errno);
    std::set<pid_t> seen;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory.get());
        if (entry == nullptr) {
            if (errno != 0) return fail("cannot list " + roots_.proc, errno);
            break;
        }
        std::uint64_t pid = 0;
        if (parse_u64(entry->d_name, pid) && pid > 0 && pid <= INT32_MAX) seen.insert(static_cast<pid_t>(pid));
    }
    std::vector<pid_t> ended;
    for (const auto& [pid, process] : processes_) {
        if (!seen.contains(pid)) ended.push_back(pid);
    }
    for (const pid_t pid : ended) lose(pid);
    for (const pid_t pid : seen) look(pid, Why::walk, {});
    ask_more();
    return {};
}

void ScanningProcessTable::executed(pid_t pid, std::uint64_t dev, std::uint64_t inode) {
    const EventKey event{dev, inode};
    if (inode != 0 && cache_.judge(event, pid) == BinaryCache::Verdict::pass) {
        ++counts_.cache_hits;
        lose(pid);  // it was a Go program until this exec
        return;
    }
    look(pid, Why::event, event);
    ask_more();
}

void ScanningProcessTable::exited(pid_t pid) { lose(pid); }

void ScanningProcessTable::lose(pid_t pid) {
    const auto known = processes_.find(pid);
    if (known == processes_.end()) return;
    const auto process = known->second;
    processes_.erase(known);
    marks_.erase(pid);
    if (callbacks_.lost) callbacks_.lost(process);
}

void ScanningProcessTable::look(pid_t pid, Why why, const EventKey& event) {
    for (int i = 0; i < attempts; ++i) {
        const auto looked = look_once(pid, why, event);
        if (looked || looked.error().code != EAGAIN) return;
    }
    log_debug("pid {} keeps changing while it is read; its next exec event will tell", pid);
}

Status ScanningProcessTable::look_once(pid_t pid, Why why, const EventKey& event) {
    const auto process = ProcessReader::open(roots_, pid);
    const auto key = process ? process->executable() : Result<BinaryKey>(fail(process.error()));
    if (!key) {
        if (gone(key.error().code)) lose(pid);
        return fail(key.error());
    }
    if (processes_.contains(pid)) {
        const auto mark = process->mark();
        if (!mark) {
            if (gone(mark.error().code)) lose(pid);
            return fail(mark.error());
        }
        // An event of what a walk has already found, or a walk over what is known.
        if (*mark == marks_[pid] && key->inode == processes_[pid]->id.exe_inode) return {};
        lose(pid);
    }
    const auto known = cache_.find(*key);
    if (!known) {
        queue(pid, *key, event);
        return {};
    }
    if (why != Why::answer) ++counts_.cache_hits;
    if (known->kind == Recognition::Kind::go) return admit(*process, *key, known->build);
    pass_from_now_on(*key, event);
    return {};
}

void ScanningProcessTable::pass_from_now_on(const BinaryKey& key, const EventKey& event) {
    cache_.allow_passing(EventKey::of(key), key);
    if (event.inode != 0 && event != EventKey::of(key)) cache_.allow_passing(event, key);
}

Status ScanningProcessTable::admit(const ProcessReader& process, const BinaryKey& key, const GoBuild& build) {
    const auto mark = process.mark();
    if (!mark) return fail(mark.error());
    auto facts = process.read(key, users_, units_, names_);
    if (!facts) return fail(facts.error());
    facts->build = build;
    const pid_t pid = process.pid();
    auto found = std::make_shared<const GoProcess>(std::move(*facts));
    marks_[pid] = *mark;
    processes_[pid] = found;
    if (callbacks_.found) callbacks_.found(found);
    ask_for_names();
    return {};
}

/// Names that /etc/passwd does not have. Until they come the user is its number.
void ScanningProcessTable::ask_for_names() {
    for (const uid_t uid : users_.unknown()) {
        worker_.submit(MonoClock::now(), [this, uid, ask = user_name_]() -> Worker::Finish {
            std::string name = ask(uid);
            return [this, uid, name = std::move(name)] { named(uid, name); };
        });
    }
}

void ScanningProcessTable::named(uid_t uid, const std::string& name) {
    if (name.empty()) return;
    users_.learn(uid, name);
    for (auto& [pid, known] : processes_) {
        if (known->uid != uid || known->user == name) continue;
        auto changed = std::make_shared<GoProcess>(*known);
        changed->user = name;
        known = std::move(changed);
        if (callbacks_.found) callbacks_.found(known);
    }
}

void ScanningProcessTable::queue(pid_t pid, const BinaryKey& key, const EventKey& event) {
    auto waiting = waiting_.find(key);
    if (waiting == waiting_.end()) {
        if (waiting_.size() >= max_waiting) {
            overflowed_ = true;
            return;
        }
        waiting = waiting_.try_emplace(key).first;
        queue_.push_back(key);
    }
    if (waiting->second.pids.size() < max_pids_a_binary) waiting->second.pids.insert(pid);
    if (event.inode != 0 && waiting->second.events.size() < max_waiting) waiting->second.events.insert(event);
}

/// Opens a binary through any process that still runs it. In the worker: a dead file system does not answer.
Result<Fd> ScanningProcessTable::open_of(const Roots& roots, const BinaryKey& key, const std::set<pid_t>& pids) {
    Error last{"nobody runs it any more", {}, ESRCH, {}};
    for (const pid_t pid : pids) {
        const auto process = ProcessReader::open(roots, pid);
        if (!process) continue;
        auto file = process->open_executable();
        if (!file) {
            if (!gone(file.error().code)) last = file.error();
            continue;
        }
        struct stat status{};
        if (::fstat(file->get(), &status) == 0 && BinaryKey::of(status) == key) return file;
    }
    return fail(last);
}

void ScanningProcessTable::ask_more() {
    while (inspector_ && !stalled_ && !queue_.empty() && opening_ + questions_.size() < in_flight_) {
        const BinaryKey key = queue_.front();
        queue_.pop_front();
        const auto waiting = waiting_.find(key);
        if (waiting == waiting_.end()) continue;
        ++opening_;
        const pid_t pid = *waiting->second.pids.begin();
        worker_.submit(
            MonoClock::now(),
            [this, key, roots = roots_, pids = waiting->second.pids]() -> Worker::Finish {
                auto file = std::make_shared<Result<Fd>>(open_of(roots, key, pids));  // a function is copyable
                return [this, key, pids, file] { opened(key, pids, *file); };
            },
            [pid] { log_warning("the executable of pid {} does not open: its file system does not answer", pid); });
    }
}

void ScanningProcessTable::opened(const BinaryKey& key, const std::set<pid_t>& tried, Result<Fd>& file) {
    --opening_;
    const auto waiting = waiting_.find(key);
    if (waiting == waiting_.end()) return;
    if (!file) {
        // Somebody else came to run it meanwhile; or nothing was learned, and whoever runs it next asks again.
        if (waiting->second.pids != tried) return queue_.push_back(key);
        if (!gone(file.error().code)) log_warning("an executable cannot be inspected: {}", to_string(file.error()));
        waiting_.erase(waiting);
        return;
    }
    const std::uint64_t id = next_question_++;
    if (auto asked = inspector_->ask(id, std::move(*file)); !asked) {
        log_warning("{}; tried again at the next tick", to_string(asked.error()));
        queue_.push_front(key);
        stalled_ = true;
        return;
    }
    questions_.emplace(id, key);
}

int ScanningProcessTable::answer_fd() const { return inspector_ ? poll_.get() : -1; }

void ScanningProcessTable::complete() {
    if (!inspector_) return;
    worker_.complete(MonoClock::now());
    answered(inspector_->collect());
    ask_more();
}

void ScanningProcessTable::answered(std::vector<Inspector::Answer> answers) {
    for (Inspector::Answer& answer : answers) {
        const auto question = questions_.find(answer.id);
        if (question == questions_.end()) continue;
        const BinaryKey key = question->second;
        questions_.erase(question);
        if (answer.recognition.kind == Recognition::Kind::unknown) {
            queue_.push_back(key);
            stalled_ = true;
            continue;
        }
        ++counts_.inspected;
        if (answer.recognition.kind == Recognition::Kind::not_go) ++counts_.not_go;
        if (answer.recognition.kind == Recognition::Kind::failed) {
            ++counts_.failed;
            log_debug("an executable (device {}, inode {}) is not recognised: {}", key.device, key.inode,
                      answer.recognition.reason);
        }
        const bool go = answer.recognition.kind == Recognition::Kind::go;
        cache_.put(key, std::make_shared<const Recognition>(std::move(answer.recognition)));
        auto waiting = waiting_.extract(key);
        if (waiting.empty()) continue;
        if (!go) {
            pass_from_now_on(key, {});
            for (const EventKey& event : waiting.mapped().events) pass_from_now_on(key, event);
            continue;
        }
        for (const pid_t pid : waiting.mapped().pids) look(pid, Why::answer, {});
    }
}

/// A deleted file's inode is soon another file's: look at what was passed over and still runs.
void ScanningProcessTable::check_passed() {
    for (const BinaryCache::Passed& passed : cache_.next_round()) {
        for (const pid_t pid : passed.pids) {
            const auto process = ProcessReader::open(roots_, pid);
            const auto key = process ? process->executable() : Result<BinaryKey>(fail(process.error()));
            if (!key || *key == passed.key) continue;
            cache_.forget(passed.event);
            look(pid, Why::event, passed.event);
        }
    }
}

void ScanningProcessTable::tick(MonoTime now) {
    if (!inspector_) return;
    worker_.overtake(MonoClock::now());
    answered(inspector_->tick(now));
    check_passed();
    if (now - units_checked_ >= unit_recheck) {
        units_checked_ = now;
        recheck_units();
    }
    stalled_ = false;
    ask_more();
    if (overflowed_ && queue_.empty()) {
        overflowed_ = false;
        if (auto walked = scan(); !walked) log_warning("{}", to_string(walked.error()));
    }
}

void ScanningProcessTable::keep_environment(const std::set<std::string>& names) {
    if (names == names_) return;
    names_ = names;
    for (auto& [pid, known] : processes_) {
        const auto process = ProcessReader::open(roots_, pid);
        const auto mark = process ? process->mark() : Result<ImageMark>(fail(process.error()));
        if (!mark || *mark != marks_[pid]) continue;  // an event about its end or its exec is under way
        auto changed = std::make_shared<GoProcess>(*known);
        changed->environment = process->environment(names_);
        known = std::move(changed);
        if (callbacks_.found) callbacks_.found(known);
    }
}

/// A unit's X-Gotuned may change while its processes live.
void ScanningProcessTable::recheck_units() {
    UnitFiles::Look look;
    for (auto& [pid, known] : processes_) {
        if (known->unit.empty() || known->opt_out_source == "environment") continue;
        const bool opted_out = units_.opted_out(known->unit, in_user_manager(known->cgroup), look);
        if (opted_out == known->opted_out) continue;
        auto changed = std::make_shared<GoProcess>(*known);
        changed->opted_out = opted_out;
        changed->opt_out_source = opted_out ? "unit" : "";
        known = std::move(changed);
        if (callbacks_.found) callbacks_.found(known);
    }
}

ProcessTable::Counts ScanningProcessTable::counts() const {
    Counts out = counts_;
    if (inspector_) out.inspector_killed = inspector_->killed();
    return out;
}

}  // namespace gotuned
