// `adjust:` of a rule: the knob exists and is of the rule's scope, `to` is of its type, a constant is within bounds.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/files.h"
#include "base/text.h"
#include "rulebook/knob_catalogue.h"
#include "rulebook/rule_reader.h"
#include "rulebook/table.h"

namespace gotuned {
namespace {

using Takes = KnobInfo::Takes;
constexpr std::string_view sysctl_prefix = "sysctl.";
constexpr int most_cpus = 8192;  // CONFIG_NR_CPUS of the largest distribution kernels

bool is_unbuilt(std::string_view knob) {
    const auto unbuilt = unbuilt_knobs();
    return std::any_of(unbuilt.begin(), unbuilt.end(), [&](std::string_view name) {
        return knob == name || (name.ends_with('.') && knob.starts_with(name));
    });
}

std::string nearest_knob(std::string_view knob) {
    std::vector<std::string> names;
    for (const KnobInfo& known : knob_catalogue()) {
        if (!known.prefix) names.emplace_back(known.name);
    }
    for (const std::string_view name : bounded_sysctls())
        names.push_back(std::string(sysctl_prefix) + std::string(name));
    return did_you_mean(knob, {names.begin(), names.end()});
}

Type wanted_type(Takes takes) {
    switch (takes) {
        case Takes::count:
            return {Type::Kind::quantity, unit::count};
        case Takes::bytes:
            return {Type::Kind::quantity, unit::bytes};
        case Takes::time:
            return {Type::Kind::quantity, unit::time};
        case Takes::cpus:
            return {Type::Kind::cpus, {}};
        case Takes::sysctl:
            return {Type::Kind::number, {}};
        case Takes::word:
        case Takes::text:
            return {Type::Kind::text, {}};
    }
    return {};
}

class AdjustReader {
public:
    AdjustReader(const YamlFile& file, const RuleContext& context, ReadRule& out)
        : file_(file), context_(context), out_(out) {}

    void read(const YamlNode& line) {
        if (!line.is(YamlNode::Kind::map)) return;
        const YamlNode* knob = line.find("knob");
        if (knob == nullptr || !knob->is(YamlNode::Kind::scalar)) return;
        Adjust adjust{.knob = knob->text, .place = file_.place(line.offset)};
        const KnobInfo* info = find(*knob);
        if (info == nullptr) return;
        for (const Adjust& other : out_.rule.adjust) {
            if (other.knob == adjust.knob && info->takes != Takes::text)
                add(*knob, fmt::format("{} is adjusted twice by this rule", adjust.knob));
        }
        if (info->takes == Takes::text) {
            advise(line, adjust);
        } else {
            write(line, *info, adjust);
        }
        out_.rule.adjust.push_back(std::move(adjust));
        out_.adjust_at.emplace_back(&file_, line.offset);
    }

private:
    void add(const YamlNode& node, std::string message, std::string hint = {}) {
        context_.errors.add(file_, node.offset, std::move(message), std::move(hint));
    }

    const KnobInfo* find(const YamlNode& knob) {
        const std::string shown = clean_text(knob.text, 80);
        if (is_unbuilt(knob.text)) {
            add(knob, fmt::format("knob {} is not built yet in this version", shown));
            return nullptr;
        }
        const KnobInfo* info = find_knob_info(knob.text);
        if (info == nullptr) {
            add(knob, fmt::format("unknown knob {}", shown), nearest_knob(knob.text));
            return nullptr;
        }
        if (info->takes == Takes::sysctl) {
            if (const std::string_view myth = sysctl_myth(knob.text.substr(sysctl_prefix.size())); !myth.empty()) {
                add(knob, fmt::format("there is no {}", shown), std::string(myth));
                return nullptr;
            }
        }
        const Scope scope = out_.rule.scope;
        // Each network namespace has its own: that of the process, when it is not the host's.
        const bool own = scope == Scope::process && knob.text.starts_with("sysctl.net.");
        if (info->takes == Takes::text || info->scope == scope || own) return info;
        const bool wider = info->scope < scope;  // host, cgroup, process
        add(knob,
            fmt::format("{} is a knob of the {}, {} than this rule's scope ({})", shown, to_string(info->scope),
                        wider ? "wider" : "narrower", to_string(scope)),
            fmt::format("write scope: {}{}", to_string(info->scope),
                        wider ? ", or leave it to a rule of that scope" : ""));
        return nullptr;
    }

