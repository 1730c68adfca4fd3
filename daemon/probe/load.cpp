// Loading and attaching: what cannot be had is left out with its reason, the rest works.
#include "probe/loaded_probes.h"  // with the types that the skeletons name

#include <bpf/libbpf.h>

#include <algorithm>

#include "base/log.h"
#include "calls.skel.h"
#include "irq.skel.h"
#include "memory.skel.h"
#include "net.skel.h"
#include "probe/features.h"
#include "process.skel.h"
#include "sched.skel.h"
#include "swap.skel.h"
#include "syscalls.skel.h"
#include "tcp.skel.h"

namespace gotuned {
namespace {

template <typename... Skeleton>
constexpr bool share_their_variables = ((sizeof(*Skeleton::bss) == sizeof(gt_shared)) && ...);
static_assert(share_their_variables<sched_bpf, process_bpf, syscalls_bpf, net_bpf, tcp_bpf, calls_bpf, memory_bpf,
                                    swap_bpf, irq_bpf>,
              "gt_shared is the only variable of each object");

std::span<const std::byte> elf_of(std::size_t object) {
    std::size_t size = 0;
    const void* bytes = object == GT_OBJECT_SCHED      ? sched_bpf__elf_bytes(&size)
                        : object == GT_OBJECT_PROCESS  ? process_bpf__elf_bytes(&size)
                        : object == GT_OBJECT_SYSCALLS ? syscalls_bpf__elf_bytes(&size)
                        : object == GT_OBJECT_NET      ? net_bpf__elf_bytes(&size)
                        : object == GT_OBJECT_TCP      ? tcp_bpf__elf_bytes(&size)
                        : object == GT_OBJECT_CALLS    ? calls_bpf__elf_bytes(&size)
                        : object == GT_OBJECT_MEMORY   ? memory_bpf__elf_bytes(&size)
                        : object == GT_OBJECT_SWAP     ? swap_bpf__elf_bytes(&size)
                                                       : irq_bpf__elf_bytes(&size);
    return {static_cast<const std::byte*>(bytes), size};
}

}  // namespace

LoadedProbes::LoadedProbes(const ProbeOptions& options) : options_(options) {
    options_.max_processes = std::clamp<std::size_t>(options_.max_processes, 1, GT_MAX_SLOTS);
    quiet_libbpf();
    cpus_ = static_cast<std::uint32_t>(std::max(libbpf_num_possible_cpus(), 1));
    features_ = detect_features();
    if (!features_.kernel_btf) {
        refuse_all("this kernel has no type information (CONFIG_DEBUG_INFO_BTF)");
        return;
    }
    if (!in_first_pid_namespace()) {
        refuse_all("the daemon runs in a pid namespace of its own, where the kernel's ids mean other processes");
        return;
    }
    sysctls_ = std::make_unique<SysctlProbe>(features_, options_.cgroup2);
    load_objects();
    map_slots();
    if (slots_ == nullptr) return;
    open_ring();
    loaded_ = MonoClock::now();
    attach();
    try_window();
    try_interrupts();
}

LoadedProbes::~LoadedProbes() {
    close_window();
    close_interrupts();
    detach();
}

void LoadedProbes::refuse_all(const std::string& reason) {
    for (auto& refused : refused_) refused = reason;
    log_warning("no probe is attached: {}", reason);
}

void LoadedProbes::load_objects() {
    std::map<std::string, int> shared_maps;
    for (std::size_t i = 0; i < GT_OBJECTS; ++i) {
        if ((i == GT_OBJECT_SYSCALLS || i == GT_OBJECT_IRQ) && !options_.system_call_windows) {
            refused_[i] = "windows are switched off";
            continue;
        }
        if ((i == GT_OBJECT_CALLS || i == GT_OBJECT_SWAP) && !features_.trampolines) {
            refused_[i] = "this kernel gives trampolines back while they are in use (mended in Linux 5.12)";
            continue;
        }
        const BpfObjectSource source{object_names[i], elf_of(i), static_cast<std::uint32_t>(options_.max_processes),
                                     counters(), shared_maps};
        auto object = BpfObject::load(source, features_);
        if (!object) {
            refused_[i] = to_string(object.error());  // for reports(): who starts us tells it once, not for each
            continue;
        }
        for (const char* map : {".bss", "watched", "threads", "slots", "sockets"})
            if (const int fd = object->map_fd(map); fd >= 0) shared_maps.try_emplace(map, fd);
        objects_[i] = std::move(*object);
    }
}

std::uint32_t LoadedProbes::counters() const {
    return static_cast<std::uint32_t>(options_.max_processes) + copied_slots(cpus_) * cpus_;
}

void LoadedProbes::map_slots() {
    const auto first = std::ranges::find_if(objects_, [](const auto& object) {
        return object.has_value() && object->map_fd("slots") >= 0 && object->map_fd(".bss") >= 0;
    });
    if (first == std::end(objects_)) return;
    auto shared = Mapping::map((*first)->map_fd(".bss"), sizeof(gt_shared));
    if (!shared) {
        refuse_all(to_string(shared.error()));
        for (auto& object : objects_) object.reset();
        return;
    }
    shared_ = std::move(*shared);
    const SlotMaps maps{(*first)->map_fd("watched"),
                        (*first)->map_fd("threads"),
                        shared_.as<gt_shared>(),
                        static_cast<std::uint32_t>(options_.max_processes),
                        cpus_,
                        copied_slots(cpus_)};
    slots_ = std::make_unique<SlotTable>(maps, SlotMemory((*first)->map_fd("slots"), counters()));
}

void LoadedProbes::open_ring() {
    if (!objects_[GT_OBJECT_PROCESS]) return;
    auto ring = EventRing::open(objects_[GT_OBJECT_PROCESS]->map_fd("events"));
    if (ring)
        events_ = std::move(*ring);
    else
        log_warning("{}", to_string(ring.error()));
}

/// Opens and closes a window once, so that a kernel that refuses it is known before anybody waits for one.
void LoadedProbes::try_window() {
    auto& object = objects_[GT_OBJECT_SYSCALLS];
    if (!object) return;
    for (const char* program : {"sys_exit", "sys_enter"}) {
        if (auto status = object->attach(program); !status) {
            log_warning("{}", to_string(status.error()));
            refused_[GT_OBJECT_SYSCALLS] = std::string(program) + " cannot be attached: " + status.error().hint;
        }
    }
    object->detach("sys_enter");
    object->detach("sys_exit");
    for (const char* program : {"sys_exit", "sys_enter"}) window_costs_.add(program, object->program_fd(program));
}

void LoadedProbes::try_interrupts() {
    auto& object = objects_[GT_OBJECT_IRQ];
    if (!object) return;
    interrupts_ = std::make_unique<InterruptReader>(
        InterruptMaps{object->map_fd("softirqs"), object->map_fd("handlers"), object->map_fd("drivers")});
    for (const auto& program : object->programs())
        if (program.loaded != nullptr) window_costs_.add(program.name, object->program_fd(program.name));
    // Once, so that a kernel that refuses them is known before anybody waits for what they see.
    open_interrupts();
    close_interrupts();
    interrupts_taken_ = MonoClock::now();
    interrupts_seen_ = attachment_.interrupts.total(interrupts_taken_);
    static_cast<void>(interrupts_->take(0));
}

}  // namespace gotuned
