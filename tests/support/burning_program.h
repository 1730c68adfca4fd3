// A BPF program that does nothing for a while: what runs it takes that long, and the kernel's statistics, or the clock
// of who waits for it, say how long that was.
#pragma once

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cstdint>
#include <iterator>

#include "base/fd.h"

namespace gotuned {

class BurningProgram {
public:
    /// As a filter of a socket it lets all pass.
    explicit BurningProgram(bpf_prog_type type) {
        constexpr int rounds = 15000;  // of some 20 ns
        constexpr int everything = 0xFFFF;
        const bpf_insn program[] = {
            {BPF_ALU64 | BPF_MOV | BPF_K, 6, 0, 0, 0},          {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns},
            {BPF_ALU64 | BPF_ADD | BPF_K, 6, 0, 0, 1},          {BPF_JMP | BPF_JLT | BPF_K, 6, 0, -3, rounds},
            {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, everything}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
        };
        program_ = Fd(::bpf_prog_load(type, "burn", "GPL", program, std::size(program), nullptr));
    }
    [[nodiscard]] int fd() const { return program_.get(); }
    /// Runs, and the time they took by the kernel's own clock, while its statistics were on (bpf_enable_stats(2)).
    struct Burned {
        std::uint64_t runs = 0;
        double seconds = 0;
    };
    [[nodiscard]] Burned burned() const {
        bpf_prog_info info{};
        std::uint32_t size = sizeof info;
        if (::bpf_obj_get_info_by_fd(fd(), &info, &size) != 0) return {};
        return {info.run_cnt, static_cast<double>(info.run_time_ns) * 1e-9};
    }

private:
    Fd program_{};
};

}  // namespace gotuned
