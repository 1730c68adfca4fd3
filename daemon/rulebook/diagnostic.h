// A load error with its place: what the operator sees when a rulebook or gotuned.yaml is wrong.
#pragma once

#include <string>
#include <vector>

namespace gotuned {

struct Place {
    std::string file{};
    int line = 0;    ///< from 1; 0 when the error is about the file as a whole
    int column = 0;  ///< from 1
};

struct Diagnostic {
    Place place{};
    std::string message{};    ///< "unknown signal fd.usde"
    std::string hint{};       ///< "did you mean fd.used?"; may be empty
    std::string line_text{};  ///< the line in question, for the caret; may be empty
};
using Diagnostics = std::vector<Diagnostic>;

/// FILE:LINE:COLUMN: message, then the line and a caret, then the hint. Control characters are cleaned.
std::string to_string(const Diagnostic& diagnostic);

}  // namespace gotuned
