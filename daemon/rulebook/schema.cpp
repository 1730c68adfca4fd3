#include "rulebook/schema.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "base/text.h"

namespace gotuned {
namespace {

constexpr std::string_view time_pattern = "^[0-9]+([.][0-9]+)?(ns|us|ms|s|m|h|d)$";
constexpr std::string_view bytes_pattern = "^[0-9]+([.][0-9]+)?(B|KiB|MiB|GiB|TiB)$";
constexpr std::string_view ratio_pattern = "^[0-9]+([.][0-9]+)?%$";
constexpr std::string_view name_pattern = "^[a-z0-9]+(-[a-z0-9]+)*$";

/// Members of a JSON object in order, one a line.
class Object {
public:
    explicit Object(int depth) : indent_(static_cast<std::size_t>(depth) * 2, ' ') {}
    void member(std::string_view key, const std::string& json) {
        text_ += fmt::format("{}\n{}  {}: {}", text_.empty() ? "" : ",", indent_, json_quote(key), json);
    }
    [[nodiscard]] std::string done() const { return text_.empty() ? "{}" : "{" + text_ + "\n" + indent_ + "}"; }

private:
    std::string indent_;
    std::string text_{};
};

std::string array_of(std::span<const std::string_view> texts) {
    std::string out;
    for (const std::string_view text : texts) out += (out.empty() ? "" : ", ") + json_quote(text);
    return "[" + out + "]";
}

class Writer {
public:
    std::string root(const Table& table, std::string_view title) {
        Object out(0);
        out.member("$schema", json_quote("https://json-schema.org/draft/2020-12/schema"));
        out.member("title", json_quote(title));
        table_members(table, out, 0, "null");  // a file of comments is valid
        collect(table);
        if (!tables_.empty()) {
            Object definitions(1);
            for (const auto& [name, definition] : tables_) {
                Object members(2);
                table_members(*definition, members, 2);
                definitions.member(name, members.done());
            }
            out.member("$defs", definitions.done());
        }
        return out.done();
    }

private:
    void collect(const Table& table) {
        for (const Field& field : table.fields) {
            if (field.table == nullptr || !tables_.emplace(field.table->id, field.table).second) continue;
            collect(*field.table);
        }
    }

    static void table_members(const Table& table, Object& out, int depth, std::string_view or_type = {}) {
        out.member("description", json_quote(table.doc));
        out.member("type", or_type.empty() ? "\"object\"" : fmt::format("[\"object\", {}]", json_quote(or_type)));
        out.member("additionalProperties", "false");
        std::vector<std::string_view> required;
        Object properties(depth + 1);
        for (const Field& field : table.fields) {
            if (field.required) required.push_back(field.key);
            properties.member(field.key, property(field, depth + 2));
        }
        if (!required.empty()) out.member("required", array_of(required));
        out.member("properties", properties.done());
    }

    static std::string reference(const Table& table) {
        return fmt::format("{{\"$ref\": {}}}", json_quote("#/$defs/" + std::string(table.id)));
    }

    static std::string property(const Field& field, int depth) {
        Object out(depth);
        if (!field.unbuilt.empty()) {
            out.member("description",
                       json_quote(fmt::format("{} (not built yet: an error when it is set)", field.doc)));
            out.member(field.nullable ? "type" : "not", field.nullable ? "\"null\"" : "{}");
            return out.done();
        }
        out.member("description", json_quote(field.doc));
        type(field, out);
        if (!field.fallback.empty()) {
            const bool bare = field.type == FieldType::integer || field.type == FieldType::flag;
            out.member("default", bare ? std::string(field.fallback) : json_quote(field.fallback));
        }
        return out.done();
    }

    static std::string nullable(const Field& field, std::string_view type) {
        return field.nullable ? fmt::format("[\"{}\", \"null\"]", type) : fmt::format("\"{}\"", type);
    }

    static void type(const Field& field, Object& out) {
        switch (field.type) {
            case FieldType::text:
                out.member("type", nullable(field, "string"));
                break;
            case FieldType::name:
                pattern(out, name_pattern);
                break;
            case FieldType::flag:
                out.member("type", "\"boolean\"");
                break;
            case FieldType::integer:
                out.member("type", "\"integer\"");
                out.member("minimum", fmt::format("{}", field.least));
                if (std::isfinite(field.most)) out.member("maximum", fmt::format("{}", field.most));
                break;
            case FieldType::time:
                pattern(out, time_pattern);
                break;
            case FieldType::bytes:
                pattern(out, bytes_pattern);
                break;
            case FieldType::ratio:
                pattern(out, ratio_pattern);
                break;
            case FieldType::literal:
                out.member("type", R"(["string", "number"])");
                break;
            case FieldType::expression:
                out.member("type", R"(["string", "number", "boolean"])");
                break;
            case FieldType::choice:
                out.member("enum", array_of(field.choices));
                break;
            case FieldType::texts:
                out.member("type", R"(["string", "number", "boolean", "array"])");
                out.member("items", R"({"type": ["string", "number", "boolean"]})");
                out.member("minItems", "1");
                break;
            case FieldType::map:
                out.member("$ref", json_quote("#/$defs/" + std::string(field.table->id)));
                break;
            case FieldType::list:
                out.member("type", "\"array\"");
                out.member("items", reference(*field.table));
                break;
            case FieldType::named:
                out.member("type", "\"object\"");
                out.member("additionalProperties", reference(*field.table));
                break;
        }
    }
    static void pattern(Object& out, std::string_view pattern) {
        out.member("type", "\"string\"");
        out.member("pattern", json_quote(pattern));
    }

    std::map<std::string_view, const Table*> tables_{};
};

}  // namespace

std::string json_schema(const Table& root, std::string_view title) { return Writer().root(root, title); }

}  // namespace gotuned
