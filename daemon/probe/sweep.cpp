// The walk over the sockets of the watched processes: a BPF iterator (bpf/tcp.bpf.c, sweep) that runs while its file is
// read. Its program writes nothing into the file; what it finds is in the slots.
#include <bpf/bpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "base/fd.h"
#include "base/log.h"
#include "probe/loaded_probes.h"

namespace gotuned {
namespace {

Duration thread_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Duration LoadedProbes::sweep_sockets(MonoTime now) {
    auto& object = objects_[GT_OBJECT_TCP];
    const int link = object ? object->link_fd("sweep") : -1;
    if (link < 0) return Duration::zero();
    const Duration before = thread_time();
    const Fd walk(bpf_iter_create(link));
    if (!walk.valid()) {
        log_debug("cannot walk over the sockets: {}", errno_words(errno));
        return Duration::zero();
    }
    auto* shared = shared_.as<gt_shared>();
    std::uint32_t next = shared->sweep + 1;
    if (next == 0) next = 1;
    __atomic_store_n(&shared->sweep, next, __ATOMIC_SEQ_CST);
    std::array<char, 64> nothing{};
    // EAGAIN: after a million descriptors the kernel lets others have the CPU (kernel/bpf/bpf_iter.c).
    ssize_t got = 0;
    do {
        got = ::read(walk.get(), nothing.data(), nothing.size());
    } while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
    if (got < 0) {
        log_debug("the walk over the sockets broke off: {}", errno_words(errno));
        __atomic_store_n(&shared->sweep, next + 1, __ATOMIC_SEQ_CST);  // half a count is none
    }
    attachment_.swept_at = now;
    const Duration took = thread_time() - before;
    sweeps_took_ += took;
    ++sweeps_;
    return took;
}

}  // namespace gotuned
