#include "rulebook/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>

#include "rulebook/yaml_text.h"

namespace gotuned {
namespace {

using Kind = YamlNode::Kind;
using Style = YamlNode::Style;

constexpr std::size_t most_errors = 50;
constexpr std::string_view quote_it = "quote it: a bare * is an alias in YAML";

/// Ends parsing; the diagnostic is already reported.
struct Refused {};

/// Builds the tree from the library's events. Events, not its nodes: only they show anchors, aliases, tags and further
/// documents, and they let us stop at 32 levels before the library recurses further.
class TreeBuilder final : public YAML::EventHandler {
public:
    TreeBuilder(YamlFile& file, Diagnostics& errors) : file_(file), errors_(errors) {}

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1) {
            refuse(position(mark), "a second document", "one file holds one document: remove the --- before it");
        }
        refuse_directive(position(mark));
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        // For a value that is not written the mark is that of whatever follows: take the key (or the list) instead.
        std::size_t at = position(mark);
        const std::string_view rest = std::string_view(file_.text).substr(at);
        const bool written = rest.starts_with('~') || rest.starts_with("null") || rest.starts_with("Null") ||
                             rest.starts_with("NULL") || rest.starts_with('&');
        if (!written) at = last_;
        begin(at, "", anchor);
        add({.kind = Kind::null, .offset = at});
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
        refuse(position(mark), "aliases are not allowed", std::string(quote_it));
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        const std::size_t at = position(mark);
        begin(at, tag, anchor);
        YamlNode node{.kind = Kind::scalar, .style = style_at(at), .text = value, .offset = at};
        const bool quoted = node.style == Style::single_quoted || node.style == Style::double_quoted;
        if (quoted && end_of_quoted(file_.text, at) == std::string_view::npos) {
            refuse(at, "this quote is never closed");
        }
        if (node.style == Style::plain && looks_octal(value)) {
            error(at, fmt::format("{} looks like an octal number", value),
                  "write it in decimal, or quote it when it is text");
        }
        last_ = at;
        add(std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value style) override {
        open(Kind::sequence, mark, tag, anchor, style);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value style) override {
        open(Kind::map, mark, tag, anchor, style);
    }
    void OnMapEnd() override { close(); }

    [[nodiscard]] bool saw_document() const { return documents_ > 0; }
    void refuse_directive(std::size_t until) {
        for (std::size_t at = 0; at < std::min(until, file_.text.size());) {
            if (file_.text[at] == '%') refuse(at, "YAML directives are not allowed", "remove this line");
            const std::size_t line_end = file_.text.find('\n', at);
            if (line_end == std::string::npos) break;
            at = line_end + 1;
        }
    }

private:
    [[nodiscard]] std::size_t position(const YAML::Mark& mark) const {
        return mark.pos < 0 ? 0 : std::min(static_cast<std::size_t>(mark.pos), file_.text.size());
    }
    [[nodiscard]] Style style_at(std::size_t at) const {
        switch (at < file_.text.size() ? file_.text[at] : '\0') {
            case '"':
                return Style::double_quoted;
            case '\'':
                return Style::single_quoted;
            case '|':
                return Style::literal;
            case '>':
                return Style::folded;
            default:
                return Style::plain;
        }
    }
    void error(std::size_t at, std::string message, std::string hint = {}) {
        errors_.push_back(file_.diagnostic(at, std::move(message), std::move(hint)));
        if (errors_.size() >= most_errors) throw Refused{};  // a file of nonsense would have a hundred thousand
    }
    [[noreturn]] void refuse(std::size_t at, std::string message, std::string hint = {}) {
        error(at, std::move(message), std::move(hint));
        throw Refused{};
    }
    /// Every node: no properties, and a key is a scalar.
    void begin(std::size_t at, const std::string& tag, YAML::anchor_t anchor) {
        if (anchor != 0) refuse(at, "anchors are not allowed", "quote it when it is text; else write the value out");
        const bool written = at < file_.text.size() && file_.text[at] == '!';
        if (written || (!tag.empty() && tag != "?" && tag != "!")) {
            refuse(at, "tags are not allowed", "quote it when it is text; else leave the tag out");
        }
    }
    void open(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
              YAML::EmitterStyle::value style) {
        const std::size_t at = position(mark);
        begin(at, tag, anchor);
        if (open_.size() >= yaml_depth_limit) {
            refuse(at, fmt::format("nested deeper than {} levels", yaml_depth_limit));
        }
        open_.push_back(
            {.kind = kind, .style = style == YAML::EmitterStyle::Flow ? Style::flow : Style::block, .offset = at});
        keys_.emplace_back();
        last_ = at;
    }
    void close() {
        YamlNode node = std::move(open_.back());
        open_.pop_back();
        keys_.pop_back();
        // Not where it opens: of a { that is never closed the library first claims that it is a key.
        if (expects_key()) refuse(node.offset, "a key must be plain text", "quote it when it starts with [ or {");
        add(std::move(node));
    }
    [[nodiscard]] bool expects_key() const {
        return !open_.empty() && open_.back().kind == Kind::map &&
               open_.back().keys.size() == open_.back().items.size();
    }
    void add(YamlNode node) {
        node.in_flow = !open_.empty() && open_.back().style == Style::flow;
        if (open_.empty()) {
            file_.root = std::move(node);
        } else if (expects_key()) {
            add_key(open_.back(), std::move(node));
        } else {
            open_.back().items.push_back(std::move(node));
        }
    }
    void add_key(YamlNode& map, YamlNode key) {
        if (key.kind != Kind::scalar) refuse(key.offset, "a key is missing", "quote it when the key is text");
        if (key.plain() && key.text == "<<") {
            refuse(key.offset, "merge keys (<<) are not allowed", "write the values out");
        }
        const auto [first, is_new] = keys_.back().emplace(key.text, key.offset);
        if (!is_new) {
            error(key.offset, fmt::format("duplicate key {}", key.text),
                  fmt::format("first at line {}", file_.place(first->second).line));
        }
        map.keys.push_back(std::move(key));
    }

