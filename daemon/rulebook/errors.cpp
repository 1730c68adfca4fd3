#include "rulebook/errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gotuned {

Diagnostics Errors::take() {
    std::map<std::string, std::size_t> order;
    for (const Diagnostic& error : list_) order.emplace(error.place.file, order.size());
    std::stable_sort(list_.begin(), list_.end(), [&](const Diagnostic& a, const Diagnostic& b) {
        const auto key = [&](const Diagnostic& error) {
            return std::tuple(order[error.place.file], error.place.line, error.place.column);
        };
        return key(a) < key(b);
    });
    if (more_ > 0) list_.push_back({{}, fmt::format("and {} more errors", more_), {}, {}});
    return std::move(list_);
}

}  // namespace gotuned
