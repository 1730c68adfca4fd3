// What is read from the services themselves and from Prometheus, for app("…") and prometheus("…") of the rulebook: over
// HTTP, beside the loop, bounded in time and size. Whatever fails leaves the value absent with its reason.
#pragma once

#include <memory>
#include <string>

#include "base/time.h"
#include "observe/outside_readings.h"

namespace gotuned {

class OutsideReader {
public:
    struct Options {
        std::string prometheus{};                     ///< address of a Prometheus, "http://127.0.0.1:9090"; empty: none
        Duration patience = std::chrono::seconds(2);  ///< for all that is read at once
        Duration query_every = std::chrono::seconds(15);  ///< ten thousand nodes ask the same Prometheus
        std::size_t most_bytes = 8UL * 1024 * 1024;       ///< of a page
    };
    static std::unique_ptr<OutsideReader> make(const Options& options);
    virtual ~OutsideReader() = default;

    /// From now on. What is not wanted any more is forgotten.
    virtual void want(OutsideWanted wanted) = 0;
    /// Begins to read what is due; nothing while the last reading is still under way.
    virtual void tick(MonoTime now) = 0;
    /// For the loop: readable when complete() has something to do.
    [[nodiscard]] virtual int fd() const = 0;
    virtual void complete(MonoTime now) = 0;
    /// The last answers; absent (not_observed) what is older than three times the interval at which it is read, or was
    /// never read. Null when nothing is wanted.
    [[nodiscard]] virtual std::shared_ptr<const OutsideReadings> readings(MonoTime now, Duration tick) const = 0;
};

/// The one number of an answer to an instant query (HTTP API, /api/v1/query). Absent: no_data (an empty result),
/// malformed (several series, a range, not finite, an error in Prometheus' words).
Reading<double> value_of_query(const std::string& answer);

}  // namespace gotuned
