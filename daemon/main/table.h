// The live table of Go processes on a terminal (gotuned --table, scripts/run).
#pragma once

#include <string>

#include "observe/snapshot.h"

namespace gotuned {

/// Pure: lines of at most `width` columns, busiest first, at most `rows` processes and then how many more there are.
/// An absent value is "-". Text of strangers is cleaned.
std::string render_table(const Snapshot& snapshot, std::size_t width, std::size_t rows);

}  // namespace gotuned
