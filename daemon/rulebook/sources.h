// Finds and reads the files that make a rulebook: layers, masks, the profile. Private to the loader.
#pragma once

#include "rulebook/compile.h"
#include "rulebook/errors.h"

namespace gotuned {

SourceSet collect_sources(const RulebookSources& sources, Errors& errors);

}  // namespace gotuned
