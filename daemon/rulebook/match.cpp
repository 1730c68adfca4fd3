#include "rulebook/match.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>

#include "base/text.h"

namespace gotuned {
namespace {

using Key = MatchClause::Key;
using Made = tl::expected<std::shared_ptr<const Pattern>, PatternError>;

constexpr std::size_t longest_pattern = 1024;
constexpr std::size_t longest_regex = 256;
/// The product of all {n,m} counts: a regular expression grows by it.
constexpr int most_repetitions = 1000;

struct KeyName {
    Key key;
    std::string_view name;
};
constexpr std::array key_names = {
    KeyName{Key::unit, "unit"},           KeyName{Key::exe, "exe"},   KeyName{Key::cmdline, "cmdline"},
    KeyName{Key::cgroup, "cgroup"},       KeyName{Key::user, "user"}, KeyName{Key::env, "env"},
    KeyName{Key::container, "container"}, KeyName{Key::pod, "pod"},   KeyName{Key::namespace_name, "namespace"},
    KeyName{Key::label, "label"},         KeyName{Key::go, "go"}};

/// A glob or a regular expression over one text.
class TextPattern {
public:
    static tl::expected<TextPattern, PatternError> make(std::string text) {
        if (text.size() > longest_pattern)
            return refuse(0, fmt::format("a pattern is at most {} bytes", longest_pattern));
        TextPattern pattern;
        if (text.size() < 2 || text.front() != '/' || text.back() != '/') {
            pattern.glob_ = std::move(text);
            return pattern;
        }
        const std::string body = text.substr(1, text.size() - 2);
        if (body.empty()) return refuse(0, "an empty regular expression", "it matches everything: leave the key out");
        if (body.size() > longest_regex)
            return refuse(0, fmt::format("a regular expression is at most {} bytes", longest_regex));
        if (!few_repetitions(body)) {
            return refuse(0, fmt::format("the {{n,m}} counts of this regular expression multiply to more than {}",
                                         most_repetitions));
        }
        try {
            // Breadth first: time is linear in the text and nothing recurses over it, whatever the pattern
            // (std::regex otherwise backtracks, and a long command line could overflow the stack).
            pattern.regex_ = std::regex(body, std::regex::ECMAScript | std::regex_constants::__polynomial);
        } catch (const std::regex_error& failure) {
            const bool complex = failure.code() == std::regex_constants::error_complexity;
            return refuse(
                0, complex ? "this regular expression refers back, which is not supported" : "not a regular expression",
                complex ? "" : failure.what());
        }
        return pattern;
    }
    [[nodiscard]] bool matches(const std::string& text) const {
        if (!regex_) return glob_match(glob_, text);
        return std::regex_search(text, *regex_);
    }

private:
    static tl::unexpected<PatternError> refuse(std::size_t offset, std::string message, std::string hint = {}) {
        return tl::unexpected(PatternError{offset, std::move(message), std::move(hint)});
    }
    static bool few_repetitions(const std::string& body) {
        double product = 1;
        for (std::size_t at = body.find('{'); at != std::string::npos; at = body.find('{', at + 1)) {
            double most = 1;
            double number = 0;
            for (std::size_t i = at + 1; i < body.size() && body[i] != '}'; ++i) {
                number = body[i] >= '0' && body[i] <= '9' ? number * 10 + (body[i] - '0') : 0;
                most = std::max(most, number);
            }
            product *= most;
        }
        return product <= most_repetitions;
    }
    std::string glob_{};
    std::optional<std::regex> regex_{};
};

const std::string& text_of(Key key, const GoProcess& process) {
    static const std::string none;
    switch (key) {
        case Key::unit:
            return process.unit;
        case Key::exe:
            return process.exe;
        case Key::cmdline:
            return process.cmdline;
        case Key::cgroup:
            return process.cgroup;
        case Key::user:
            return process.user;
        case Key::container:
            return process.container;
        case Key::pod:
            return process.pod;
        case Key::namespace_name:
            return process.namespace_name;
        default:
            return none;
    }
}

/// unit, exe, …: one text of the process. What is not known of it ("") matches nothing, not even "*".
class Simple final : public Pattern {
public:
    Simple(Key key, TextPattern pattern) : key_(key), pattern_(std::move(pattern)) {}
    [[nodiscard]] bool matches(const GoProcess& process) const override {
        const std::string& text = text_of(key_, process);
        return !text.empty() && pattern_.matches(text);
    }

private:
    Key key_;
    TextPattern pattern_;
};

/// env, label: NAME or NAME=pattern.
class Keyed final : public Pattern {
public:
    Keyed(Key key, std::string name, std::optional<TextPattern> pattern)
        : key_(key), name_(std::move(name)), pattern_(std::move(pattern)) {}
    [[nodiscard]] bool matches(const GoProcess& process) const override {
        const auto& values = key_ == Key::env ? process.environment : process.labels;
        const auto found = values.find(name_);
        return found != values.end() && (!pattern_ || pattern_->matches(found->second));
    }
    [[nodiscard]] std::string environment() const override { return key_ == Key::env ? name_ : std::string(); }

private:
    Key key_;
    std::string name_;
    std::optional<TextPattern> pattern_;
};

struct Comparison {
    enum class Op { less, at_most, equal, unequal, at_least, greater } op{};
    GoVersion version{};
    int parts = 0;  ///< "1.22" has two: == 1.22 means any patch of it
};

/// go: comparisons that must all hold.
class GoPattern final : public Pattern {
public:
    explicit GoPattern(std::vector<Comparison> comparisons) : comparisons_(std::move(comparisons)) {}
    [[nodiscard]] bool matches(const GoProcess& process) const override {
        const std::optional<GoVersion> version = parse_go_version(process.build.version);
        return version && std::all_of(comparisons_.begin(), comparisons_.end(),
                                      [&](const Comparison& comparison) { return holds(*version, comparison); });
    }

private:
    static bool holds(const GoVersion& version, const Comparison& comparison) {
        const bool less = version < comparison.version;
        const bool equal = version.major == comparison.version.major && version.minor == comparison.version.minor &&
                           (comparison.parts < 3 || version.patch == comparison.version.patch);
        using Op = Comparison::Op;
        switch (comparison.op) {
            case Op::less:
                return less;
            case Op::at_most:
                return less || equal;
            case Op::equal:
                return equal;
            case Op::unequal:
                return !equal;
            case Op::at_least:
                return !less;
            case Op::greater:
                return !less && !equal;
        }
        return false;
    }
    std::vector<Comparison> comparisons_;
};

/// A decimal number at the front, taken off; nothing when there is none or it is absurd.
std::optional<int> take_number(std::string_view& text) {
    int value = 0;
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9' && digits < 6) {
        value = value * 10 + (text[digits] - '0');
        ++digits;
    }
    text.remove_prefix(digits);
    if (digits == 0) return std::nullopt;
    return value;
}

Made go_pattern(const std::string& text) {
    struct Word {
        std::string_view text;
        Comparison::Op op;
    };
    using Op = Comparison::Op;
    static constexpr std::array words = {Word{">=", Op::at_least}, Word{"<=", Op::at_most}, Word{"==", Op::equal},
                                         Word{"!=", Op::unequal},  Word{">", Op::greater},  Word{"<", Op::less},
                                         Word{"=", Op::equal}};
    std::vector<Comparison> comparisons;
    std::string_view rest = text;
    const auto offset = [&] { return text.size() - rest.size(); };
    const auto blanks = [&] {
        while (!rest.empty() && (rest.front() == ' ' || rest.front() == ',')) rest.remove_prefix(1);
    };
    for (blanks(); !rest.empty(); blanks()) {
        const auto* const word =
            std::find_if(words.begin(), words.end(), [&](const Word& w) { return rest.starts_with(w.text); });
        if (word == words.end()) {
            return tl::unexpected(PatternError{
                offset(), "a comparison of Go versions starts with >= > <= < == or !=", "write it like \">=1.19\""});
        }
        rest.remove_prefix(word->text.size());
        while (rest.starts_with(' ')) rest.remove_prefix(1);
        const std::string_view version = rest.substr(0, rest.find_first_of(" ,"));
        const std::optional<GoVersion> parsed = parse_go_version(version);
        if (!parsed || version.find_first_not_of("go.0123456789rcbeta") != std::string_view::npos) {
            return tl::unexpected(PatternError{offset(), fmt::format("{} is not a Go version", clean_text(version, 40)),
                                               "write it like 1.22 or 1.22.3"});
        }
        rest.remove_prefix(version.size());
        comparisons.push_back(
            {word->op, *parsed, static_cast<int>(std::count(version.begin(), version.end(), '.')) + 1});
    }
    if (comparisons.empty())
        return tl::unexpected(PatternError{0, "no Go version is named", "write it like \">=1.19\""});
    return std::make_shared<const GoPattern>(std::move(comparisons));
}

Made keyed_pattern(Key key, const std::string& text) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    constexpr std::string_view magic = "*?[]/\\ ";
    if (name.empty() || (key == Key::env && name.find_first_of(magic) != std::string::npos)) {
        return tl::unexpected(
            PatternError{0, "the name before '=' must be written out", "write NAME=pattern, or NAME for any value"});
    }
    std::optional<TextPattern> pattern;
    if (equals != std::string::npos) {
        auto made = TextPattern::make(text.substr(equals + 1));
        if (!made) {
            made.error().offset += equals + 1;
            return tl::unexpected(std::move(made.error()));
        }
        pattern = std::move(*made);
    }
    return std::make_shared<const Keyed>(key, name, std::move(pattern));
}

}  // namespace

