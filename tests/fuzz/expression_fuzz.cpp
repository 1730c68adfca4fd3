// The expression language: any text is an expression or an error with its place; what was accepted prints as a text
// that gives the same expression again, and evaluates on an empty Snapshot without harm.
#include "rulebook/expression.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gotuned;
    if (size < 2) return 0;
    const auto scope = static_cast<Scope>(data[0] % 3);
    const auto role = static_cast<ExpressionRole>(data[1] % 4);
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const Type wanted = role == ExpressionRole::to ? Type{Type::Kind::quantity, unit::count} : Type{};
    const auto parsed = parse_expression(text, scope, role, wanted);
    if (!parsed) {
        if (parsed.error().message.empty() || parsed.error().offset > text.size()) std::abort();
        return 0;
    }
    const Expression& expression = **parsed;
    const auto again = parse_expression(expression.print(), scope, role, wanted);
    if (expression.print().size() <= longest_expression && (!again || (*again)->print() != expression.print()))
        std::abort();

    static const Snapshot empty{};
    const EvaluationContext context{empty, HostId{}, {}};
    const auto state = expression.make_state();
    expression.observe(context, *state);
    (void)expression.evaluate(context, *state);
    if (to_string(expression.explain(context, *state)).empty()) std::abort();
    return 0;
}
