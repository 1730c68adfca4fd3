#include "paths.h"

std::string source_folder() { return GOTUNED_SOURCE_DIR; }
std::string build_folder() { return GOTUNED_BUILD_DIR; }
