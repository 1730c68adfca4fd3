#include "probe/costs.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "base/log.h"
#include "base/result.h"

namespace gotuned {
namespace {

CostEstimate::Reading read_program(int fd, Duration attached) {
    bpf_prog_info info{};
    __u32 size = sizeof info;
    CostEstimate::Reading reading;
    reading.attached = attached;
    if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return reading;
    reading.run_seconds = static_cast<double>(info.run_time_ns) * 1e-9;
    reading.runs = info.run_cnt;
    return reading;
}

}  // namespace

void CostEstimate::begin(const Reading& reading) { start_ = reading; }

void CostEstimate::end(const Reading& reading) {
    if (reading.runs >= start_.runs) runs_ += reading.runs - start_.runs;
    const double attached = seconds(reading.attached - start_.attached);
    if (attached <= 0 || reading.run_seconds < start_.run_seconds) return;
    if (share_ >= 0) charge(reading.attached);
    share_ = (reading.run_seconds - start_.run_seconds) / attached;
    rate_ = static_cast<double>(reading.runs - start_.runs) / attached;
    charge(reading.attached);
}

void CostEstimate::charge(Duration attached) {
    if (share_ < 0 || attached <= charged_) return;
    cpu_seconds_ += share_ * seconds(attached - charged_);
    charged_ = attached;
}

std::optional<double> CostEstimate::share() const { return share_ < 0 ? std::nullopt : std::optional(share_); }

std::optional<double> CostEstimate::runs_per_second() const { return share_ < 0 ? std::nullopt : std::optional(rate_); }

void CostMeter::add(const std::string& program, int fd) {
    if (fd >= 0) programs_[program].fd = fd;
}

void CostMeter::begin(Duration attached) {
    if (sampling() || programs_.empty()) return;
    Fd statistics(bpf_enable_stats(BPF_STATS_RUN_TIME));
    refused_ = !statistics.valid();
    if (refused_) {
        log_debug("the kernel does not count the probes' run time: {}", errno_words(errno));
        return;
    }
    statistics_ = std::move(statistics);
    for (auto& [name, entry] : programs_) entry.estimate.begin(read_program(entry.fd, attached));
}

void CostMeter::end(Duration attached) {
    if (!sampling()) return;
    for (auto& [name, entry] : programs_) entry.estimate.end(read_program(entry.fd, attached));
    statistics_.reset();
}

void CostMeter::charge(Duration attached) {
    for (auto& [name, entry] : programs_) entry.estimate.charge(attached);
}

std::optional<double> CostMeter::share() const {
    std::optional<double> sum;
    for (const auto& [name, entry] : programs_)
        if (const auto share = entry.estimate.share()) sum = sum.value_or(0) + *share;
    return sum;
}

const CostEstimate* CostMeter::find(const std::string& program) const {
    const auto found = programs_.find(program);
    return found == programs_.end() ? nullptr : &found->second.estimate;
}

}  // namespace gotuned
