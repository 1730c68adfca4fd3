#include "rulebook/rule_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "rulebook/table.h"

namespace gotuned {
namespace {

using Kind = YamlNode::Kind;

struct Found {
    const YamlFile* file = nullptr;
    const YamlNode* node = nullptr;
    enum class From { nowhere, override_, profile, own } from = From::nowhere;
    explicit operator bool() const { return node != nullptr; }
};

std::optional<Scope> read_scope(const YamlNode* node) {
    for (const Scope scope : {Scope::host, Scope::cgroup, Scope::process}) {
        if (node != nullptr && node->text == to_string(scope)) return scope;
    }
    return std::nullopt;
}

class RuleReader {
public:
    RuleReader(const RuleSource& source, const RuleContext& context) : source_(source), context_(context) {}

    ReadRule read() {
        Rule& rule = out_.rule;
        out_.file = source_.own.file;
        rule.place = source_.own.file->place(source_.own.node->offset);
        rule.packaged = source_.packaged;
        if (const YamlNode* name = source_.own.node->find("name")) rule.name = name->text;
        const std::optional<Scope> scope = read_scope(source_.own.node->find("scope"));
        if (!scope) return std::move(out_);  // reported; nothing else could be judged without it
        rule.scope = *scope;
        text("why", rule.why);
        text("source", rule.source);
        targets();
        rule.when = expression(find("when"), ExpressionRole::when);
        time(find("for"), rule.for_);
        if (const Found adjust = find("adjust"); adjust && adjust.node->is(Kind::sequence)) {
            if (adjust.node->items.empty()) add(adjust, "adjust is an empty list");
            read_adjust(*adjust.file, *adjust.node, context_, out_);
        }
        verify();
        rule.undo_when = expression(find("undo_when"), ExpressionRole::undo_when);
        time(find("undo_for"), rule.undo_for);
        time(find("cooldown"), rule.cooldown);
        repeat();
        canary();
        severity();
        yields_to();
        mode();
        originals(rule.undo_when, find("undo_when"));
        originals(rule.verify.expect, find("verify", "expect"));
        apps(rule.when, find("when"));
        apps(rule.undo_when, find("undo_when"));
        apps(rule.verify.expect, find("verify", "expect"));
        for (std::size_t i = 0; i < rule.adjust.size(); ++i) {
            if (rule.adjust[i].to == nullptr) continue;
            const auto names = rule.adjust[i].to->needs().app;
            rule.app.insert(names.begin(), names.end());
            if (!names.empty() && i < out_.adjust_at.size()) out_.app_at.push_back(out_.adjust_at[i]);
        }
        return std::move(out_);
    }

private:
    void add(const Found& found, std::string message, std::string hint = {}) {
        context_.errors.add(*found.file, found.node->offset, std::move(message), std::move(hint));
    }

    /// A field, or one within `verify` or `repeat`: the operator's override before the profile before the rule itself.
    [[nodiscard]] Found find(std::string_view key, std::string_view inner = {}) const {
        for (const YamlMap& map : source_.overrides) {
            if (const Found found = in(map, key, inner, Found::From::override_)) return found;
        }
        // What a rule says of its own mode stands above the profile; of all else the profile is the tighter one.
        if (key == "mode") {
            if (const Found found = in(source_.own, key, inner, Found::From::own)) return found;
        }
        if (source_.profile) {
            if (const Found found = in(*source_.profile, key, inner, Found::From::profile)) return found;
        }
        return in(source_.own, key, inner, Found::From::own);
    }
    static Found in(const YamlMap& map, std::string_view key, std::string_view inner, Found::From from) {
        const YamlNode* node = map.node->find(key);
        if (node != nullptr && !inner.empty()) node = node->is(Kind::map) ? node->find(inner) : nullptr;
        if (node == nullptr || node->is(Kind::null)) return {};
        return {map.file, node, from};
    }

    void text(std::string_view key, std::string& out) {
        if (const Found found = find(key); found && found.node->is(Kind::scalar)) out = found.node->text;
    }
    static void time(const Found& found, Duration& out) {
        if (const auto value = read_time(found.node)) out = *value;
    }
    ExpressionPtr expression(const Found& found, ExpressionRole role) {
        if (!found || !found.node->is(Kind::scalar)) return nullptr;
        return read_expression(*found.file, *found.node, out_.rule.scope, role, Type{Type::Kind::boolean, {}},
                               context_.errors);
    }

