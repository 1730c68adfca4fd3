#include "rulebook/yaml.h"

#include <rapidcheck.h>

#include "catch.h"

using namespace gotuned;
using Kind = YamlNode::Kind;
using Style = YamlNode::Style;

namespace {

/// "LINE:COLUMN message" of each error.
std::vector<std::string> errors_of(std::string text) {
    Diagnostics errors;
    parse_yaml("f.yaml", std::move(text), errors);
    std::vector<std::string> out;
    for (const Diagnostic& error : errors) {
        out.push_back(std::to_string(error.place.line) + ":" + std::to_string(error.place.column) + " " +
                      error.message);
    }
    return out;
}
std::string first_error(std::string text) {
    const auto errors = errors_of(std::move(text));
    return errors.empty() ? "" : errors.front();
}
YamlFile good(std::string text) {
    Diagnostics errors;
    YamlFile file = parse_yaml("f.yaml", std::move(text), errors);
    for (const Diagnostic& error : errors) FAIL(to_string(error));
    return file;
}
/// The text of the line at which `needle` of the scalar under `key` stands, from there on.
std::string rest_of_line(const YamlFile& file, std::string_view key, std::string_view needle) {
    const YamlNode* node = file.root.find(key);
    REQUIRE(node != nullptr);
    const std::size_t at = node->text.find(needle);
    REQUIRE(at != std::string::npos);
    const std::size_t offset = file.offset_in(*node, at);
    return file.text.substr(offset, file.text.find('\n', offset) - offset);
}

}  // namespace

TEST_CASE("a file becomes a tree with its keys in order") {
    const YamlFile file = good("version: 1\nrules:\n  - name: a\n    to: 'x'\n  - {name: b}\n");
    REQUIRE(file.root.is(Kind::map));
    REQUIRE(file.root.keys.size() == 2);
    CHECK(file.root.keys[1].text == "rules");
    const YamlNode& rules = file.root.items[1];
    REQUIRE(rules.items.size() == 2);
    CHECK(rules.items[0].find("to")->style == Style::single_quoted);
    CHECK(rules.items[1].style == Style::flow);
    CHECK(rules.items[1].find("name")->text == "b");
    CHECK(rules.items[1].find("nothing") == nullptr);
    const Place place = file.place(rules.items[1].find("name")->offset);
    CHECK(place.line == 5);
    CHECK(place.column == 12);
}

TEST_CASE("a file of blanks and comments is empty") {
    for (const char* text : {"", "\n\n", "# nothing\n", "---\n", "---\n...\n"}) CHECK(good(text).empty);
    CHECK_FALSE(good("a: 1\n").empty);
}

TEST_CASE("columns count characters and not bytes") {
    CHECK(first_error("ä: {ö: 1, ö: 2}\n") == "1:11 duplicate key ö");
}

TEST_CASE("line ends of Windows are line ends") {
    CHECK(first_error("a: 1\r\nb: 2\r\na: 3\r\n") == "3:1 duplicate key a");
}

TEST_CASE("what YAML allows and people trip over is refused at its place") {
    CHECK(first_error("a: 1\na: 2\n") == "2:1 duplicate key a");
    CHECK(first_error("a: 1\n---\nb: 2\n") == "2:1 a second document");
    CHECK(first_error("a: 1\n...\nb: 2\n").find("a second document") != std::string::npos);
    CHECK(first_error("a: {b: 1}\nc:\n  <<: {b: 2}\n") == "3:3 merge keys (<<) are not allowed");
    CHECK(first_error("a: &x 1\n") == "1:4 anchors are not allowed");
    CHECK(first_error("&x a: 1\n") == "1:1 anchors are not allowed");
    CHECK(first_error("unit: *.service\n") == "1:7 aliases are not allowed");
    CHECK(first_error("unit: [a, *.service]\n") == "1:11 aliases are not allowed");
    CHECK(first_error("unit: * \n") == "1:7 aliases are not allowed");
    CHECK(first_error("a: !!int 1\n") == "1:4 tags are not allowed");
    CHECK(first_error("a: ! 1\n") == "1:4 tags are not allowed");
    CHECK(first_error("a: !x [1]\n") == "1:4 tags are not allowed");
    CHECK(first_error("%YAML 1.2\n---\na: 1\n") == "1:1 YAML directives are not allowed");
    CHECK(first_error("%YAML 1.2\n") == "1:1 YAML directives are not allowed");
    CHECK(first_error("? [a]\n: b\n") == "1:3 a key must be plain text");
    CHECK(first_error("a: 0755\n") == "1:4 0755 looks like an octal number");
    CHECK(first_error("a: [0o17]\n") == "1:5 0o17 looks like an octal number");
    CHECK(first_error("a: -010\n") == "1:4 -010 looks like an octal number");
    CHECK(first_error("a: \"x\nb: 1\n") == "1:4 this quote is never closed");
    CHECK(first_error("a: 'it''s\n") == "1:4 this quote is never closed");
    CHECK(first_error("a: b: c\n") == "1:5 a colon where YAML expects none");
    CHECK(first_error("a: @x\n") == "1:4 YAML text cannot start with this character");
    CHECK(first_error("a: [1, 2\n").find("a [ is never closed") != std::string::npos);
    CHECK(first_error("{a: {b: ").find("a { is never closed") != std::string::npos);
    CHECK(first_error("a: {b: 2\n").find("a { is never closed") != std::string::npos);
}

