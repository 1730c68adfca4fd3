// Knobs that differ only in a row of a table: one object a row, made once.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tune/knob.h"

namespace gotuned {

/// The knobs of all `rows`, in their order. A knob keeps a reference to its row, so the table must be static.
template <typename KnobOfRow, typename Rows>
class KnobFamily {
public:
    explicit KnobFamily(const Rows& rows) {
        for (const auto& row : rows) {
            made_.push_back(std::make_unique<const KnobOfRow>(row));
            table_.push_back(made_.back().get());
        }
    }
    [[nodiscard]] std::span<const Knob* const> table() const { return table_; }

private:
    std::vector<std::unique_ptr<const KnobOfRow>> made_{};
    std::vector<const Knob*> table_{};
};

}  // namespace gotuned