    void targets() {
        const Found found = find("targets");
        if (found && out_.rule.scope == Scope::host) {
            return add(found, "a rule of host scope has no targets",
                       "the host is one; remove targets, or write scope: process");
        }
        for (const YamlNode* name : read_texts(found.node)) {
            if (!context_.target_names.contains(name->text)) {
                context_.errors.add(
                    *found.file, name->offset, fmt::format("unknown target {}", clean_text(name->text, 60)),
                    did_you_mean(name->text, {context_.target_names.begin(), context_.target_names.end()}));
            }
            out_.rule.targets.push_back(name->text);
        }
    }

    void verify() {
        Verify& verify = out_.rule.verify;
        const Found whole = find("verify");
        verify.present = static_cast<bool>(whole);
        if (!verify.present) return;
        time(find("verify", "settle"), verify.settle);
        time(find("verify", "hold"), verify.hold);
        const Found expect = find("verify", "expect");
        verify.expect = expression(expect, ExpressionRole::expect);
        if (!expect && whole.from != Found::From::own) {
            add(whole, "verify has no expect", "the rule has none to take over");
        }
        if (const Found otherwise = find("verify", "otherwise"); otherwise && otherwise.node->text == "keep") {
            verify.otherwise = Otherwise::keep;
        }
    }

    void repeat() {
        if (const auto steps = read_integer(find("repeat", "at_most").node)) out_.rule.repeat.at_most = *steps;
        time(find("repeat", "every"), out_.rule.repeat.every);
    }

    void canary() {
        const Found found = find("canary");
        const auto share = read_ratio(found.node);
        if (share && *share != 1) {
            add(found, "canary of less than 100% is not built yet in this version",
                "remove it: the rule then counts on every node");
        }
    }

    void severity() {
        const Found found = find("severity");
        if (!found) return;
        if (found.node->text == "warning") out_.rule.severity = Severity::warning;
        if (found.node->text == "critical") out_.rule.severity = Severity::critical;
    }

    void yields_to() {
        const Found found = find("yields_to");
        for (const YamlNode* name : read_texts(found.node)) {
            out_.rule.yields_to.push_back(name->text);
            out_.yields_to_at.emplace_back(found.file, name->offset);
        }
    }

    void mode() {
        Rule& rule = out_.rule;
        const Found found = find("mode");
        if (found && found.node->text == "enforce") rule.mode = Mode::enforce;
        switch (found.from) {
            case Found::From::override_:
                rule.mode_source = "override";
                break;
            case Found::From::own:
                rule.mode_source = "rule";
                break;
            case Found::From::profile:
                rule.mode_source = "profile " + source_.profile_name;
                break;
            case Found::From::nowhere:
                rule.mode_source = rule.packaged ? "profile " + source_.profile_name : "default";
                break;
        }
    }

    /// original(knob) of a knob that the rule does not turn would never be known.
    void originals(const ExpressionPtr& expression, const Found& found) {
        if (!expression || !found) return;
        for (const std::string& knob : expression->needs().originals) {
            const auto& adjust = out_.rule.adjust;
            if (std::any_of(adjust.begin(), adjust.end(), [&](const Adjust& line) { return line.knob == knob; }))
                continue;
            const std::size_t at = found.node->text.find(knob);
            context_.errors.add(
                *found.file, found.file->offset_in(*found.node, at == std::string::npos ? 0 : at),
                fmt::format("this rule does not adjust {}, so it has no original of it", clean_text(knob, 80)));
        }
    }

    void apps(const ExpressionPtr& expression, const Found& found) {
        if (!expression || !found) return;
        const auto names = expression->needs().app;
        out_.rule.app.insert(names.begin(), names.end());
        const std::size_t at = found.node->text.find("app");
        if (!names.empty())
            out_.app_at.emplace_back(found.file, found.file->offset_in(*found.node, at == std::string::npos ? 0 : at));
    }

    const RuleSource& source_;
    const RuleContext& context_;
    ReadRule out_{};
};

}  // namespace

ReadRule read_rule(const RuleSource& source, const RuleContext& context) { return RuleReader(source, context).read(); }

ExpressionPtr read_expression(const YamlFile& file, const YamlNode& node, Scope scope, ExpressionRole role,
                              const Type& wanted, Errors& errors) {
    if (node.cut_by_comma()) return nullptr;  // reported as such
    auto parsed = parse_expression(node.text, scope, role, wanted);
    if (parsed) return std::move(*parsed);
    errors.add(file, file.offset_in(node, parsed.error().offset), std::move(parsed.error().message),
               std::move(parsed.error().hint));
    return nullptr;
}

}  // namespace gotuned
