#include "rulebook/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "rulebook/expression.h"

namespace gotuned {
namespace {

using Kind = YamlNode::Kind;

bool nothing_written(const YamlNode& node) { return node.is(Kind::null); }

std::string shown(std::string_view text) { return clean_text(text, 60); }

class Checker {
public:
    Checker(const YamlFile& file, Errors& errors) : file_(file), errors_(errors) {}

    void map(const YamlNode& node, const Table& table) {
        if (!expect(node, Kind::map, table.name)) return;
        const bool cut = report_cut(node.items, "{ }");
        std::string meant;
        for (std::size_t i = 0; i < node.keys.size(); ++i) {
            const YamlNode& key = node.keys[i];
            const YamlNode& value = node.items[i];
            const Field* known = table.find(key.text);
            if (known != nullptr) {
                if (!(cut && value.cut_by_comma())) field(key, value, *known);
            } else if (!(cut && nothing_written(value))) {  // the rest of what the comma cut
                meant += unknown_key(key, table) + '\n';
            }
        }
        if (cut) return;
        for (const Field& known : table.fields) {
            // A key that is only misspelled is one mistake, not two.
            const bool misspelled = meant.find(fmt::format("did you mean {}?", known.key)) != std::string::npos;
            if (known.required && !misspelled && node.find(known.key) == nullptr) {
                add(node, fmt::format("{} has no {}", called(node, table), known.key));
            }
        }
    }

private:
    void add(const YamlNode& node, std::string message, std::string hint = {}) {
        errors_.add(file_, node.offset, std::move(message), std::move(hint));
    }
    bool expect(const YamlNode& node, Kind kind, std::string_view what) {
        if (node.kind == kind) return true;
        add(node, fmt::format("{} is {}, not {}", what, to_string(kind), to_string(node.kind)));
        return false;
    }
    bool report_cut(const std::vector<YamlNode>& values, std::string_view braces) {
        bool cut = false;
        for (const YamlNode& value : values) {
            if (!value.cut_by_comma()) continue;
            cut = true;
            add(value,
                fmt::format("within {} a comma ends an unquoted value: this is only {}", braces, shown(value.text)),
                "quote it: \"" + shown(value.text) + ", …)\"");
        }
        return cut;
    }
    /// Reports it; returns what it may have meant.
    std::string unknown_key(const YamlNode& key, const Table& table) {
        if (errors_.full()) {
            errors_.add({});
            return {};
        }
        std::vector<std::string_view> keys;
        for (const Field& known : table.fields) keys.push_back(known.key);
        std::string meant = did_you_mean(key.text, keys);
        add(key, fmt::format("unknown key {} of {}", shown(key.text), table.name),
            meant.empty() ? fmt::format("{} has: {}", table.name, fmt::join(keys, ", ")) : meant);
        return meant;
    }
    static std::string called(const YamlNode& node, const Table& table) {
        const YamlNode* name = node.find("name");
        if (name == nullptr || !name->is(Kind::scalar)) return std::string(table.name);
        return fmt::format("{} ({})", table.name, shown(name->text));
    }

    void field(const YamlNode& key, const YamlNode& value, const Field& known) {
        if (nothing_written(value)) {
            if (!known.nullable)
                add(key, fmt::format("{} has no value", key.text), "write it behind the colon, or remove the key");
            return;
        }
        if (!known.unbuilt.empty()) return add(key, fmt::format("{} is not built yet in this version", known.unbuilt));
        if (!known.unbuilt_map.empty() && value.is(Kind::map)) {
            return add(value, fmt::format("{} is not built yet in this version", known.unbuilt_map));
        }
        switch (known.type) {
            case FieldType::map:
                return map(value, *known.table);
            case FieldType::list:
                if (!expect(value, Kind::sequence, known.key)) return;
                for (const YamlNode& item : value.items) map(item, *known.table);
                return;
            case FieldType::named:
                if (!expect(value, Kind::map, known.key)) return;
                for (std::size_t i = 0; i < value.keys.size(); ++i) {
                    if (nothing_written(value.items[i]))
                        add(value.keys[i], fmt::format("{} has no value", shown(value.keys[i].text)));
                    else
                        map(value.items[i], *known.table);
                }
                return;
            case FieldType::texts:
                return texts(value, known);
            default:
                if (expect(value, Kind::scalar, known.key)) scalar(value, known);
        }
    }
    void texts(const YamlNode& value, const Field& known) {
        if (value.is(Kind::scalar)) return scalar(value, known);
        if (!value.is(Kind::sequence))
            return add(value, fmt::format("{} is text or a list of texts, not {}", known.key, to_string(value.kind)));
        if (value.items.empty())
            add(value, fmt::format("{} is an empty list", known.key), "remove the key when nothing is meant");
        if (report_cut(value.items, "[ ]")) return;
        for (const YamlNode& item : value.items) {
            if (expect(item, Kind::scalar, fmt::format("an item of {}", known.key))) scalar(item, known);
        }
    }

