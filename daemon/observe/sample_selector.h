// One sample of a page in Prometheus' text format, as app("…") names it: a metric and labels that tell it from others.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "base/reading.h"

namespace gotuned {

/// `http_requests_total{code="500"}`: the metric of this name that has these labels. It may have others beside them.
struct SampleSelector {
    std::string name{};
    std::map<std::string, std::string> labels{};
    friend bool operator==(const SampleSelector&, const SampleSelector&) = default;
};

struct SelectorError {
    std::size_t offset = 0;  ///< into the text
    std::string message{};
    std::string hint{};
};
/// Only equality of labels: the page of one process has no need of more.
tl::expected<SampleSelector, SelectorError> parse_sample_selector(std::string_view text);

/// Finds samples in a page that comes in pieces, holding one line of it at a time.
/// Text format 0.0.4 (prometheus.io, exposition formats); of OpenMetrics what looks the same.
class SampleFinder {
public:
    /// `selectors` by the text that named them.
    explicit SampleFinder(std::map<std::string, SampleSelector> selectors);

    /// False when a line is longer than the format has any use for: nothing after it is read.
    bool feed(std::string_view piece);
    /// Of each selector its value, once the whole page was fed. Absent: no_data (no sample matches), malformed (several
    /// match, or it is no finite number).
    [[nodiscard]] std::map<std::string, Reading<double>> finish();

private:
    struct Wanted {
        SampleSelector selector{};
        std::size_t found = 0;
        Reading<double> value{Absence::no_data};
    };
    void line(std::string_view text);

    std::map<std::string, Wanted> wanted_;
    std::string partial_;
};

}  // namespace gotuned
