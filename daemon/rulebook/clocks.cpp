#include "rulebook/clocks.h"

#include <algorithm>

namespace gotuned {

Truth truth_of(const Reading<Value>& value) {
    if (!value) return std::nullopt;
    const auto* boolean = std::get_if<bool>(&*value);
    return boolean == nullptr ? Truth() : Truth(*boolean);
}

void HoldClock::update(Truth truth, MonoTime at) {
    if (!truth) {
        true_now_ = false;
        if (running_ && ++unknowns_ > patience) reset();
        return;
    }
    if (!*truth) {
        reset();
        return;
    }
    if (running_ && true_now_) held_ += std::max(Duration::zero(), at - mark_);
    running_ = true;
    true_now_ = true;
    unknowns_ = 0;
    mark_ = at;
}

Verdict Verification::judge(const Verify& verify, MonoTime at, Duration window, Truth expect) {
    if (verdict_ != Verdict::open) return verdict_;
    if (!verify.present || verify.expect == nullptr) return verdict_ = Verdict::keep_unverified;
    const MonoTime settled = settle_from_ + verify.settle;
    if (at - window < settled) return verdict_;
    if (!counting_) hold_until_ = settled + verify.hold;
    counting_ = true;
    if (expect && !*expect) return verdict_ = Verdict::failed;
    if (expect) ++trues_;
    if (at < hold_until_) return verdict_;
    constexpr int least_trues = 2;
    if (trues_ >= least_trues) return verdict_ = Verdict::keep;
    if (extended_) return verdict_ = Verdict::failed_unknown;
    extended_ = true;
    hold_until_ += verify.hold;
    return verdict_;
}

}  // namespace gotuned