    void advise(const YamlNode& line, Adjust& adjust) {
        for (const std::string_view key : {"to", "least", "most"}) {
            if (const YamlNode* node = line.find(key))
                add(*node, fmt::format("advise changes nothing: it takes text, not {}", key));
        }
        const YamlNode* text = line.find("text");
        if (text == nullptr)
            add(line, "advise has no text");
        else
            adjust.text = text->text;
    }

    void write(const YamlNode& line, const KnobInfo& info, Adjust& adjust) {
        if (const YamlNode* text = line.find("text"))
            add(*text, fmt::format("text is of advise, {} takes to", adjust.knob));
        SysctlBounds bounds = bounds_of(info, adjust.knob);
        own_bounds(line, info, bounds, adjust);
        const YamlNode* to = line.find("to");
        if (to == nullptr) {
            constexpr std::array<std::string_view, 4> known = {"knob", "text", "least", "most"};
            const bool misspelled = std::any_of(line.keys.begin(), line.keys.end(), [&](const YamlNode& key) {
                return std::find(known.begin(), known.end(), key.text) == known.end();
            });
            if (!misspelled) add(line, fmt::format("{} has no to", adjust.knob));
            return;
        }
        if (!to->is(YamlNode::Kind::scalar)) return;
        if (to->cut_by_comma()) return;  // reported as such
        if (info.takes == Takes::cpus && placement(*to, adjust)) return;
        adjust.to = expression(*to, info);
        if (adjust.to != nullptr) constant(*to, adjust.to->constant(), info, bounds);
    }

    static SysctlBounds bounds_of(const KnobInfo& info, std::string_view knob) {
        if (info.takes != Takes::sysctl) return {info.least, info.most};
        return sysctl_bounds(knob.substr(sysctl_prefix.size()))
            .value_or(SysctlBounds{-unlimited_value, unlimited_value});
    }

    /// least, most: of the knob's unit, within its bounds, in order. They narrow `bounds`.
    void own_bounds(const YamlNode& line, const KnobInfo& info, SysctlBounds& bounds, Adjust& adjust) {
        const auto read = [&](std::string_view key) -> std::optional<Quantity> {
            const YamlNode* node = line.find(key);
            if (node == nullptr || !node->is(YamlNode::Kind::scalar)) return std::nullopt;
            if (info.takes == Takes::cpus || info.takes == Takes::word) {
                add(*node, fmt::format("a {} has no {}", info.takes == Takes::cpus ? "CPU set" : "word", key));
                return std::nullopt;
            }
            const std::string_view text = trim(node->text);
            const bool negative = info.least < 0 && text.starts_with('-');
            auto literal = parse_literal(negative ? text.substr(1) : std::string_view(node->text));
            if (!literal) {
                context_.errors.add(file_, file_.offset_in(*node, literal.error().offset), literal.error().message,
                                    literal.error().hint);
                return std::nullopt;
            }
            if (negative) literal->value = -literal->value;
            const Unit wanted = info.unit();
            if (literal->unit != wanted && info.takes != Takes::sysctl) {
                add(*node, fmt::format("{} of {} is {}, not {}", key, adjust.knob, to_string(wanted),
                                       to_string(literal->unit)));
                return std::nullopt;
            }
            if (!context_.unsafe_bounds && (literal->value < bounds.least || literal->value > bounds.most)) {
                add(*node,
                    fmt::format("{} may only narrow the safe bounds of {}: {}", key, adjust.knob, shown(bounds, info)));
                return std::nullopt;
            }
            return *literal;
        };
        adjust.least = read("least");
        adjust.most = read("most");
        if (adjust.least && adjust.most && adjust.least->value > adjust.most->value) {
            add(*line.find("least"), "least is above most");
        }
        if (adjust.least) bounds.least = adjust.least->value;
        if (adjust.most) bounds.most = adjust.most->value;
    }

