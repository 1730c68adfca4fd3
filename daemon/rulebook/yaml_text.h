// What must hold of a YAML file's bytes before the library sees them, since it accepts or ends silently at several.
// Used by yaml.cpp alone.
#pragma once

#include <optional>

#include "rulebook/yaml.h"

namespace gotuned {

/// The first thing that is wrong with the bytes: size, byte order mark, UTF-8, control characters, lone carriage
/// returns, tabs that indent.
std::optional<Diagnostic> refuse_bytes(const YamlFile& file);

/// Where a quoted scalar that starts at `offset` ends (behind its closing quote); npos when it is never closed.
std::size_t end_of_quoted(std::string_view text, std::size_t offset);

/// "0755", "0o17", "-010": YAML 1.1 and 1.2 and people read them differently.
bool looks_octal(std::string_view scalar);

}  // namespace gotuned
