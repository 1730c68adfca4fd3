#include "rulebook/lexer.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace gotuned {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_word(char c) { return is_lower(c) || is_digit(c) || c == '_'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_knob(char c) { return is_word(c) || is_upper(c) || c == '.' || c == '-' || c == '/'; }

/// value × multiply ÷ divide: dividing by a power of ten keeps 100us exactly 1e-4.
struct UnitWord {
    std::string_view word;
    double multiply;
    double divide;
    Unit unit;
};
constexpr std::array unit_words{
    UnitWord{"ns", 1, 1e9, unit::time},
    UnitWord{"us", 1, 1e6, unit::time},
    UnitWord{"ms", 1, 1e3, unit::time},
    UnitWord{"s", 1, 1, unit::time},
    UnitWord{"m", 60, 1, unit::time},
    UnitWord{"h", 3600, 1, unit::time},
    UnitWord{"d", 86400, 1, unit::time},
    UnitWord{"B", 1, 1, unit::bytes},
    UnitWord{"KiB", 1024, 1, unit::bytes},
    UnitWord{"MiB", 1048576, 1, unit::bytes},
    UnitWord{"GiB", 1073741824, 1, unit::bytes},
    UnitWord{"TiB", 1099511627776, 1, unit::bytes},
    UnitWord{"%", 1, 100, unit::ratio},
};
constexpr std::string_view units_hint = "units: ns us ms s m h d, B KiB MiB GiB TiB, %, /s, KiB/s";

struct Spelling {
    std::string_view wrong, right;
};
constexpr std::array spellings{
    Spelling{"K", "KiB"},   Spelling{"KB", "KiB"},  Spelling{"kB", "KiB"},  Spelling{"k", "KiB"},
    Spelling{"Ki", "KiB"},  Spelling{"M", "MiB"},   Spelling{"MB", "MiB"},  Spelling{"Mi", "MiB"},
    Spelling{"G", "GiB"},   Spelling{"GB", "GiB"},  Spelling{"Gi", "GiB"},  Spelling{"T", "TiB"},
    Spelling{"TB", "TiB"},  Spelling{"Ti", "TiB"},  Spelling{"sec", "s"},   Spelling{"min", "m"},
    Spelling{"mins", "m"},  Spelling{"hour", "h"},  Spelling{"hours", "h"}, Spelling{"msec", "ms"},
    Spelling{"usec", "us"}, Spelling{"nsec", "ns"}, Spelling{"b", "B"},     Spelling{"day", "d"},
    Spelling{"days", "d"},  Spelling{"S", "s"},     Spelling{"kib", "KiB"}, Spelling{"mib", "MiB"},
    Spelling{"gib", "GiB"}, Spelling{"tib", "TiB"}, Spelling{"bytes", "B"},
};

using Error = tl::unexpected<ExpressionError>;
Error error(std::size_t offset, std::string message, std::string hint = {}) {
    return Error(ExpressionError{offset, std::move(message), std::move(hint)});
}

class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) {}

    tl::expected<std::vector<Token>, ExpressionError> all() {
        for (;;) {
            while (at_ < text_.size() && is_space(text_[at_])) ++at_;
            auto token = next();
            if (!token) return tl::unexpected(std::move(token.error()));
            token->length = at_ - token->offset;
            tokens_.push_back(std::move(*token));
            if (tokens_.back().kind == Token::Kind::end) return std::move(tokens_);
        }
    }

