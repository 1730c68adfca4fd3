// JSON Schema from a table of fields: what editors check while one types. The loader checks more (expressions, knobs,
// names of other rules), never less.
#pragma once

#include <string>

#include "rulebook/table.h"

namespace gotuned {

/// Draft 2020-12, indented, without a newline at its end.
std::string json_schema(const Table& root, std::string_view title);

}  // namespace gotuned
