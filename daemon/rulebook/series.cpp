#include "rulebook/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gotuned {
namespace {

constexpr int points_a_window = 60;

std::string span_text(Duration part, Duration whole) {
    return fmt::format("{} of {}", to_string(time(std::max(part, Duration::zero()))), to_string(time(whole)));
}

}  // namespace

bool Series::begin(const Sample& sample) {
    if (started_ && sample.to <= last_) return false;
    if (!started_) since_ = std::min(sample.from, sample.to);
    started_ = true;
    last_ = sample.to;
    const auto inside = [this](const Point& point) { return point.to > last_ - window_; };
    points_.erase(points_.begin(), std::find_if(points_.begin(), points_.end(), inside));
    return true;
}

Series::Point& Series::point_for(const Sample& sample, MonoTime from, bool same) {
    if (!points_.empty()) {
        Point& last = points_.back();
        const bool goes_on = last.steady && same && from == last.to;
        if (goes_on || sample.to - last.from <= window_ / points_a_window) {
            last.steady = goes_on;
            last.to = sample.to;
            return last;
        }
    }
    Point point{};
    point.from = points_.empty() ? sample.from : std::max(sample.from, points_.back().to);
    point.to = sample.to;
    points_.push_back(std::move(point));
    return points_.back();
}

void Series::add(const Sample& sample, const Reading<double>& value) {
    const MonoTime from = started_ ? std::max(sample.from, last_) : sample.from;
    if (!begin(sample)) return;
    if (window_ == Duration::zero()) {
        if (seen_.size() == 2) seen_.erase(seen_.begin());
        seen_.push_back({sample.to, value});
        return;
    }
    if (!value) {
        why_ = value.absent();
        return;
    }
    Point& point = point_for(sample, from, !points_.empty() && points_.back().maximum == *value);
    point.maximum = std::max(point.maximum, *value);
    const double length = seconds(sample.to - from);
    if (length <= 0) return;  // the first Snapshot stands for no time
    point.known += length;
    point.sum += *value * length;
}

void Series::add(const Sample& sample, const Reading<DistributionPtr>& value, double raw, Duration observed) {
    const MonoTime from = started_ ? std::max(sample.from, last_) : sample.from;
    if (!begin(sample)) return;
    if (!value) {
        why_ = value.absent();
        return;
    }
    const double length = seconds(sample.to - from);
    const bool none = *value == nullptr || **value == Distribution{};
    latest_ = {none, length > 0 ? seconds(observed) / length : 0};
    Point& point = point_for(sample, from, none && !points_.empty() && goes_on_without_events(points_.back()));
    if (!none) point.steady = false;
    point.known += std::max(0.0, length);
    if (!none && point.merged == nullptr) {
        point.merged = *value;
    } else if (!none) {
        auto both = std::make_shared<Distribution>(*point.merged);
        both->add(**value);
        point.merged = std::move(both);
    }
    point.raw += raw;
    point.observed += observed;
}

/// Looked at about as much as before: a part of the point then stands for a part of what it was looked at for.
bool Series::goes_on_without_events(const Point& last) const {
    constexpr double about = 0.75;
    const double length = seconds(last.to - last.from);
    if (last.merged != nullptr || length <= 0) return last.merged == nullptr;
    const double share = seconds(last.observed) / length;
    return std::min(share, latest_->observed_share) >= about * std::max(share, latest_->observed_share);
}

double Series::share_inside(const Point& point) const {
    const MonoTime edge = last_ - window_;
    if (point.from >= edge) return 1;
    const double length = seconds(point.to - point.from);
    return length > 0 ? std::clamp(seconds(point.to - edge) / length, 0.0, 1.0) : 1;
}

bool Series::settled() const {
    if (!started_) return true;  // within before(): it is told nothing
    if (window_ == Duration::zero()) return seen_.size() == 2 && seen_.front().value == seen_.back().value;
    if (last_ - since_ < window_) return false;
    if (points_.empty()) return true;  // unknown all the time
    if (latest_) return latest_->none && stays_few();
    const Point& only = points_.front();
    return points_.size() == 1 && only.steady && only.to == last_ && only.from <= last_ - window_;
}

