#include "rulebook/expression.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "rulebook/evaluate.h"
#include "rulebook/lexer.h"
#include "rulebook/types.h"

namespace gotuned {
namespace {

/// A checked tree. The text is kept, because it is what equality, before(x) and evidence go by.
class Tree final : public Expression {
public:
    Tree(NodePtr root, Checked checked, std::string text)
        : root_(std::move(root)), checked_(std::move(checked)), text_(std::move(text)) {
        constant_ = find_constant();
    }
    void keep_before_arguments(std::vector<ExpressionPtr> arguments) { before_ = std::move(arguments); }
    [[nodiscard]] const Node& root() const { return *root_; }

    [[nodiscard]] const Type& type() const override { return root_->type; }
    [[nodiscard]] std::string print() const override { return text_; }
    [[nodiscard]] Reading<Value> evaluate(const EvaluationContext& context, ExpressionState& state) const override {
        return evaluate_tree(*root_, context, state);
    }
    [[nodiscard]] Evidence explain(const EvaluationContext& context, const ExpressionState& state) const override {
        return explain_tree(*root_, context, state);
    }
    void observe(const EvaluationContext& context, ExpressionState& state) const override {
        if (!checked_.series.empty()) observe_tree(*root_, context, state);
    }
    [[nodiscard]] std::shared_ptr<ExpressionState> make_state() const override {
        static const auto nothing = std::make_shared<ExpressionState>(Checked{});
        return remembers() ? std::make_shared<ExpressionState>(checked_) : nothing;
    }
    [[nodiscard]] bool remembers() const override { return !checked_.series.empty(); }
    [[nodiscard]] std::shared_ptr<ExpressionState> copy_state(const ExpressionState& state) const override {
        return remembers() ? std::make_shared<ExpressionState>(state) : make_state();
    }
    [[nodiscard]] std::optional<Value> constant() const override { return constant_; }
    [[nodiscard]] const std::vector<ExpressionPtr>& before_arguments() const override { return before_; }
    [[nodiscard]] Needs needs() const override {
        Needs needs;
        collect(*root_, needs);
        return needs;
    }

    [[nodiscard]] std::vector<Reading<Value>> host_parts(const Snapshot& snapshot) const override {
        std::vector<Reading<Value>> values;
        host_parts(*root_, EvaluationContext{snapshot, HostId{}, {}, {}}, values);
        return values;
    }
    [[nodiscard]] bool remembers_host() const override { return remembers_host(*root_); }

private:
    static void host_parts(const Node& node, const EvaluationContext& context, std::vector<Reading<Value>>& values) {
        static const ExpressionState nothing{Checked{}};
        if (node.of_host) return values.push_back(evaluate_tree(node, context, nothing));
        for (const NodePtr& part : node.parts) host_parts(*part, context, values);
    }
    static bool remembers_host(const Node& node) {
        return (is_widened(node.function) && reads_host(node)) ||
               std::ranges::any_of(node.parts, [](const NodePtr& part) { return remembers_host(*part); });
    }
    static bool reads_host(const Node& node) {
        return (node.kind == NodeKind::signal && info(node.signal).scope == Scope::host) ||
               std::ranges::any_of(node.parts, [](const NodePtr& part) { return reads_host(*part); });
    }
    static void collect(const Node& node, Needs& needs) {
        if (node.kind == NodeKind::signal) needs.signals.insert(node.signal);
        if (node.function == Function::sysctl) needs.sysctls.insert(node.text);
        if (node.function == Function::env) needs.environment.insert(node.text);
        if (node.function == Function::original) needs.originals.insert(node.text);
        if (node.function == Function::app) needs.app.insert(node.text);
        if (node.function == Function::prometheus) needs.queries.insert(node.text);
        for (const NodePtr& part : node.parts) collect(*part, needs);
    }
    static bool reads(const Node& node) {
        if (node.kind == NodeKind::signal || is_widened(node.function)) return true;
        switch (node.function) {
            case Function::before:
            case Function::original:
            case Function::env:
            case Function::sysctl:
            case Function::app:
            case Function::prometheus:
                return true;
            default:
                break;
        }
        for (const NodePtr& part : node.parts)
            if (reads(*part)) return true;
        return false;
    }
    [[nodiscard]] std::optional<Value> find_constant() const {
        if (reads(*root_)) return std::nullopt;
        static const Snapshot nothing{};
        const Reading<Value> value =
            evaluate_tree(*root_, EvaluationContext{nothing, HostId{}, {}, {}}, ExpressionState(checked_));
        return value ? std::optional<Value>(*value) : std::nullopt;
    }

