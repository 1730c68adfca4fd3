#include "observe/sample_selector.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "base/files.h"
#include "base/text.h"

namespace gotuned {
namespace {

constexpr std::size_t longest_line = 64UL * 1024;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// What a selector and a sample begin with: a name, and labels in braces.
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    [[nodiscard]] std::size_t offset() const { return at_; }
    [[nodiscard]] bool done() const { return at_ == text_.size(); }
    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

    void blanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    }
    bool take(char c) {
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    /// Of a metric a colon may be part, of a label not.
    std::string_view name(bool colons) {
        const std::size_t start = at_;
        while (at_ < text_.size() &&
               (is_letter(text_[at_]) || (colons && text_[at_] == ':') || (at_ > start && is_digit(text_[at_]))))
            ++at_;
        return text_.substr(start, at_ - start);
    }
    /// In quotes, with \\, \" and \n.
    std::optional<std::string> quoted() {
        if (!take('"')) return std::nullopt;
        std::string out;
        while (at_ < text_.size()) {
            char c = text_[at_++];
            if (c == '"') return out;
            if (c == '\\') {
                if (at_ == text_.size()) break;
                c = text_[at_++];
                if (c == 'n') c = '\n';
            }
            out += c;
        }
        return std::nullopt;
    }

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

struct Unread {
    std::string message{};
    std::string hint{};
};

/// The labels after the opening brace, and the closing one.
std::optional<Unread> read_labels(Reader& reader, std::map<std::string, std::string>& labels) {
    for (;;) {
        reader.blanks();
        if (reader.take('}')) return std::nullopt;
        const std::string label(reader.name(false));
        if (label.empty()) return Unread{"a label's name or '}' is wanted here", {}};
        reader.blanks();
        if (!reader.take('=')) return Unread{"'=' is wanted here", "only equality is known: name=\"value\""};
        reader.blanks();
        auto value = reader.quoted();
        if (!value) return Unread{"a value in quotes is wanted here", "as in code=\"500\""};
        if (!labels.emplace(label, std::move(*value)).second)
            return Unread{fmt::format("label {} stands twice", label), {}};
        reader.blanks();
        if (!reader.take(',') && !reader.rest().starts_with('}')) return Unread{"',' or '}' is wanted here", {}};
    }
}

bool has(const std::map<std::string, std::string>& labels, const std::string& name, const std::string& value) {
    const auto found = labels.find(name);
    return found == labels.end() ? value.empty() : found->second == value;  // no label is the same as an empty one
}

Reading<double> value_of(std::string_view text) {
    double value = 0;
    const std::string_view number = trim(text.substr(0, text.find_first_of(" \t#")));  // then a time, or an exemplar
    if (!parse_double(number.starts_with('+') ? number.substr(1) : number, value) || !std::isfinite(value))
        return Absent{Absence::malformed, fmt::format("its value is {}", clean_text(number, 40))};
    return value;
}

}  // namespace

tl::expected<SampleSelector, SelectorError> parse_sample_selector(std::string_view text) {
    Reader reader(text);
    const auto wrong = [&reader](std::string message, std::string hint) {
        return tl::unexpected(SelectorError{reader.offset(), std::move(message), std::move(hint)});
    };
    SampleSelector selector;
    reader.blanks();
    selector.name = reader.name(true);
    if (selector.name.empty()) return wrong("the name of a metric is wanted here", "as in http_requests_total");
    reader.blanks();
    if (reader.take('{')) {
        if (auto unread = read_labels(reader, selector.labels))
            return wrong(std::move(unread->message), std::move(unread->hint));
        reader.blanks();
    }
    if (!reader.done())
        return wrong("one sample is read, nothing is computed here",
                     "compute with app(\"a\") / app(\"b\"), or ask prometheus(\"…\")");
    return selector;
}

SampleFinder::SampleFinder(std::map<std::string, SampleSelector> selectors) {
    for (auto& [text, selector] : selectors) wanted_[text].selector = std::move(selector);
}

bool SampleFinder::feed(std::string_view piece) {
    while (!piece.empty()) {
        const std::size_t end = piece.find('\n');
        if (partial_.size() + std::min(end, piece.size()) > longest_line) return false;
        if (end == std::string_view::npos) {
            partial_ += piece;
            return true;
        }
        if (partial_.empty()) {
            line(piece.substr(0, end));
        } else {
            partial_ += piece.substr(0, end);
            line(partial_);
            partial_.clear();
        }
        piece.remove_prefix(end + 1);
    }
    return true;
}

void SampleFinder::line(std::string_view text) {
    Reader reader(text);
    reader.blanks();
    const std::string_view name = reader.name(true);
    if (name.empty()) return;  // a comment, or nothing
    std::optional<std::map<std::string, std::string>> labels;
    for (auto& [key, wanted] : wanted_) {
        if (wanted.selector.name != name) continue;
        if (!labels) {
            labels.emplace();
            reader.blanks();
            if (reader.take('{') && read_labels(reader, *labels)) return;
            reader.blanks();
        }
        bool matches = true;
        for (const auto& [label, value] : wanted.selector.labels) matches = matches && has(*labels, label, value);
        if (!matches) continue;
        ++wanted.found;
        wanted.value = wanted.found == 1 ? value_of(reader.rest())
                                         : Absent{Absence::malformed,
                                                  fmt::format("{} samples match: name more labels", wanted.found)};
    }
}

std::map<std::string, Reading<double>> SampleFinder::finish() {
    if (!partial_.empty()) line(partial_);
    partial_.clear();
    std::map<std::string, Reading<double>> values;
    for (const auto& [key, wanted] : wanted_)
        values.emplace(key, wanted.found > 0
                                ? wanted.value
                                : Reading<double>(Absent{Absence::no_data, "no sample of the page matches"}));
    return values;
}

}  // namespace gotuned
