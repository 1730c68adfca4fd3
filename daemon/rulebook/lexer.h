// Words of the expression language: cuts a text into tokens with their byte offsets. Used by the parser and by
// parse_literal(); knows no grammar, no signal and no type but that of literals.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rulebook/expression.h"

namespace gotuned {

struct Token {
    enum class Kind {
        name,    ///< epoll.wake.p99, and, host.sysctl: dotted lower case
        number,  ///< with its unit; `value` holds it
        text,    ///< "…": `text` holds what is between the quotes
        knob,    ///< the name within original( )
        symbol,  ///< + - * / ( ) , == != < <= > >=
        end,
    } kind = Kind::end;
    std::size_t offset = 0;
    std::string text{};      ///< as written (a number with its unit); for a text its content
    Quantity value{};        ///< number: in base units
    bool plain = false;      ///< number: without a unit
    std::size_t length = 0;  ///< bytes in the source
};

/// The last token is `end`. Errors: a character that begins no word, a number that is none, an unknown unit.
tl::expected<std::vector<Token>, ExpressionError> tokens_of(std::string_view text);

/// A text literal as the lexer reads it back: in quotes, with \" and \\.
std::string quote_text(std::string_view text);

}  // namespace gotuned
