// One compiled file of bpf/ in the kernel: its maps, and its programs attached or with the reason why not.
// A program that the kernel refuses is left out and the others are loaded without it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probe/probes.h"

struct bpf_object;
struct bpf_program;
struct bpf_link;

namespace gotuned {

struct BpfObjectClose {
    void operator()(bpf_object* object) const;
};
struct BpfLinkDestroy {
    void operator()(bpf_link* link) const;
};
using BpfLink = std::unique_ptr<bpf_link, BpfLinkDestroy>;

struct BpfObjectSource {
    std::string name{};  ///< "sched"
    std::span<const std::byte> elf{};
    std::uint32_t slots = 0;            ///< entries of the map `watched`
    std::uint32_t counters = 0;         ///< entries of the map `slots`: with the copies for each CPU
    std::map<std::string, int> maps{};  ///< maps that exist already: name → fd; .bss for the variables
    unsigned attach_type = 0;  ///< expected one of all programs (enum bpf_attach_type); 0: as their sections say
};

class BpfObject {
public:
    struct Program {
        std::string name{};
        bpf_program* loaded = nullptr;  ///< null when refused
        BpfLink link{};
        std::string reason{};  ///< why it is not loaded or could not be attached
    };

    /// Errors only when not even the maps could be made.
    static Result<BpfObject> load(const BpfObjectSource& source, const ProbeFeatures& features);

    /// Attaching an attached program is no error.
    Status attach(const std::string& program);
    /// To a cgroup and all below it, by its directory; a program of the cgroup types.
    Status attach_cgroup(const std::string& program, int cgroup);
    void detach(const std::string& program);
    /// Marks a program as left out on purpose.
    void leave_out(const std::string& program, const std::string& reason);
    [[nodiscard]] bool attached(const std::string& program) const;
    [[nodiscard]] int link_fd(const std::string& program) const;     ///< -1 when not attached
    [[nodiscard]] int program_fd(const std::string& program) const;  ///< -1 when not loaded
    [[nodiscard]] int map_fd(const std::string& map) const;          ///< -1 when there is none; .bss: the variables
    [[nodiscard]] const std::vector<Program>& programs() const { return programs_; }

private:
    template <typename Make>
    Status attach_by(const std::string& program, Make make);
    [[nodiscard]] Program* find(const std::string& program);
    [[nodiscard]] const Program* find(const std::string& program) const;
    std::unique_ptr<bpf_object, BpfObjectClose> object_{};
    std::vector<Program> programs_{};  // links go before the object
    ProbeFeatures features_{};
};

/// The kernel's refusal in words: errno, what it usually means here, and what libbpf said last.
std::string refusal_words(int code, const ProbeFeatures& features, const std::string& said);

/// Sends libbpf's messages to the debug log instead of standard error, and remembers the last warning.
void quiet_libbpf();
std::string last_libbpf_warning();

/// What the kernel's verifier found wrong, of a message of libbpf that holds the verifier's log; empty for all others.
/// Such a refusal is EACCES or EINVAL like a missing capability, but no capability helps.
std::string verifier_verdict(std::string_view log);

}  // namespace gotuned