/// Too few events for a percentile, all of the window known, and looked at so evenly that this will not change while
/// it goes on being looked at so.
bool Series::stays_few() const {
    MonoTime known = last_ - window_;
    double raw = 0;
    double looked_least = latest_->observed_share;
    double looked_most = latest_->observed_share;
    for (const Point& point : points_) {
        if (point.from > known || point.to <= point.from) return false;
        known = point.to;
        raw += point.raw;
        const double share = seconds(point.observed) / seconds(point.to - point.from);
        looked_least = std::min(looked_least, share);
        looked_most = std::max(looked_most, share);
    }
    return known == last_ && raw < least_percentile_events &&
           (looked_most == 0 || from_seconds(looked_least * seconds(window_)) >= 2 * least_exposure);
}

void Series::stayed(MonoTime until) {
    if (!started_ || until <= last_) return;
    if (window_ == Duration::zero()) {
        seen_.back().at = until;
        last_ = until;
    } else if (points_.empty()) {
        last_ = until;
    } else if (latest_) {
        const Duration observed = from_seconds(latest_->observed_share * seconds(until - last_));
        add(Sample{last_, until}, Reading<DistributionPtr>(DistributionPtr()), 0, observed);
    } else {
        add(Sample{last_, until}, Reading<double>(points_.front().maximum));
    }
}

std::optional<Absent> Series::unknown() const {
    if (!started_) return Absent{Absence::not_observed, {}};
    if (last_ - since_ < window_)
        return Absent{newborn_ ? Absence::restarted : Absence::not_observed,
                      "watched for " + span_text(last_ - since_, window_)};
    double known = 0;
    for (const Point& point : points_) known += point.known * share_inside(point);
    if (known * 2 >= seconds(window_)) return std::nullopt;
    return Absent{why_.reason, "known for " + span_text(from_seconds(known), window_)};
}

Reading<double> Series::rate() const {
    if (seen_.empty()) return Absence::not_observed;
    if (seen_.size() == 1)
        return Absent{newborn_ ? Absence::restarted : Absence::not_observed, "one Snapshot shows no change"};
    const Seen& previous = seen_.front();
    const Seen& latest = seen_.back();
    if (!latest.value) return latest.value.absent();
    if (!previous.value) return previous.value.absent();
    const double difference = *latest.value - *previous.value;
    if (!std::isfinite(difference)) return Absent{Absence::no_data, "a change from or to unlimited has no rate"};
    return difference / seconds(latest.at - previous.at);
}

Reading<double> Series::average() const {
    if (auto absent = unknown()) return *absent;
    if (points_.size() == 1 && points_.front().steady) return points_.front().maximum;  // exactly, whatever it was told
    double sum = 0;
    double known = 0;
    for (const Point& point : points_) {
        const double share = share_inside(point);
        if (point.known * share <= 0) continue;
        sum += point.sum * share;
        known += point.known * share;
    }
    if (!(known > 0)) return Absence::no_data;
    return sum / known;
}

Reading<double> Series::maximum() const {
    if (auto absent = unknown()) return *absent;
    double most = -unlimited_value;
    for (const Point& point : points_) most = std::max(most, point.maximum);
    if (most == -unlimited_value) return Absence::no_data;
    return most;
}

Reading<double> Series::quantile(double q, bool sampled) const {
    if (auto absent = unknown()) return *absent;
    Distribution merged{};
    double raw = 0;
    Duration observed{};
    for (const Point& point : points_) {
        if (point.merged != nullptr) merged.add(*point.merged);
        raw += point.raw;
        observed += point.steady ? from_seconds(seconds(point.observed) * share_inside(point)) : point.observed;
    }
    if (sampled && observed < least_exposure)
        return Absent{Absence::low_exposure, fmt::format("looked at for {}", to_string(time(observed)))};
    if (raw < least_percentile_events)
        return Absent{Absence::no_data, fmt::format("fewer than {:.0f} events", least_percentile_events)};
    return merged.quantile(q);
}

}  // namespace gotuned