    void scalar(const YamlNode& value, const Field& known) {
        if (trim_view(value.text).empty()) return add(value, fmt::format("{} is empty", known.key));
        switch (known.type) {
            case FieldType::name:
                if (!is_kebab_case(value.text)) {
                    add(value, fmt::format("{} is not a name for {}", shown(value.text), known.key),
                        "lower-case words and numbers joined by '-', at most 64 characters: raise-nofile");
                }
                return;
            case FieldType::flag:
                if (!read_flag(&value))
                    add(value, fmt::format("{} is true or false, not {}", known.key, shown(value.text)));
                return;
            case FieldType::integer:
                return integer(value, known);
            case FieldType::time:
                return quantity(value, known, unit::time, "5s");
            case FieldType::bytes:
                return quantity(value, known, unit::bytes, "256MiB");
            case FieldType::ratio:
                return quantity(value, known, unit::ratio, "1%");
            case FieldType::choice:
                if (std::find(known.choices.begin(), known.choices.end(), value.text) == known.choices.end()) {
                    std::string hint = did_you_mean(value.text, {known.choices.begin(), known.choices.end()});
                    add(value,
                        fmt::format("{} is one of {}, not {}", known.key, fmt::join(known.choices, ", "),
                                    shown(value.text)),
                        std::move(hint));
                }
                return;
            default:
                return;  // text needs no look, expressions and literals get theirs from their readers
        }
    }
    void integer(const YamlNode& value, const Field& known) {
        const std::optional<int> number = read_integer(&value);
        if (!number) return add(value, fmt::format("{} is a whole number, not {}", known.key, shown(value.text)));
        if (*number < known.least || *number > known.most) {
            const std::string range = known.least == known.most ? fmt::format("{}", known.least)
                                                                : fmt::format("{} to {}", known.least, known.most);
            add(value, fmt::format("{} is {}, not {}", known.key, range, *number));
        }
    }
    void quantity(const YamlNode& value, const Field& known, Unit wanted, std::string_view example) {
        const auto literal = parse_literal(value.text);
        if (!literal) {
            return errors_.add(file_, file_.offset_in(value, literal.error().offset), literal.error().message,
                               literal.error().hint);
        }
        const std::string kind = wanted == unit::time ? "a time" : wanted == unit::bytes ? "a size" : "a share";
        if (literal->unit != wanted || literal->unlimited()) {
            return add(value, fmt::format("{} is {}, not {}", known.key, kind, shown(value.text)),
                       fmt::format("write it like {}", example));
        }
        if (literal->value < known.least || literal->value > known.most) {
            add(value, fmt::format("{} is at least {} and at most {}", known.key,
                                   to_string(Quantity{known.least, wanted}), to_string(Quantity{known.most, wanted})));
        }
    }
    static std::string_view trim_view(std::string_view text) {
        const std::size_t first = text.find_first_not_of(" \n\r\t");
        return first == std::string_view::npos ? std::string_view() : text.substr(first);
    }

    const YamlFile& file_;
    Errors& errors_;
};

std::optional<double> read_quantity(const YamlNode* node, Unit wanted) {
    if (node == nullptr || !node->is(Kind::scalar)) return std::nullopt;
    const auto literal = parse_literal(node->text);
    if (!literal || literal->unit != wanted || literal->unlimited()) return std::nullopt;
    return literal->value;
}

}  // namespace

const Field* Table::find(std::string_view key) const {
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.key == key; });
    return found == fields.end() ? nullptr : &*found;
}

void check_map(const YamlFile& file, const YamlNode& map, const Table& table, Errors& errors) {
    Checker(file, errors).map(map, table);
}

std::optional<Duration> read_time(const YamlNode* node) {
    constexpr double longest = 86400.0 * 3660;  // ten years: far from the range of nanoseconds
    const std::optional<double> value = read_quantity(node, unit::time);
    if (!value || *value < 0 || *value > longest) return std::nullopt;
    return from_seconds(*value);
}
std::optional<double> read_bytes(const YamlNode* node) { return read_quantity(node, unit::bytes); }
std::optional<double> read_ratio(const YamlNode* node) { return read_quantity(node, unit::ratio); }

std::optional<int> read_integer(const YamlNode* node) {
    if (node == nullptr || !node->is(Kind::scalar)) return std::nullopt;
    int value = 0;
    const char* const end = node->text.data() + node->text.size();
    const auto [stopped, failure] = std::from_chars(node->text.data(), end, value);
    if (failure != std::errc{} || stopped != end) return std::nullopt;
    return value;
}

std::optional<bool> read_flag(const YamlNode* node) {
    if (node == nullptr || !node->plain()) return std::nullopt;
    if (node->text == "true") return true;
    if (node->text == "false") return false;
    return std::nullopt;
}

std::vector<const YamlNode*> read_texts(const YamlNode* node) {
    std::vector<const YamlNode*> out;
    if (node == nullptr) return out;
    if (node->is(Kind::scalar)) out.push_back(node);
    if (node->is(Kind::sequence)) {
        for (const YamlNode& item : node->items) {
            if (item.is(Kind::scalar)) out.push_back(&item);
        }
    }
    return out;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
    if (word.size() > 128) return {};  // nobody mistypes that much, and the distance costs its square
    const std::string near = nearest(word, candidates);
    return near.empty() ? std::string() : fmt::format("did you mean {}?", near);
}

bool is_kebab_case(std::string_view name) {
    if (name.empty() || name.size() > 64) return false;
    const auto words = split(name, '-');
    return std::all_of(words.begin(), words.end(), [](std::string_view word) {
        return !word.empty() &&
               word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string_view::npos;
    });
}

}  // namespace gotuned
