// Collects load errors, so that an operator sees all of them at once, but never more than fit a screen or two:
// a file of nonsense would have a hundred thousand.
#pragma once

#include "rulebook/yaml.h"

namespace gotuned {

class Errors {
public:
    static constexpr std::size_t limit = 50;

    /// An error at a byte of a file. Beyond the limit it is only counted.
    void add(const YamlFile& file, std::size_t offset, std::string message, std::string hint = {}) {
        if (full())
            ++more_;
        else
            list_.push_back(file.diagnostic(offset, std::move(message), std::move(hint)));
    }
    void add(Diagnostic diagnostic) {
        if (full())
            ++more_;
        else
            list_.push_back(std::move(diagnostic));
    }
    [[nodiscard]] bool full() const { return list_.size() >= limit; }
    [[nodiscard]] bool none() const { return list_.empty(); }
    [[nodiscard]] std::size_t count() const { return list_.size() + more_; }
    /// By file in the order of first mention, then by place; at the end how many more there are.
    [[nodiscard]] Diagnostics take();

private:
    Diagnostics list_{};
    std::size_t more_ = 0;
};

}  // namespace gotuned
