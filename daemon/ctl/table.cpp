#include "ctl/table.h"

#include <algorithm>

#include "base/files.h"
#include "base/text.h"

namespace gotuned {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t least_width = 8;  ///< a column is not cut below it

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }

std::size_t total(const std::vector<std::size_t>& widths) {
    std::size_t sum = widths.empty() ? 0 : gap * (widths.size() - 1);
    for (const std::size_t width : widths) sum += width;
    return sum;
}

}  // namespace

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string one_line(std::string_view text) {
    std::string out;
    for (const std::string_view line : split(text, '\n')) {
        const std::string_view words = trim(line);
        if (words.empty()) continue;
        if (!out.empty()) out += ' ';
        out += words;
    }
    return out;
}

std::string cut(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    std::size_t characters = 0;
    std::size_t bytes = 0;
    while (bytes < text.size()) {
        if (starts_character(text[bytes]) && ++characters == width) break;
        ++bytes;
    }
    return std::string(text.substr(0, bytes)) + (width > 0 ? "…" : "");
}

void TextTable::row(std::vector<std::string> cells) {
    constexpr std::size_t longest = 1024;
    cells.resize(columns_.size());
    for (std::string& cell : cells) cell = clean_text(one_line(cell), longest);
    rows_.push_back(std::move(cells));
}

std::string TextTable::print(unsigned width) const {
    std::vector<std::size_t> widths;
    for (const Column& column : columns_) widths.push_back(display_width(column.title));
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));

    // The widest of those that give way gives first, one character at a time.
    while (width > 0 && total(widths) > width) {
        std::size_t widest = columns_.size();
        for (std::size_t i = 0; i < columns_.size(); ++i)
            if (columns_[i].gives_way && widths[i] > least_width &&
                (widest == columns_.size() || widths[i] > widths[widest]))
                widest = i;
        if (widest == columns_.size()) break;
        --widths[widest];
    }

    const auto line = [&](const auto& cell_of) {
        std::string out;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const std::string cell = cut(cell_of(i), widths[i]);
            const std::string padding(widths[i] - display_width(cell), ' ');
            if (i > 0) out.append(gap, ' ');
            out += columns_[i].numbers ? padding + cell : cell + padding;
        }
        out.erase(out.find_last_not_of(' ') + 1);
        return out + "\n";
    };
    std::string out = line([&](std::size_t i) { return columns_[i].title; });
    for (const auto& row : rows_) out += line([&](std::size_t i) { return row[i]; });
    return out;
}

}  // namespace gotuned
