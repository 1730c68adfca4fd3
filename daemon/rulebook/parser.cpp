#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "rulebook/ast.h"
#include "rulebook/lexer.h"

namespace gotuned {
namespace {

struct FunctionName {
    Function function;
    std::string_view name;
};
constexpr std::array functions{
    FunctionName{Function::min, "min"},
    FunctionName{Function::max, "max"},
    FunctionName{Function::clamp, "clamp"},
    FunctionName{Function::abs, "abs"},
    FunctionName{Function::rate, "rate"},
    FunctionName{Function::avg, "avg"},
    FunctionName{Function::max_over, "max_over"},
    FunctionName{Function::p50, "p50"},
    FunctionName{Function::p90, "p90"},
    FunctionName{Function::p99, "p99"},
    FunctionName{Function::before, "before"},
    FunctionName{Function::original, "original"},
    FunctionName{Function::present, "present"},
    FunctionName{Function::env, "env"},
    FunctionName{Function::sysctl, "host.sysctl"},
    FunctionName{Function::app, "app"},
    FunctionName{Function::prometheus, "prometheus"},
};
constexpr std::array<std::string_view, 2> unbuilt_functions{"slope", "time_to"};
/// Names that belong to the `to` of cpu.affinity alone, where the loader reads them.
constexpr std::array<std::string_view, 3> placements{"pack", "spread", "away_from"};

/// With a statistic behind it or without; null: there is none of that name, or there is only one of it.
const SignalInfo* find_keyed_signal(std::string_view name) {
    auto found = find_signal(name);
    const std::size_t dot = name.rfind('.');
    if (!found && dot != std::string_view::npos && parse_statistic(name.substr(dot + 1)))
        found = find_signal(name.substr(0, dot));
    return found && !info(*found).key.empty() ? &info(*found) : nullptr;
}

using Parsed = tl::expected<NodePtr, ExpressionError>;
tl::unexpected<ExpressionError> error(std::size_t offset, std::string message, std::string hint = {}) {
    return tl::unexpected(ExpressionError{offset, std::move(message), std::move(hint)});
}

class Parser {
public:
    explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    Parsed whole() {
        auto node = either();
        if (!node) return node;
        if (const Token& rest = peek(); rest.kind != Token::Kind::end) return unexpected(rest);
        return node;
    }

private:
    /// Counts levels of nesting; the parser's own recursion is the only one that a text can drive deep.
    struct Level {
        explicit Level(int& depth) : depth_(depth) { ++depth_; }
        ~Level() { --depth_; }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;
        int& depth_;
    };

    [[nodiscard]] const Token& peek() const { return tokens_[at_]; }
    Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
    [[nodiscard]] bool symbol(std::string_view text) const {
        return peek().kind == Token::Kind::symbol && peek().text == text;
    }
    [[nodiscard]] bool word(std::string_view text) const {
        return peek().kind == Token::Kind::name && peek().text == text;
    }

    tl::unexpected<ExpressionError> unexpected(const Token& token) const {
        if (token.kind == Token::Kind::end) return error(token.offset, "the expression ends too early");
        const bool after_number = at_ > 0 && tokens_[at_ - 1].kind == Token::Kind::number && tokens_[at_ - 1].plain;
        std::string hint;
        if (token.kind == Token::Kind::name && after_number)
            hint = fmt::format("a unit stands right behind its number: {}{}", tokens_[at_ - 1].text, token.text);
        const std::string shown = token.kind == Token::Kind::text ? quote_text(token.text) : token.text;
        return error(token.offset, fmt::format("unexpected {}", clean_text(shown, 60)), hint);
    }

    Parsed make(NodeKind kind, std::size_t offset, Operator op = Operator::none) {
        if (++nodes_ > largest_expression)
            return error(offset, fmt::format("the expression has more than {} parts", largest_expression));
        auto node = std::make_unique<Node>();
        node->kind = kind;
        node->offset = offset;
        node->op = op;
        return node;
    }
    Parsed binary(NodeKind kind, Operator op, std::size_t offset, NodePtr left, Parsed right) {
        if (!right) return right;
        auto node = make(kind, offset, op);
        if (!node) return node;
        (*node)->parts.push_back(std::move(left));
        (*node)->parts.push_back(std::move(*right));
        return node;
    }