TEST_CASE("numbers that only start with a zero are no octal numbers") {
    CHECK(errors_of("a: [0, 0.5, '0755', 0s, 10, 0-3, 0x1f]\n").empty());
}

TEST_CASE("bytes that are no text are refused at their place") {
    CHECK(first_error("\xEF\xBB\xBF"
                      "a: 1\n") == "1:1 the file starts with a byte order mark");
    CHECK(first_error(std::string("a: \0\n", 5)) == "1:4 control character 0x00: this is not a text file");
    CHECK(first_error("a: \x04 b\n") == "1:4 control character 0x04: this is not a text file");
    CHECK(first_error("a: 1\nb: \xff\n") == "2:4 not valid UTF-8");
    CHECK(first_error("a: 1\rb: 2\n") == "1:5 a carriage return without a line feed");
    CHECK(first_error("a:\n\tb: 1\n") == "2:1 a tab in the indentation");
    CHECK(errors_of("a:\t1 # tabs elsewhere do no harm\n").empty());
}

TEST_CASE("a file over 1 MiB is refused before it is parsed") {
    CHECK(first_error("a: " + std::string(yaml_size_limit, 'x')) == "0:0 the file is larger than 1 MiB");
}

TEST_CASE("32 levels are read and the 33rd is refused, at any depth") {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    CHECK(errors_of(nested(32)).empty());
    CHECK(first_error(nested(33)) == "1:33 nested deeper than 32 levels");
    CHECK(first_error(nested(100'000)) == "1:33 nested deeper than 32 levels");
    std::string maps;
    for (int i = 0; i < 100'000; ++i) maps += "{a: ";
    CHECK(first_error(maps) == "1:125 nested deeper than 32 levels");
}

TEST_CASE("duplicate keys and octal numbers are all reported") {
    CHECK(errors_of("a: 1\na: 010\nb: 2\nb: 3\n").size() == 3);
}

TEST_CASE("an offset inside a scalar is found in the file, whatever the quoting") {
    const YamlFile file = good(
        "plain: fd.used > 80%\n"
        "folded_plain: fd.used >\n    80% and  bad\n"
        "single: 'env(\"it''s\") bad'\n"
        "double: \"a \\\"b\\\" \\u00e4 \\x41 bad\"\n"
        "long_double: \"one \\\n    two\n    bad\"\n"
        "literal: |\n    fd.used > 80%\n      and\n    bad x\n"
        "folded: >-  # why\n  fd.used > 80%\n\n  and bad\n");
    CHECK(rest_of_line(file, "plain", "80%") == "80%");
    CHECK(rest_of_line(file, "folded_plain", "bad") == "bad");
    CHECK(rest_of_line(file, "single", "bad") == "bad'");
    CHECK(rest_of_line(file, "double", "bad") == "bad\"");
    CHECK(rest_of_line(file, "long_double", "bad") == "bad\"");
    CHECK(rest_of_line(file, "literal", "bad") == "bad x");
    CHECK(rest_of_line(file, "literal", "x") == "x");
    CHECK(rest_of_line(file, "folded", "bad") == "bad");
}

TEST_CASE("the end of a scalar is its end in the file") {
    const YamlFile file = good("a: fd.used >   # why\nb: 'x'\n");
    CHECK(file.offset_in(*file.root.find("a"), 9) == 12);
    CHECK(file.offset_in(*file.root.find("b"), 1) == file.text.find("'x'") + 2);
}

TEST_CASE("parsing is total: any bytes give a tree or errors") {
    CHECK(rc::check("bytes", [](const std::string& bytes) {
        Diagnostics errors;
        const YamlFile file = parse_yaml("f", bytes, errors);
        RC_ASSERT(errors.empty() || file.root.is(Kind::null));
    }));
    CHECK(rc::check("YAML's own characters", [] {
        const auto text =
            *rc::gen::container<std::string>(rc::gen::elementOf(std::string(" \n-:?[]{},&*!|>'\"%#ab0<~\\")));
        Diagnostics errors;
        const YamlFile file = parse_yaml("f", text, errors);
        RC_ASSERT(errors.empty() || file.root.is(Kind::null));
    }));
}

TEST_CASE("offsets inside scalars stay inside the file, whatever was parsed") {
    CHECK(rc::check([] {
        const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string(" \n-:'\"|>ab\\x")));
        Diagnostics errors;
        const YamlFile file = parse_yaml("f", "k: " + text, errors);
        const YamlNode* node = file.root.find("k");
        const bool scalar = node != nullptr && node->is(Kind::scalar);
        RC_PRE(scalar);
        std::size_t before = 0;
        for (std::size_t i = 0; i <= node->text.size(); ++i) {
            const std::size_t at = file.offset_in(*node, i);
            RC_ASSERT(at <= file.text.size());
            RC_ASSERT(at >= before);
            before = at;
        }
    }));
}
