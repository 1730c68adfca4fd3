#include "rulebook/loader.h"

#include "rulebook/rulebook_tables.h"
#include "rulebook/schema.h"
#include "rulebook/sources.h"

namespace gotuned {

tl::expected<RulebookPtr, Diagnostics> load_rulebook(const RulebookSources& sources) {
    Errors errors;
    const SourceSet set = collect_sources(sources, errors);
    auto compiled = compile_rulebook(set);
    if (errors.none()) return compiled;
    // What could not be read stands before what is wrong in the rest.
    if (!compiled) {
        for (Diagnostic& error : compiled.error()) errors.add(std::move(error));
    }
    return tl::unexpected(errors.take());
}

std::string rulebook_schema() { return json_schema(rulebook_table(), "gotuned rulebook"); }
std::string profile_schema() { return json_schema(profile_table(), "gotuned profile"); }

}  // namespace gotuned