    Parsed either() {
        auto left = both();
        while (left && word("or")) {
            const std::size_t offset = take().offset;
            left = binary(NodeKind::logic, Operator::either, offset, std::move(*left), both());
        }
        return left;
    }
    Parsed both() {
        auto left = negation();
        while (left && word("and")) {
            const std::size_t offset = take().offset;
            left = binary(NodeKind::logic, Operator::both, offset, std::move(*left), negation());
        }
        return left;
    }
    Parsed negation() {
        if (!word("not")) return comparison();
        const Level level(depth_);
        if (depth_ > deepest_expression) return too_deep();
        auto node = make(NodeKind::negation, take().offset);
        if (!node) return node;
        auto part = negation();
        if (!part) return part;
        (*node)->parts.push_back(std::move(*part));
        return node;
    }

    [[nodiscard]] Operator comparison_operator() const {
        if (peek().kind != Token::Kind::symbol) return Operator::none;
        for (const Operator op : {Operator::equal, Operator::unequal, Operator::less, Operator::at_most,
                                  Operator::greater, Operator::at_least})
            if (peek().text == to_string(op)) return op;
        return Operator::none;
    }
    Parsed comparison() {
        auto left = sum();
        if (!left) return left;
        const Operator op = comparison_operator();
        if (op == Operator::none) return left;
        const std::size_t offset = take().offset;
        left = binary(NodeKind::comparison, op, offset, std::move(*left), sum());
        if (left && comparison_operator() != Operator::none)
            return error(peek().offset, "comparisons do not chain", "write a < b and b < c");
        return left;
    }
    Parsed sum() {
        auto left = product();
        while (left && (symbol("+") || symbol("-"))) {
            const Token op = take();
            left = binary(NodeKind::arithmetic, op.text == "+" ? Operator::add : Operator::subtract, op.offset,
                          std::move(*left), product());
        }
        return left;
    }
    Parsed product() {
        auto left = signed_part();
        while (left && (symbol("*") || symbol("/"))) {
            const Token op = take();
            left = binary(NodeKind::arithmetic, op.text == "*" ? Operator::multiply : Operator::divide, op.offset,
                          std::move(*left), signed_part());
        }
        return left;
    }
    Parsed signed_part() {
        if (!symbol("-")) return primary();
        const Level level(depth_);
        if (depth_ > deepest_expression) return too_deep();
        auto node = make(NodeKind::negate, take().offset);
        if (!node) return node;
        auto part = signed_part();
        if (!part) return part;
        (*node)->parts.push_back(std::move(*part));
        return node;
    }

    Parsed primary() {
        const Token token = peek();
        if (symbol("(")) {
            const Level level(depth_);
            if (depth_ > deepest_expression) return too_deep();
            take();
            auto inner = either();
            if (!inner) return inner;
            if (auto closed = close(token); !closed) return tl::unexpected(std::move(closed.error()));
            return inner;
        }
        if (token.kind == Token::Kind::number || token.kind == Token::Kind::text) {
            take();
            const bool number = token.kind == Token::Kind::number;
            return literal(token, number ? Value(token.value) : Value(token.text), token.plain);
        }
        if (token.kind == Token::Kind::name) return named();
        return unexpected(token);
    }
    Parsed literal(const Token& token, Value value, bool plain) {
        auto node = make(NodeKind::literal, token.offset);
        if (!node) return node;
        (*node)->text = token.kind == Token::Kind::text ? quote_text(token.text) : token.text;
        if (std::holds_alternative<bool>(value)) {
            (*node)->type = Type{Type::Kind::boolean, {}};
        } else if (std::holds_alternative<std::string>(value)) {
            (*node)->type = Type{Type::Kind::text, {}};
        } else {
            (*node)->type =
                plain ? Type{Type::Kind::number, {}} : Type{Type::Kind::quantity, std::get<Quantity>(value).unit};
        }
        (*node)->literal = std::move(value);
        return node;
    }
    tl::expected<void, ExpressionError> close(const Token& opened) {
        if (!symbol(")")) {
            if (peek().kind == Token::Kind::end) return error(opened.offset, "this ( is never closed");
            return unexpected(peek());
        }
        take();
        return {};
    }

    Parsed named() {
        const Token token = peek();
        if (token.text == "and" || token.text == "or" || token.text == "not") return unexpected(token);
        take();
        if (symbol("(")) return call(token);
        if (token.text == "true" || token.text == "false") return literal(token, token.text == "true", false);
        if (token.text == "unlimited") {
            auto node = literal(token, count(unlimited_value), true);
            if (node) (*node)->any_unit = true;
            return node;
        }
        if (parse_function(token.text))
            return error(token.offset, fmt::format("{} is a function", token.text),
                         fmt::format("write {}(…)", token.text));
        auto node = make(NodeKind::signal, token.offset);
        if (node) (*node)->text = token.text;
        return node;
    }

