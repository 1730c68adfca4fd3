// The memory behind rate(), avg(), max_over() and p99(…, 1m): for each widened function of one expression and one
// target, what was seen over its window. Bounded: at most about 60 points a series however short the tick, because
// points that lie within one sixtieth of the window are merged (the window's far edge is then exact to that much). A
// value that stays as it is needs one point however long it does: what falls out of the window is a share of it.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "rulebook/types.h"

namespace gotuned {

/// A percentile of fewer events than this is no_data.
inline constexpr double least_percentile_events = 20;

/// What one Snapshot tells a series: it covers (from, to].
struct Sample {
    MonoTime from{};
    MonoTime to{};
};

class Series {
public:
    explicit Series(const Checked::Series& shape) : window_(shape.window) {}

    void add(const Sample& sample, const Reading<double>& value);
    /// `raw` is how many events were really counted, `observed` for how long was looked (of a sampled signal).
    void add(const Sample& sample, const Reading<DistributionPtr>& value, double raw, Duration observed);

    /// (now − before) / time between: the last two Snapshots.
    [[nodiscard]] Reading<double> rate() const;
    /// Weighted by the time each value stood for.
    [[nodiscard]] Reading<double> average() const;
    [[nodiscard]] Reading<double> maximum() const;
    /// Of the merged distributions. Unknown with fewer than 20 events, or (sampled) too little exposure.
    [[nodiscard]] Reading<double> quantile(double q, bool sampled) const;

    /// Whether it will go on saying what it says as long as what it reads stays as it is: all of its window has been
    /// one value, or of too few events, and now of none.
    [[nodiscard]] bool settled() const;
    /// What settled() said held until then: as if every Snapshot had been told.
    void stayed(MonoTime until);

    [[nodiscard]] std::size_t points() const { return points_.size(); }
    /// The target appeared while we were watching: a window that reaches back further spans its start.
    void mark_newborn() { newborn_ = true; }

private:
    struct Point {
        MonoTime from{}, to{};
        double known = 0;  ///< seconds that `sum` stands for
        double sum = 0;    ///< value × seconds
        double maximum = -unlimited_value;
        bool steady = true;        ///< one value, or no event, all the time
        DistributionPtr merged{};  ///< null: no event
        double raw = 0;
        Duration observed{};
    };
    /// False when this sample is not news (seen already, or older).
    bool begin(const Sample& sample);
    /// The last point when the sample goes on from it and is `same`, or lies close enough; else a new one.
    Point& point_for(const Sample& sample, MonoTime from, bool same);
    [[nodiscard]] std::optional<Absent> unknown() const;
    [[nodiscard]] bool stays_few() const;
    [[nodiscard]] bool goes_on_without_events(const Point& last) const;
    [[nodiscard]] double share_inside(const Point& point) const;

    Duration window_{};
    bool newborn_ = false;
    bool started_ = false;
    MonoTime since_{};  ///< watched from here on
    MonoTime last_{};
    Absent why_{};  ///< of the latest value that was missing
    /// The latest distribution: whether it was of no event, and how much of its time was looked at.
    struct Latest {
        bool none = true;
        double observed_share = 0;
    };
    std::optional<Latest> latest_{};
    std::vector<Point> points_{};
    struct Seen {
        MonoTime at{};
        Reading<double> value{};
    };
    std::vector<Seen> seen_{};  ///< of rate(): the last two
};

class ExpressionState {
public:
    explicit ExpressionState(const Checked& shape) {
        for (const Checked::Series& entry : shape.series) series.emplace_back(entry);
    }
    [[nodiscard]] bool settled() const { return std::ranges::all_of(series, &Series::settled); }
    void stayed(MonoTime until) {
        for (Series& one : series) one.stayed(until);
    }
    std::vector<Series> series{};  ///< by Node::slot
};

}  // namespace gotuned
