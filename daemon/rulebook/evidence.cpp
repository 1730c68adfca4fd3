// Evidence as one line for people.
#include "rulebook/expression.h"

namespace gotuned {
namespace {

std::string value_text(const Reading<Value>& value) {
    return value ? to_string(*value) : "unknown: " + std::string(to_string(value.absent().reason));
}

bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; }

/// Where `part` stands in `whole` as a word of its own, from `from` on.
std::size_t find_word(const std::string& whole, const std::string& part, std::size_t from) {
    for (std::size_t at = whole.find(part, from); at != std::string::npos; at = whole.find(part, at + 1)) {
        const std::size_t end = at + part.size();
        const bool begins = at == 0 || !is_name(whole[at - 1]) || !is_name(part.front());
        const bool ends = end >= whole.size() || !is_name(whole[end]) || !is_name(part.back());
        // `max` of max(x) is not the signal max: a function's name is followed by its parenthesis.
        if (begins && ends && (end >= whole.size() || whole[end] != '(')) return at;
    }
    return std::string::npos;
}

bool computed(const Evidence& evidence) {
    return evidence.kind == Evidence::Kind::arithmetic || evidence.kind == Evidence::Kind::function;
}

std::string render(const Evidence& evidence) {
    if (evidence.kind == Evidence::Kind::literal) return evidence.text;
    if (evidence.kind == Evidence::Kind::reading) return evidence.text + " (" + value_text(evidence.value) + ")";
    std::string out;
    std::size_t at = 0;
    for (const Evidence& part : evidence.parts) {
        const std::size_t found = part.text.empty() ? std::string::npos : find_word(evidence.text, part.text, at);
        if (found == std::string::npos) continue;
        out += evidence.text.substr(at, found - at) + render(part);
        if (evidence.kind == Evidence::Kind::comparison && computed(part)) out += " = " + value_text(part.value);
        at = found + part.text.size();
    }
    return out + evidence.text.substr(at);
}

}  // namespace

std::string to_string(const Evidence& evidence) {
    const bool condition = evidence.kind == Evidence::Kind::comparison || evidence.kind == Evidence::Kind::logic ||
                           (evidence.value && std::holds_alternative<bool>(*evidence.value));
    if (condition) return render(evidence) + "  ⇒ " + value_text(evidence.value);
    return computed(evidence) ? render(evidence) + " = " + value_text(evidence.value) : render(evidence);
}

}  // namespace gotuned