    /// host.block.await("sda"): a signal of which there is one of each.
    Parsed one_of(const Token& name, const SignalInfo& signal) {
        const Token opened = take();
        const Token which = take();
        if (which.kind != Token::Kind::text)
            return error(which.offset, fmt::format("{}() takes the name of a {}", name.text, signal.key),
                         fmt::format("write {}(\"NAME\")", name.text));
        auto node = make(NodeKind::signal, name.offset);
        if (!node) return node;
        (*node)->text = name.text;
        (*node)->key = which.text;
        if (auto closed = close(opened); !closed) return tl::unexpected(std::move(closed.error()));
        return node;
    }

    Parsed call(const Token& name) {
        if (const SignalInfo* keyed = find_keyed_signal(name.text)) return one_of(name, *keyed);
        for (const std::string_view unbuilt : unbuilt_functions)
            if (name.text == unbuilt)
                return error(name.offset, fmt::format("{}() is not built yet in this version", unbuilt));
        for (const std::string_view placement : placements)
            if (name.text == placement)
                return error(name.offset, fmt::format("{}() stands alone, as the `to` of cpu.affinity", placement));
        const auto function = parse_function(name.text);
        if (!function) {
            // With the parentheses, so that two letters swapped in a short name are still near.
            std::vector<std::string> written;
            for (const FunctionName& entry : functions) written.push_back(std::string(entry.name) + "()");
            const std::string near =
                nearest(name.text + "()", std::vector<std::string_view>(written.begin(), written.end()));
            return error(name.offset, fmt::format("unknown function {}()", clean_text(name.text, 60)),
                         near.empty() ? std::string() : fmt::format("did you mean {}?", near));
        }
        const Level level(depth_);
        if (depth_ > deepest_expression) return too_deep();
        const Token opened = take();
        auto node = make(NodeKind::call, name.offset);
        if (!node) return node;
        (*node)->function = *function;
        if (takes_text(*function) || *function == Function::original) {
            const Token argument = take();
            if (argument.kind != (*function == Function::original ? Token::Kind::knob : Token::Kind::text))
                return error(argument.offset, fmt::format("{}() takes a name", name.text),
                             *function == Function::original ? "write original(rlimit.nofile)"
                                                             : fmt::format("write {}(\"NAME\")", name.text));
            (*node)->text = argument.text;
        } else if (!symbol(")")) {
            do {
                if (!(*node)->parts.empty()) take();
                auto part = either();
                if (!part) return part;
                (*node)->parts.push_back(std::move(*part));
            } while (symbol(","));
        }
        if (auto closed = close(opened); !closed) return tl::unexpected(std::move(closed.error()));
        return node;
    }

    [[nodiscard]] Parsed too_deep() const {
        return error(peek().offset, fmt::format("the expression is nested deeper than {} levels", deepest_expression));
    }

    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    std::size_t nodes_ = 0;
    int depth_ = 0;
};

}  // namespace

std::string_view to_string(Operator op) {
    switch (op) {
        case Operator::none:
            return "";
        case Operator::add:
            return "+";
        case Operator::subtract:
            return "-";
        case Operator::multiply:
            return "*";
        case Operator::divide:
            return "/";
        case Operator::equal:
            return "==";
        case Operator::unequal:
            return "!=";
        case Operator::less:
            return "<";
        case Operator::at_most:
            return "<=";
        case Operator::greater:
            return ">";
        case Operator::at_least:
            return ">=";
        case Operator::both:
            return "and";
        case Operator::either:
            return "or";
    }
    return "";
}

std::string_view to_string(Function function) {
    for (const FunctionName& entry : functions)
        if (entry.function == function) return entry.name;
    return "";
}

std::optional<Function> parse_function(std::string_view name) {
    for (const FunctionName& entry : functions)
        if (entry.name == name) return entry.function;
    return std::nullopt;
}

bool takes_text(Function function) {
    switch (function) {
        case Function::env:
        case Function::sysctl:
        case Function::app:
        case Function::prometheus:
            return true;
        default:
            return false;
    }
}

bool is_widened(Function function) {
    switch (function) {
        case Function::rate:
        case Function::avg:
        case Function::max_over:
        case Function::p50:
        case Function::p90:
        case Function::p99:
            return true;
        default:
            return false;
    }
}

tl::expected<NodePtr, ExpressionError> parse_tree(std::string_view text) {
    if (text.size() > longest_expression)
        return error(longest_expression, fmt::format("the expression is longer than {} bytes", longest_expression));
    auto tokens = tokens_of(text);
    if (!tokens) return tl::unexpected(std::move(tokens.error()));
    if (tokens->size() == 1) return error(0, "the expression is empty");
    return Parser(std::move(*tokens)).whole();
}

}  // namespace gotuned