    /// pack(n), spread(n), away_from(target). False when `to` is none of them.
    bool placement(const YamlNode& to, Adjust& adjust) {
        const std::string_view text = trim(to.text);
        const std::size_t open = text.find('(');
        const std::string_view word = trim(text.substr(0, open));
        if (open == std::string_view::npos || (word != "pack" && word != "spread" && word != "away_from")) return false;
        if (word == "away_from") {
            add(to, "away_from is not built yet in this version", "pack(n), spread(n) or a list of CPUs");
            return true;
        }
        const std::string_view inner = text.ends_with(')') ? trim(text.substr(open + 1, text.size() - open - 2)) : "";
        int cpus = 0;
        const auto [stopped, failure] = std::from_chars(inner.data(), inner.data() + inner.size(), cpus);
        if (inner.empty() || failure != std::errc{} || stopped != inner.data() + inner.size() || cpus < 1 ||
            cpus > most_cpus) {
            add(to, fmt::format("{} takes a number of CPUs, 1 or more", word),
                fmt::format("write it like {}(1)", word));
            return true;
        }
        adjust.placement =
            Adjust::Placement{word == "pack" ? Adjust::Placement::Kind::pack : Adjust::Placement::Kind::spread, cpus};
        return true;
    }

    ExpressionPtr expression(const YamlNode& to, const KnobInfo& info) {
        // What people write bare: CPUs (0-3,8), sysctls of several numbers (1024 65535), words (defer+madvise).
        const std::string text(trim(to.text));
        const bool word = info.takes == Takes::word && text.find_first_of("\"()") == std::string::npos;
        const bool digits =
            text.find_first_not_of(info.takes == Takes::cpus ? "0123456789,-" : "0123456789 \t") == std::string::npos;
        const bool several = text.find_first_of(" \t") != std::string::npos;
        if (word || (digits && (info.takes == Takes::cpus || (info.takes == Takes::sysctl && several)))) {
            auto parsed =
                parse_expression('"' + text + '"', out_.rule.scope, ExpressionRole::to, wanted_type(info.takes));
            if (parsed) return std::move(*parsed);
            add(to, std::move(parsed.error().message), std::move(parsed.error().hint));
            return nullptr;
        }
        return read_expression(file_, to, out_.rule.scope, ExpressionRole::to, wanted_type(info.takes),
                               context_.errors);
    }

    void constant(const YamlNode& to, const std::optional<Value>& value, const KnobInfo& info,
                  const SysctlBounds& bounds) {
        if (!value || context_.unsafe_bounds) return;
        if (info.takes == Takes::word) return word(to, *value, info);
        double number = 0;
        if (const auto* const quantity = std::get_if<Quantity>(&*value)) {
            number = quantity->value;
        } else if (const auto* const text = std::get_if<std::string>(&*value);
                   text == nullptr || !parse_double(*text, number)) {
            return;
        }
        if (number >= bounds.least && number <= bounds.most) return;
        add(to, fmt::format("{} is outside the safe bounds of {}", trim(to.text), shown(bounds, info)),
            "adjust.unsafe in gotuned.yaml allows it for the whole node");
    }

    void word(const YamlNode& to, const Value& value, const KnobInfo& info) {
        const auto* const text = std::get_if<std::string>(&value);
        const auto words = split(info.words, ' ');
        if (text == nullptr || info.words.empty() || std::find(words.begin(), words.end(), *text) != words.end())
            return;
        add(to, fmt::format("{} is no word of {}", clean_text(*text, 80), info.name),
            fmt::format("one of {}", fmt::join(words, ", ")));
    }

    static std::string shown(const SysctlBounds& bounds, const KnobInfo& info) {
        return fmt::format("{} to {}", to_string(Quantity{bounds.least, info.unit()}),
                           to_string(Quantity{bounds.most, info.unit()}));
    }

    const YamlFile& file_;
    const RuleContext& context_;
    ReadRule& out_;
};

}  // namespace

void read_adjust(const YamlFile& file, const YamlNode& list, const RuleContext& context, ReadRule& out) {
    AdjustReader reader(file, context, out);
    for (const YamlNode& line : list.items) reader.read(line);
}

}  // namespace gotuned