Made make_pattern(Key key, const std::string& text) {
    if (key == Key::go) return go_pattern(text);
    if (key == Key::env || key == Key::label) return keyed_pattern(key, text);
    auto made = TextPattern::make(text);
    if (!made) return tl::unexpected(std::move(made.error()));
    return std::make_shared<const Simple>(key, std::move(*made));
}

bool matches(const TargetDefinition& definition, const GoProcess& process) {
    const auto clause_matches = [&](const MatchClause& clause) {
        for (std::size_t i = 0; i < clause.patterns.size(); ++i) {
            if (i < clause.compiled.size()) {
                if (clause.compiled[i]->matches(process)) return true;
            } else if (const auto made = make_pattern(clause.key, clause.patterns[i]);
                       made && (*made)->matches(process)) {
                return true;
            }
        }
        return false;
    };
    return std::all_of(definition.match.begin(), definition.match.end(), clause_matches) &&
           std::none_of(definition.not_.begin(), definition.not_.end(), clause_matches);
}

std::string_view to_string(Key key) {
    for (const KeyName& entry : key_names) {
        if (entry.key == key) return entry.name;
    }
    return "";
}

std::optional<Key> parse_match_key(std::string_view text) {
    for (const KeyName& entry : key_names) {
        if (entry.name == text) return entry.key;
    }
    return std::nullopt;
}

std::optional<GoVersion> parse_go_version(std::string_view text) {
    if (text.starts_with("devel ")) text.remove_prefix(6);
    if (text.starts_with("go")) text.remove_prefix(2);
    GoVersion version;
    const std::optional<int> major = take_number(text);
    if (!major || !text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
    const std::optional<int> minor = take_number(text);
    if (!minor) return std::nullopt;
    version.major = *major;
    version.minor = *minor;
    version.candidate = 1 << 20;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        version.patch = take_number(text).value_or(0);
    }
    for (const std::string_view word : {std::string_view("beta"), std::string_view("rc")}) {
        if (!text.starts_with(word)) continue;
        text.remove_prefix(word.size());
        version.candidate = take_number(text).value_or(0) + (word == "rc" ? 1000 : 0);
    }
    return version;
}

}  // namespace gotuned
