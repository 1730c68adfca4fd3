#include "probe/goroutine_probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "goroutine.skel.h"
#include "probe/arithmetic.h"

namespace gotuned {
namespace {

constexpr const char* netpoll_ready = "netpoll_ready";
constexpr const char* execute = "execute";

/// Where the function of the executable may be probed, by what stands there now: the kernel would put its breakpoint
/// into the middle of an instruction as well.
Result<std::uint64_t> place_of(int file, std::uint64_t function, const char* what) {
    std::array<std::uint8_t, 8> begin{};
    const ssize_t got = ::pread(file, begin.data(), begin.size(), static_cast<off_t>(function));
    const auto inside = got == static_cast<ssize_t>(begin.size()) ? emulated_at(begin) : std::optional<std::uint64_t>{};
    if (function == 0 || !inside)
        return fail(std::string("cannot probe ") + what + ": it does not begin as Go's compiler is known to do it");
    return function + *inside;
}

/// The longest of an interval: the map's element cannot be reset while the programs write it, so where it holds no new
/// maximum the highest bucket that grew tells.
std::uint64_t longest_of(const gt_hist& now, const gt_hist& before) {
    if (now.max_ns > before.max_ns) return now.max_ns;
    for (std::size_t i = GT_BUCKETS; i-- > 0;)
        if (now.buckets[i] != before.buckets[i])
            return i + 1 == GT_BUCKETS ? now.max_ns : std::min<std::uint64_t>(now.max_ns, std::uint64_t{1} << (10 + i));
    return 0;
}

}  // namespace

std::optional<std::uint64_t> emulated_at(const std::array<std::uint8_t, 8>& begin) {
    const auto is = [&begin](std::initializer_list<int> bytes) {
        return std::equal(bytes.begin(), bytes.end(), begin.begin(), [](int a, std::uint8_t b) { return a == b; });
    };
    // cmp 0x10(%r14),%rsp; jbe: the check for room on the stack, at its jump.
    if (is({0x49, 0x3b, 0x66, 0x10, 0x76}) || is({0x49, 0x3b, 0x66, 0x10, 0x0f, 0x86})) return 4;
    // push %rbp; mov %rsp,%rbp: a function that needs no check; emulated since Linux 5.0.
    if (is({0x55, 0x48, 0x89, 0xe5})) return 0;
    // cmp $0x72,%ecx; je: netpollready to Go 1.21 asks for mode 'r' first.
    if (is({0x83, 0xf9, 0x72, 0x74})) return 3;
    return std::nullopt;
}

GoroutineProbe::GoroutineProbe(const ProbeFeatures& features) : features_(features) {}

GoroutineProbe::~GoroutineProbe() = default;

/// When the first process is opted in: most hosts never do.
Status GoroutineProbe::load() {
    if (!tried_) {
        tried_ = true;
        std::size_t size = 0;
        const void* bytes = goroutine_bpf__elf_bytes(&size);
        BpfObjectSource source;
        source.name = "goroutine";
        source.attach_type = uprobe_multi;
        source.elf = {static_cast<const std::byte*>(bytes), size};
        auto object = BpfObject::load(source, features_);
        reason_.clear();
        if (object) {
            object_ = std::move(*object);
            for (const auto& program : object_->programs())
                if (program.loaded == nullptr) reason_ = program.reason;
        } else {
            reason_ = to_string(object.error());
        }
    }
    if (!object_ || !reason_.empty()) return fail("cannot probe goroutines: " + reason_);
    return {};
}

Status GoroutineProbe::attach(const GoroutineTarget& target, Links& links, int file) const {
    const auto ready = place_of(file, target.netpoll_ready, "runtime.netpollready");
    if (!ready) return fail(ready.error());
    const auto runs = place_of(file, target.execute, "runtime.execute");
    if (!runs) return fail(runs.error());
    const std::string path = "/proc/self/fd/" + std::to_string(file);
    const auto link = [&](const char* name, std::uint64_t offset) -> Result<UprobeLink> {
        for (const auto& program : object_->programs())
            if (program.name == name) return UprobeLink::attach(*program.loaded, path, offset);
        return fail(std::string("there is no program ") + name, ENOENT);
    };
    auto at_execute = link(execute, *runs);
    auto at_ready = at_execute ? link(netpoll_ready, *ready) : Result<UprobeLink>(UprobeLink{});
    if (at_execute && at_ready) {
        links.execute = std::move(*at_execute);
        links.ready = std::move(*at_ready);
        return {};
    }
    const int code = at_execute ? at_ready.error().code : at_execute.error().code;
    return fail("cannot attach to goroutines: " + refusal_words(code, features_, last_libbpf_warning()), code, {},
                "before Linux 6.6 it takes more than gotuned.service has: see examples/goroutines.conf in the "
                "documentation folder");
}

Status GoroutineProbe::watch(const GoroutineTarget& target, MonoTime now) {
    if (watched_.contains(target.process)) return {};
    if (auto loaded = load(); !loaded) return loaded;
    const std::string path = "/proc/" + std::to_string(target.process.pid) + "/exe";
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status{};
    if (!file.valid() || ::fstat(file.get(), &status) != 0) return fail("cannot open an executable", errno, path);
    if (status.st_ino != target.process.exe_inode && target.process.exe_inode != 0)
        return fail("it executes another file now", ESRCH, path);
    const Binary binary{status.st_dev, status.st_ino};

    gt_goroutine_process fresh{};
    fresh.rg_offset = target.rg_offset;
    const auto pid = static_cast<std::uint32_t>(target.process.pid);
    if (const int error = bpf_map_update_elem(object_->map_fd("processes"), &pid, &fresh, BPF_ANY); error != 0)
        return fail("cannot look into its goroutines", -error, path);
    Links& links = links_[binary];
    if (links.processes == 0) {
        if (auto attached = attach(target, links, file.get()); !attached) {
            links_.erase(binary);
            bpf_map_delete_elem(object_->map_fd("processes"), &pid);
            return attached;
        }
    }
    ++links.processes;
    Watched watched;
    watched.binary = binary;
    watched.since = now;
    watched_.emplace(target.process, watched);
    return {};
}

void GoroutineProbe::unwatch(const ProcessId& process) {
    const auto known = watched_.find(process);
    if (known == watched_.end()) return;
    const auto links = links_.find(known->second.binary);
    if (links != links_.end() && --links->second.processes == 0) links_.erase(links);
    watched_.erase(known);
    const auto pid = static_cast<std::uint32_t>(process.pid);
    bpf_map_delete_elem(object_->map_fd("processes"), &pid);
    forget_ready(process.pid);
}

/// What was ready when the probes went, or the process did, would never be taken out.
void GoroutineProbe::forget_ready(pid_t pid) const {
    const int map = object_->map_fd("ready");
    std::vector<gt_goroutine> stale;
    gt_goroutine key{};
    for (const gt_goroutine* from = nullptr; bpf_map_get_next_key(map, from, &key) == 0; from = &key) {
        if (key.tgid == static_cast<std::uint32_t>(pid)) stale.push_back(key);
        if (stale.size() > GT_GOROUTINES_READY) break;
    }
    for (const gt_goroutine& one : stale) bpf_map_delete_elem(map, &one);
}

GoroutineDelta GoroutineProbe::take(const ProcessId& process, MonoTime now) {
    GoroutineDelta delta;
    const auto known = watched_.find(process);
    gt_goroutine_process counted{};
    const auto pid = static_cast<std::uint32_t>(process.pid);
    if (known == watched_.end() || bpf_map_lookup_elem(object_->map_fd("processes"), &pid, &counted) != 0) return delta;
    const gt_goroutine_process& before = known->second.before;
    delta.wait = difference(counted.wait, before.wait, longest_of(counted.wait, before.wait));
    delta.hits = counted.hits - before.hits;
    delta.elapsed = now - known->second.since;
    if (delta.elapsed > Duration::zero())
        known->second.hits_per_second = static_cast<double>(delta.hits) / seconds(delta.elapsed);
    full_ += counted.full - before.full;
    unread_ += counted.unread - before.unread;
    known->second.since = now;
    known->second.before = counted;
    return delta;
}

double GoroutineProbe::cost() const {
    double hits = 0;
    for (const auto& [process, watched] : watched_) hits += watched.hits_per_second;
    return hits * GoroutineDelta::hit_seconds;
}

std::vector<ProbeReport> GoroutineProbe::reports() const {
    std::vector<ProbeReport> out;
    for (const char* name : {netpoll_ready, execute}) {
        ProbeReport report;
        report.probe = name;
        report.attached = !links_.empty();
        report.tier = report.attached ? "uprobe" : "none";
        report.reason = report.attached ? std::string() : reason_;
        out.push_back(std::move(report));
    }
    return out;
}

std::vector<Probes::Drop> GoroutineProbe::drops() const {
    return {{netpoll_ready, "ready_full", full_}, {netpoll_ready, "unread", unread_}};
}

}  // namespace gotuned