    NodePtr root_;
    Checked checked_;
    std::string text_;
    std::vector<ExpressionPtr> before_{};
    std::optional<Value> constant_{};
};

/// Nothing but literals, the host's signals as they are now, and what is made of them.
bool is_of_host(const Node& node) {
    if (node.kind == NodeKind::signal) return info(node.signal).scope == Scope::host;
    switch (node.function) {
        case Function::none:
        case Function::min:
        case Function::max:
        case Function::clamp:
        case Function::abs:
        case Function::present:
            return std::ranges::all_of(node.parts, [](const NodePtr& part) { return is_of_host(*part); });
        default:
            return false;
    }
}

void mark_host_parts(Node& node) {
    const bool tells = node.kind == NodeKind::comparison || node.function == Function::present;
    node.of_host = tells && is_of_host(node);
    if (node.of_host) return;
    for (const NodePtr& part : node.parts) mark_host_parts(*part);
}

void before_nodes(const Node& node, std::vector<const Node*>& found) {
    if (node.function == Function::before) found.push_back(node.parts[0].get());
    for (const NodePtr& part : node.parts) before_nodes(*part, found);
}

tl::expected<std::shared_ptr<Tree>, ExpressionError> make_tree(NodePtr root, Scope scope, ExpressionRole role,
                                                               const Type& wanted) {
    auto checked = check_tree(*root, scope, role, wanted);
    if (!checked) return tl::unexpected(std::move(checked.error()));
    mark_host_parts(*root);
    std::string text = print_tree(*root);
    if (text.size() > longest_expression)
        return tl::unexpected(
            ExpressionError{0, fmt::format("the expression is longer than {} bytes", longest_expression), {}});
    return std::make_shared<Tree>(std::move(root), std::move(*checked), std::move(text));
}

/// before(x) captures x when the rule fires, so x must be an expression with a state of its own.
tl::expected<std::vector<ExpressionPtr>, ExpressionError> arguments_of_before(const Node& root, Scope scope) {
    std::vector<const Node*> nodes;
    before_nodes(root, nodes);
    std::vector<ExpressionPtr> arguments;
    for (const Node* node : nodes) {
        auto copy = parse_tree(print_tree(*node));
        if (!copy) return tl::unexpected(std::move(copy.error()));
        auto tree = make_tree(std::move(*copy), scope, ExpressionRole::when, node->type);
        if (!tree) {
            tree.error().offset = node->offset;
            return tl::unexpected(std::move(tree.error()));
        }
        arguments.push_back(std::move(*tree));
    }
    return arguments;
}

}  // namespace

tl::expected<ExpressionPtr, ExpressionError> parse_expression(std::string_view text, Scope scope, ExpressionRole role,
                                                              const Type& wanted) {
    // A CPU list may stand bare: "0-3,8" is no subtraction where CPUs are wanted.
    const std::string_view bare = trim(text);
    CpuSet cpus;
    const bool list = wanted.kind == Type::Kind::cpus && !bare.empty() && CpuSet::parse(bare, cpus);
    auto root = parse_tree(list ? quote_text(bare) : std::string(text));
    if (!root) return tl::unexpected(std::move(root.error()));
    auto tree = make_tree(std::move(*root), scope, role, wanted);
    if (!tree) return tl::unexpected(std::move(tree.error()));
    auto arguments = arguments_of_before((*tree)->root(), scope);
    if (!arguments) return tl::unexpected(std::move(arguments.error()));
    (*tree)->keep_before_arguments(std::move(*arguments));
    return *tree;
}

std::string to_string(const Type& type) {
    switch (type.kind) {
        case Type::Kind::boolean:
            return "true or false";
        case Type::Kind::quantity:
            return to_string(type.unit);
        case Type::Kind::number:
            return "a plain number";
        case Type::Kind::text:
            return "text";
        case Type::Kind::cpus:
            return "a CPU set";
        case Type::Kind::distribution:
            return "a distribution of " + to_string(type.unit);
    }
    return "";
}

}  // namespace gotuned
