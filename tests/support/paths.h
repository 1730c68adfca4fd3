// Where the tests find the repository's files and the programs that were built. Functions of one source file, not
// macros: the compiler's command is then the same in every clone, and a compiler cache serves them all.
#pragma once

#include <string>

std::string source_folder();  ///< the repository
std::string build_folder();   ///< gotuned, gotunectl and workloads/ lie there
