// Text tables for a terminal: aligned columns, cut to its width. Cells may hold strangers' text: they are cleaned.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gotuned {

struct Column {
    std::string title{};
    bool numbers = false;    ///< aligned to the right
    bool gives_way = false;  ///< cut first when the terminal is too narrow
};

class TextTable {
public:
    explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
    /// Missing cells are empty, those beyond the columns are dropped.
    void row(std::vector<std::string> cells);
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    /// `width` 0: as wide as it takes (a file, a pipe).
    [[nodiscard]] std::string print(unsigned width) const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// A break with its indentation is one space.
std::string one_line(std::string_view text);

/// Characters, for aligning: code points of UTF-8, each one column wide.
std::size_t display_width(std::string_view text);
/// At most `width` characters, the last one "…" when something was cut.
std::string cut(std::string_view text, std::size_t width);

}  // namespace gotuned
