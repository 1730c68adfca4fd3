#include "rulebook/rule_state.h"

namespace gotuned {

SeriesMemory::SeriesMemory(const SeriesMemory& other) : expression_(other.expression_) {
    if (other.state_ != nullptr) state_ = expression_->copy_state(*other.state_);
}
SeriesMemory& SeriesMemory::operator=(const SeriesMemory& other) {
    if (this != &other) *this = SeriesMemory(other);
    return *this;
}

bool SeriesMemory::fits(const ExpressionPtr& expression) const {
    return state_ != nullptr && (expression_ == expression || *expression_ == *expression);
}

ExpressionState& SeriesMemory::of(const ExpressionPtr& expression) {
    if (!fits(expression)) state_ = expression->make_state();
    expression_ = expression;
    return *state_;
}

std::shared_ptr<const ExpressionState> SeriesMemory::look(const ExpressionPtr& expression) const {
    if (fits(expression)) return state_;
    return expression->make_state();
}

void Cell::stayed(MonoTime until) {
    for (SeriesMemory* one : {&when, &expect, &undo_when}) one->stayed(until);
    for (auto* some : {&to, &before})
        for (SeriesMemory& one : *some) one.stayed(until);
    waits = false;
}

RuleState::RuleState() : data_(std::make_unique<Data>()) {}
RuleState::RuleState(RuleState&&) noexcept = default;
RuleState& RuleState::operator=(RuleState&&) noexcept = default;
RuleState::~RuleState() = default;

RuleState RuleState::clone() const {
    RuleState copy;
    *copy.data_ = *data_;
    copy.data_->judged.clear();  // it points to the cells of the original
    return copy;
}

namespace {

bool same(const ExpressionPtr& a, const ExpressionPtr& b) {
    if (a == nullptr || b == nullptr) return a == b;
    return a == b || *a == *b;
}
bool same(const Verify& a, const Verify& b) {
    return a.present == b.present && a.settle == b.settle && a.hold == b.hold && same(a.expect, b.expect);
}

}  // namespace

void carry_over(const Rulebook& before, const Rulebook& after, RuleState& state) {
    state.data().judged.clear();
    state.data().rules = nullptr;
    auto& cells = state.data().cells;
    for (auto entry = cells.begin(); entry != cells.end();) {
        const Rule* was = before.find(entry->first.first);
        const Rule* is = after.find(entry->first.first);
        if (was == nullptr || is == nullptr || was->scope != is->scope) {
            entry = cells.erase(entry);
            continue;
        }
        Cell& cell = entry->second;
        if (!same(was->when, is->when)) {
            cell.clock.reset();
            cell.evaluated = false;  // the new condition may be judged by a Snapshot that the old one has seen
        }
        if (!same(was->verify, is->verify)) cell.settle_anew = true;
        if (!same(was->undo_when, is->undo_when))
            for (auto& [id, group] : cell.groups) group.undo_clock.reset();
        ++entry;
    }
}

}  // namespace gotuned
