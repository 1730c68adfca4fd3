// An expression back to text: with the least parentheses for people, with all of them for tests.
#include "rulebook/ast.h"
#include "rulebook/lexer.h"

namespace gotuned {
namespace {

/// How tightly a node binds; a part that binds less than its place wants stands in parentheses.
int binding(const Node& node) {
    switch (node.kind) {
        case NodeKind::logic:
            return node.op == Operator::either ? 1 : 2;
        case NodeKind::negation:
            return 3;
        case NodeKind::comparison:
            return 4;
        case NodeKind::arithmetic:
            return node.op == Operator::add || node.op == Operator::subtract ? 5 : 6;
        case NodeKind::negate:
            return 7;
        default:
            return 8;
    }
}

void print(const Node& node, int wanted, std::string& out);

void print_binary(const Node& node, int left, int right, std::string& out) {
    print(*node.parts[0], left, out);
    out += ' ';
    out += to_string(node.op);
    out += ' ';
    print(*node.parts[1], right, out);
}

void print_call(const Node& node, std::string& out) {
    out += to_string(node.function);
    out += '(';
    if (takes_text(node.function)) out += quote_text(node.text);
    if (node.function == Function::original) out += node.text;
    for (std::size_t i = 0; i < node.parts.size(); ++i) {
        if (i > 0) out += ", ";
        print(*node.parts[i], 0, out);
    }
    out += ')';
}

void print_leaf(const Node& node, std::string& out) {
    out += node.text;
    if (!node.key.empty()) out += '(' + quote_text(node.key) + ')';
}

void print(const Node& node, int wanted, std::string& out) {
    const int own = binding(node);
    if (own < wanted) out += '(';
    switch (node.kind) {
        case NodeKind::literal:
        case NodeKind::signal:
            print_leaf(node, out);
            break;
        case NodeKind::call:
            print_call(node, out);
            break;
        case NodeKind::negate:
            out += '-';
            print(*node.parts[0], own, out);
            break;
        case NodeKind::negation:
            out += "not ";
            print(*node.parts[0], own, out);
            break;
        case NodeKind::comparison:
            print_binary(node, own + 1, own + 1, out);
            break;
        case NodeKind::arithmetic:
        case NodeKind::logic:
            print_binary(node, own, own + 1, out);
            break;
    }
    if (own < wanted) out += ')';
}

void structure(const Node& node, std::string& out) {
    if (node.kind == NodeKind::literal || node.kind == NodeKind::signal) {
        print_leaf(node, out);
        return;
    }
    out += '(';
    switch (node.kind) {
        case NodeKind::call:
            out += to_string(node.function);
            break;
        case NodeKind::negate:
            out += "negate";
            break;
        case NodeKind::negation:
            out += "not";
            break;
        default:
            out += to_string(node.op);
            break;
    }
    if (!node.text.empty()) out += ' ' + quote_text(node.text);
    for (const NodePtr& part : node.parts) {
        out += ' ';
        structure(*part, out);
    }
    out += ')';
}

}  // namespace

std::string print_tree(const Node& node) {
    std::string out;
    print(node, 0, out);
    return out;
}

std::string structure_of(const Node& node) {
    std::string out;
    structure(node, out);
    return out;
}

}  // namespace gotuned