private:
    using Result = tl::expected<Token, ExpressionError>;

    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] bool in_original() const {
        const std::size_t n = tokens_.size();
        return n >= 2 && tokens_[n - 1].text == "(" && tokens_[n - 2].kind == Token::Kind::name &&
               tokens_[n - 2].text == "original";
    }

    Result next() {
        if (at_ >= text_.size()) return Token{Token::Kind::end, at_, {}, {}, false, 0};
        const char c = peek();
        if (c == '"') return quoted();
        if (in_original() && is_knob(c)) return run(Token::Kind::knob, is_knob);
        if (is_digit(c)) return number();
        if (is_lower(c) || c == '_') return name();
        return symbol();
    }

    Result run(Token::Kind kind, bool (*belongs)(char)) {
        const std::size_t from = at_;
        while (at_ < text_.size() && belongs(text_[at_])) ++at_;
        return Token{kind, from, std::string(text_.substr(from, at_ - from)), {}, false, 0};
    }

    Result name() {
        Token token = *run(Token::Kind::name, [](char c) { return is_word(c) || c == '.'; });
        if (is_upper(peek())) return error(at_, "names are lower case");
        if (token.text.back() == '.' || token.text.find("..") != std::string::npos)
            return error(token.offset, fmt::format("'{}' is not a name: a dot has a word on both sides", token.text));
        return token;
    }

    Result quoted() {
        Token token{Token::Kind::text, at_, {}, {}, false, 0};
        for (++at_; at_ < text_.size(); ++at_) {
            char c = text_[at_];
            if (c == '"') {
                ++at_;
                if (clean_text(token.text, longest_expression) != token.text)
                    return error(token.offset, "a text must be valid UTF-8 without control characters");
                return token;
            }
            if (c == '\\') {
                ++at_;
                c = peek();
                if (c != '"' && c != '\\') return error(at_ - 1, "in a text, \\ stands only before \" and \\");
            }
            token.text += c;
        }
        return error(token.offset, "this text has no closing \"");
    }

    Result number() {
        const std::size_t from = at_;
        while (is_digit(peek())) ++at_;
        if (at_ - from > 1 && text_[from] == '0')
            return error(from, "a number does not begin with 0",
                         "octal numbers are not meant here; write it without the 0");
        if (peek() == '.') {
            ++at_;
            if (!is_digit(peek())) return error(from, "a digit is missing behind the dot");
            while (is_digit(peek())) ++at_;
        }
        const bool signed_exponent = (peek(1) == '+' || peek(1) == '-') && is_digit(peek(2));
        if ((peek() == 'e' || peek() == 'E') && (is_digit(peek(1)) || signed_exponent)) {
            at_ += signed_exponent ? 2 : 1;
            while (is_digit(peek())) ++at_;
        }
        Token token{Token::Kind::number, from, {}, {}, false, 0};
        const std::string_view digits = text_.substr(from, at_ - from);
        const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), token.value.value);
        if (failure != std::errc{} || end != digits.data() + digits.size())
            return error(from, fmt::format("'{}' is too large or too small for a number", digits));
        if (auto unit = suffix(token); !unit) return tl::unexpected(std::move(unit.error()));
        token.text = std::string(text_.substr(from, at_ - from));
        if (!std::isfinite(token.value.value))
            return error(from, fmt::format("'{}' is too large", token.text), "write unlimited");
        return token;
    }

    /// The unit behind a number, if any: "ms", "KiB", "%", "/s", "KiB/s".
    tl::expected<void, ExpressionError> suffix(Token& token) {
        const std::size_t from = at_;
        token.value.unit = unit::count;
        if (peek() == '%') {
            ++at_;
        } else {
            while (is_word(peek()) || is_upper(peek())) ++at_;
        }
        const std::string_view word = text_.substr(from, at_ - from);
        token.plain = word.empty();
        if (!word.empty()) {
            const UnitWord* found = nullptr;
            for (const UnitWord& entry : unit_words)
                if (entry.word == word) found = &entry;
            if (found == nullptr) return wrong_unit(token.offset, from, word);
            token.value.value = token.value.value * found->multiply / found->divide;
            token.value.unit = found->unit;
        }
        const bool per_second =
            peek() == '/' && peek(1) == 's' && !is_word(peek(2)) && peek(2) != '.' && !is_upper(peek(2));
        if (per_second && (word.empty() || token.value.unit == unit::bytes)) {
            at_ += 2;
            token.value.unit = word.empty() ? unit::per_second : unit::bytes_per_second;
            token.plain = false;
        }
        return {};
    }

    [[nodiscard]] Error wrong_unit(std::size_t number, std::size_t from, std::string_view word) const {
        for (const Spelling& entry : spellings)
            if (entry.wrong == word)
                return error(from, fmt::format("'{}' is not a unit", word),
                             fmt::format("did you mean {}{}?", text_.substr(number, from - number), entry.right));
        for (const char c : word)
            if (is_digit(c))
                return error(from, fmt::format("'{}' is not a unit", word), "one number with one unit: 90m, not 1h30m");
        return error(from, fmt::format("'{}' is not a unit", word), std::string(units_hint));
    }

    Result symbol() {
        struct Word {
            std::string_view word, hint;
        };
        static constexpr std::array symbols{std::string_view("=="), std::string_view("!="), std::string_view("<="),
                                            std::string_view(">="), std::string_view("<"),  std::string_view(">"),
                                            std::string_view("+"),  std::string_view("-"),  std::string_view("*"),
                                            std::string_view("/"),  std::string_view("("),  std::string_view(")"),
                                            std::string_view(",")};
        static constexpr std::array mistakes{Word{"&&", "write and"},
                                             Word{"||", "write or"},
                                             Word{"!", "write not"},
                                             Word{"=", "write == to compare"},
                                             Word{"'", "a text stands in double quotes"},
                                             Word{"%", "write a share without a space: 80%"},
                                             Word{"µ", "write us for microseconds"}};
        const std::string_view rest = text_.substr(at_);
        if (rest.substr(0, 2) == "<>") return error(at_, "unexpected '<>'", "write !=");
        if (rest.substr(0, 2) == "=>") return error(at_, "unexpected '=>'", "write >=");
        if (rest.substr(0, 2) == "=<") return error(at_, "unexpected '=<'", "write <=");
        if (rest.substr(0, 3) == "===") return error(at_, "unexpected '==='", "write == to compare");
        for (const std::string_view symbol : symbols) {
            if (rest.substr(0, symbol.size()) != symbol) continue;
            Token token{Token::Kind::symbol, at_, std::string(symbol), {}, false, 0};
            at_ += symbol.size();
            return token;
        }
        for (const Word& mistake : mistakes)
            if (rest.substr(0, mistake.word.size()) == mistake.word)
                return error(at_, fmt::format("unexpected '{}'", mistake.word), std::string(mistake.hint));
        if (is_upper(rest[0])) return error(at_, "names are lower case");
        if (rest[0] == '.' && rest.size() > 1 && is_digit(rest[1]))
            return error(at_, "a digit is missing before the dot");
        std::size_t length = 1;  // a whole code point, so that the message shows it
        while (length < rest.size() && (static_cast<unsigned char>(rest[length]) & 0xC0U) == 0x80) ++length;
        return error(at_, fmt::format("unexpected '{}'", clean_text(rest.substr(0, length))));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<Token> tokens_;
};

}  // namespace

tl::expected<std::vector<Token>, ExpressionError> tokens_of(std::string_view text) { return Lexer(text).all(); }

std::string quote_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

tl::expected<Quantity, ExpressionError> parse_literal(std::string_view text) {
    if (text.size() > longest_expression) return error(0, "this is too long for a number with a unit");
    auto tokens = tokens_of(text);
    if (!tokens) return tl::unexpected(std::move(tokens.error()));
    const Token& first = tokens->front();
    if (first.kind != Token::Kind::number)
        return error(first.offset, "a number with a unit is wanted here", "such as 5s, 4KiB or 80%");
    if (tokens->size() > 2) return error((*tokens)[1].offset, "only one number with its unit is wanted here");
    return first.value;
}

}  // namespace gotuned
