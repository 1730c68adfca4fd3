#include "probe/sysctl_probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/capability.h"
#include "base/files.h"
#include "bpf/sysctl.h"
#include "sysctl.skel.h"

namespace gotuned {
namespace {

constexpr const char* program = "sysctl_write";

std::optional<gt_sysctl_name> key_of(const std::string& path) {
    gt_sysctl_name key{};
    if (path.empty() || path.size() >= sizeof key.text) return std::nullopt;
    std::memcpy(key.text, path.data(), path.size());
    return key;
}

/// Of a field that the kernel may have filled to its last byte.
template <std::size_t Size>
std::string text_of(const char (&field)[Size]) {
    return std::string(trim(std::string_view(field, ::strnlen(field, Size))));
}

}  // namespace

SysctlProbe::SysctlProbe(const ProbeFeatures& features, const std::string& cgroup2) : cgroup2_(cgroup2) {
    if (auto loaded = load(features); !loaded) reason_ = loaded.error().what;
}

SysctlProbe::~SysctlProbe() { ring_buffer__free(ring_); }

Status SysctlProbe::load(const ProbeFeatures& features) {
    if (cgroup2_.empty()) return fail("there is no unified cgroup hierarchy to attach it to");
    if (!has_capability(CAP_NET_ADMIN))
        return fail(
            "the kernel wants CAP_NET_ADMIN for it, which gotuned.service withholds; examples/foreign-writers.conf "
            "in the documentation folder adds it");
    cgroup_ = Fd(::open(cgroup2_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup_.valid()) return fail("cannot open " + cgroup2_ + ": " + errno_words(errno));
    std::size_t size = 0;
    const void* bytes = sysctl_bpf__elf_bytes(&size);
    BpfObjectSource source;
    source.name = "sysctl";
    source.elf = {static_cast<const std::byte*>(bytes), size};
    auto object = BpfObject::load(source, features);
    if (!object) return fail(to_string(object.error()));
    const auto& loaded = object->programs().front();
    if (loaded.loaded == nullptr) return fail(loaded.reason);
    gt_sysctl_watch state{};
    state.own_tgid = static_cast<std::uint32_t>(::getpid());
    const std::uint32_t zero = 0;
    if (const int error = bpf_map_update_elem(object->map_fd("watch"), &zero, &state, BPF_ANY); error != 0)
        return fail("cannot tell it who we are: " + errno_words(-error));
    ring_ = ring_buffer__new(object->map_fd("writes"), receive, this, nullptr);
    if (ring_ == nullptr) return fail("cannot map its ring buffer: " + errno_words(errno));
    // Once, so that a kernel that refuses it is known before there is anything to watch.
    if (auto tried = object->attach_cgroup(program, cgroup_.get()); !tried) return fail(tried.error().hint);
    object->detach(program);
    object_ = std::move(*object);
    return {};
}

Status SysctlProbe::watch(const std::set<std::string>& sysctls) {
    if (!object_ || sysctls == watched_) return {};
    Status done{};
    const int map = object_->map_fd("sysctls");
    for (const std::string& path : watched_) {
        if (sysctls.contains(path)) continue;
        if (const auto key = key_of(path)) bpf_map_delete_elem(map, &*key);
    }
    for (const std::string& path : sysctls) {
        const auto key = key_of(path);
        const std::uint32_t one = 1;
        const int error = key ? bpf_map_update_elem(map, &*key, &one, BPF_ANY) : -ENAMETOOLONG;
        if (error != 0) done = fail("writes to it by others are not seen", -error, path);
    }
    watched_ = sysctls;
    if (watched_.empty()) {
        object_->detach(program);
    } else if (auto attached = object_->attach_cgroup(program, cgroup_.get()); !attached) {
        reason_ = attached.error().hint;
        return attached;
    }
    return done;
}

int SysctlProbe::fd() const { return ring_ == nullptr ? -1 : ring_buffer__epoll_fd(ring_); }

int SysctlProbe::receive(void* self, void* data, std::size_t size) {
    const auto* probe = static_cast<SysctlProbe*>(self);
    if (size < sizeof(gt_sysctl_write) || probe->callback_ == nullptr) return 0;
    gt_sysctl_write event;
    std::memcpy(&event, data, sizeof event);
    SysctlWrite write;
    write.path = text_of(event.name.text);
    write.from = text_of(event.from);
    write.to = text_of(event.to);
    write.command = text_of(event.command);
    write.cgroup = text_of(event.cgroup);
    write.pid = static_cast<pid_t>(event.pid);
    write.uid = event.uid;
    write.net_namespace = event.net_namespace;
    (*probe->callback_)(write);
    return 0;
}

void SysctlProbe::drain(const std::function<void(const SysctlWrite&)>& callback) {
    if (ring_ == nullptr) return;
    callback_ = &callback;
    ring_buffer__consume(ring_);
    callback_ = nullptr;
}

ProbeReport SysctlProbe::report() const {
    ProbeReport report;
    report.probe = program;
    report.attached = object_.has_value() && reason_.empty();
    report.tier = report.attached ? "cgroup" : "none";
    report.reason = reason_;
    return report;
}

std::uint64_t SysctlProbe::lost() const {
    gt_sysctl_watch state{};
    const std::uint32_t zero = 0;
    if (!object_ || bpf_map_lookup_elem(object_->map_fd("watch"), &zero, &state) != 0) return 0;
    return state.lost;
}

}  // namespace gotuned
