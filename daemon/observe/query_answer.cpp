// The JSON of Prometheus' HTTP API, in a file of its own: its parser is dear to compile.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "observe/outside.h"

namespace gotuned {
namespace {

using nlohmann::json;

Absent malformed(std::string detail) { return {Absence::malformed, std::move(detail)}; }

/// A sample is [time, "value"].
Reading<double> value_of_sample(const json& sample) {
    if (!sample.is_array() || sample.size() != 2 || !sample[1].is_string()) return malformed("no sample in the answer");
    const std::string text = sample[1].get<std::string>();
    double value = 0;
    if (!parse_double(text, value) || !std::isfinite(value))
        return malformed(fmt::format("the query's value is {}", clean_text(text, 40)));
    return value;
}

const json& member(const json& object, const char* key) {
    static const json none;
    if (!object.is_object()) return none;
    const auto found = object.find(key);
    return found == object.end() ? none : *found;
}
std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

}  // namespace

Reading<double> value_of_query(const std::string& answer) {
    const json parsed = json::parse(answer, nullptr, false);
    if (parsed.is_discarded()) return malformed("the answer is no JSON: is this address a Prometheus?");
    if (text_of(member(parsed, "status")) != "success")
        return malformed(fmt::format("Prometheus says: {}", clean_text(text_of(member(parsed, "error")), 200)));
    const json& data = member(parsed, "data");
    const std::string type = text_of(member(data, "resultType"));
    const json& result = member(data, "result");
    if (type == "scalar") return value_of_sample(result);
    if (type != "vector" || !result.is_array()) return malformed("the query gives no single number");
    if (result.empty()) return Absent{Absence::no_data, "the query's result is empty"};
    if (result.size() > 1)
        return malformed(fmt::format("the query gives {} series: sum them, or name more labels", result.size()));
    return value_of_sample(member(result[0], "value"));
}

}  // namespace gotuned