    YamlFile& file_;
    Diagnostics& errors_;
    std::vector<YamlNode> open_{};
    std::vector<std::unordered_map<std::string, std::size_t>> keys_{};  ///< beside open_: offsets of the keys seen
    std::size_t last_ = 0;
    int documents_ = 0;
};

/// The library's words in ours, where its own do not say what to do.
Diagnostic explain(const YamlFile& file, const YAML::Exception& failure) {
    std::size_t at = failure.mark.pos < 0 ? 0 : std::min(static_cast<std::size_t>(failure.mark.pos), file.text.size());
    const std::string& said = failure.msg;
    const auto says = [&](std::string_view part) { return said.find(part) != std::string::npos; };
    if (says("anchor") || says("alias")) {
        // The mark may stand behind the name: the sign itself is the place.
        const std::size_t sign = at < file.text.size() && (file.text[at] == '*' || file.text[at] == '&')
                                     ? at
                                     : std::string_view(file.text).substr(0, at).find_last_of("*&");
        if (sign != std::string_view::npos && file.place(sign).line == file.place(at).line) at = sign;
        if (at < file.text.size() && file.text[at] == '&') {
            return file.diagnostic(at, "anchors are not allowed", "quote it when it is text; else write the value out");
        }
        return file.diagnostic(at, "aliases are not allowed", std::string(quote_it));
    }
    if (says("illegal map value")) {
        return file.diagnostic(at, "a colon where YAML expects none",
                               "quote text that holds ': '; check the indentation");
    }
    if (says("unknown token")) {
        return file.diagnostic(at, "YAML text cannot start with this character", "quote it");
    }
    if (says("end of map flow")) return file.diagnostic(at, "a { is never closed, or a comma is missing");
    if (says("end of sequence flow")) return file.diagnostic(at, "a [ is never closed, or a comma is missing");
    if (says("end of map not found") || says("end of sequence not found")) {
        return file.diagnostic(at, "YAML does not continue like this", "check the indentation of this line");
    }
    return file.diagnostic(at, "not understood as YAML: " + said);
}

}  // namespace

YamlFile parse_yaml(std::string path, std::string text, Diagnostics& errors) {
    YamlFile file{.path = std::move(path), .text = std::move(text)};
    const std::size_t errors_before = errors.size();
    if (std::optional<Diagnostic> refused = refuse_bytes(file)) {
        errors.push_back(std::move(*refused));
        return file;
    }
    TreeBuilder builder(file, errors);
    try {
        std::istringstream stream(file.text);
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
        if (!builder.saw_document()) builder.refuse_directive(file.text.size());
    } catch (const Refused&) {  // NOLINT(bugprone-empty-catch): the builder has reported it
    } catch (const YAML::Exception& failure) {
        errors.push_back(explain(file, failure));
    } catch (const std::exception& failure) {
        errors.push_back({{file.path, 0, 0}, std::string("not understood as YAML: ") + failure.what(), {}, {}});
    }
    if (errors.size() > errors_before) file.root = {};
    file.empty = file.root.kind == Kind::null;
    return file;
}

const YamlNode* YamlNode::find(std::string_view key) const {
    for (std::size_t i = 0; i < keys.size() && i < items.size(); ++i) {
        if (keys[i].text == key) return &items[i];
    }
    return nullptr;
}

bool YamlNode::cut_by_comma() const {
    return in_flow && plain() && std::count(text.begin(), text.end(), '(') > std::count(text.begin(), text.end(), ')');
}

std::string_view to_string(YamlNode::Kind kind) {
    switch (kind) {
        case Kind::null:
            return "nothing";
        case Kind::scalar:
            return "text";
        case Kind::sequence:
            return "a list";
        case Kind::map:
            return "a map";
    }
    return "nothing";
}

Place YamlFile::place(std::size_t offset) const {
    offset = std::min(offset, text.size());
    const std::string_view before = std::string_view(text).substr(0, offset);
    const auto line = static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1;
    const std::size_t last = before.rfind('\n');
    const std::string_view in_line = last == std::string_view::npos ? before : before.substr(last + 1);
    const auto code_points = std::count_if(in_line.begin(), in_line.end(),
                                           [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; });
    return {path, line, static_cast<int>(code_points) + 1};
}

Diagnostic YamlFile::diagnostic(std::size_t offset, std::string message, std::string hint) const {
    offset = std::min(offset, text.size());
    const std::size_t before = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
    const std::size_t start = before == std::string::npos ? 0 : before + 1;
    std::string line = text.substr(start, std::min(text.find('\n', start), text.size()) - start);
    if (line.ends_with('\r')) line.pop_back();
    if (line.size() > 1024) line.clear();  // nobody sees a caret in it
    return {place(offset), std::move(message), std::move(hint), std::move(line)};
}

}  // namespace gotuned
