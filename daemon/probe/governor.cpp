#include "probe/governor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace gotuned {
namespace {

using std::chrono::milliseconds;

/// A look is 120 ms at least: 100 ms give a value (least_exposure), and closing may come a little early.
struct Step {
    Duration window;
    unsigned every;
};
constexpr std::array window_steps{
    Step{milliseconds(200), 1}, Step{milliseconds(150), 1}, Step{milliseconds(120), 1},  Step{milliseconds(120), 2},
    Step{milliseconds(120), 3}, Step{milliseconds(120), 6}, Step{milliseconds(120), 12}, Step{milliseconds(120), 30},
};
constexpr std::array part_steps{1.0, 0.5, 0.2, 0.1, 0.05, 0.025};

/// Kept for the windows when the scheduler's programs would take all.
constexpr double windows_part = 0.2;
/// A larger step is taken only when it would stay so far below the budget: measurements differ by as much.
constexpr double slack = 0.8;
constexpr Duration try_again = std::chrono::minutes(10);

double duty(const Step& step, Duration tick) {
    if (tick <= Duration::zero()) return 0;
    return std::min(seconds(step.window), seconds(tick) / 2) / (seconds(tick) * step.every);
}

/// The first step that costs no more than `allowed`; steps before the current one only well below it.
template <typename Steps, typename Cost>
std::size_t step_within(const Steps& steps, std::size_t current, double allowed, Cost cost) {
    for (std::size_t i = 0; i < steps.size(); ++i)
        if (cost(steps[i]) <= (i < current ? allowed * slack : allowed)) return i;
    return steps.size();
}

std::size_t current_window(const ProbePlan& plan) {
    for (std::size_t i = 0; i < window_steps.size(); ++i)
        if (window_steps[i].window == plan.window && window_steps[i].every == plan.every) return i;
    return window_steps.size();
}

/// A part of each tick gives a value when it is as long as the shortest window.
double part(double step, Duration tick) {
    if (tick <= Duration::zero()) return step;
    return std::min(1.0, std::max(step, seconds(window_steps.back().window) / seconds(tick)));
}

/// What something takes while it is attached, and what it may take.
struct Demand {
    double node, node_most;
    double process, process_most;
    [[nodiscard]] double over(double share) const {
        const auto ratio = [share](double cost, double most) {
            return cost <= 0 ? 0 : most > 0 ? share * cost / most : 2;
        };
        return std::max(ratio(node, node_most), ratio(process, process_most));
    }
    [[nodiscard]] bool by_process() const {
        return process * std::max(node_most, 1e-9) > node * std::max(process_most, 1e-9);
    }
};

std::string percent(double share) {
    return share >= 0.0995 ? fmt::format("{:.0f}%", share * 100) : fmt::format("{:.2g}%", share * 100);
}

}  // namespace

const ProbePlan& Governor::plan(MonoTime now, Duration tick, const ProbeCosts& costs, const ProcessCosts& process) {
    ProbePlan next;
    const double scheduler = costs.scheduler.value_or(0);
    const double sockets = costs.sockets.value_or(0);
    const double left = std::max(0.0, budget_ - costs.steady - costs.goroutines);
    const double most = left * (1 - windows_part);
    const double most_of_process = budget_ * (1 - windows_part);
    const auto share_within = [&](double current, const Demand& demand, const char* what) {
        std::size_t at = 0;
        while (at + 1 < part_steps.size() && part(part_steps[at], tick) > current) ++at;
        const std::size_t step =
            step_within(part_steps, at, 1.0, [&](double one) { return demand.over(part(one, tick)); });
        const double share = part(part_steps[std::min(step, part_steps.size() - 1)], tick);
        if (share >= 1) return share;
        if (!next.reason.empty()) next.reason += "; ";
        next.reason += demand.by_process()
                           ? fmt::format("{}: always seen, they would cost {} {} of its CPU time", what,
                                         process.service, percent(demand.process))
                           : fmt::format("{}: always seen, they would cost {} of one CPU", what, percent(demand.node));
        return share;
    };
    next.scheduler =
        share_within(plan_.scheduler, {scheduler, most, process.scheduler, most_of_process}, "context switches");
    next.sockets = share_within(plan_.sockets,
                                {sockets, most - next.scheduler * scheduler, process.sockets,
                                 most_of_process - next.scheduler * process.scheduler},
                                "arrivals at sockets");

    double window = costs.window.value_or(0);
    double window_process = process.window;
    if (off_since_) {
        // Nothing is measured any more while they are off.
        if (now - *off_since_ >= try_again) {
            off_since_.reset();
            window = window_process = 0;
        } else {
            window = std::max(window, window_);
            window_process = std::max(window_process, window_process_);
        }
    }
    const double parts = next.scheduler * scheduler + next.sockets * sockets;
    const double parts_of_process = next.scheduler * process.scheduler + next.sockets * process.sockets;
    // Both can be used up by the others at their last step: then no window fits, whatever it costs.
    const Demand demand{window, left - parts, window_process, budget_ - parts_of_process};
    const std::size_t found = step_within(window_steps, current_window(plan_), 1.0,
                                          [&](const Step& one) { return demand.over(duty(one, tick)); });
    double share = 0;
    if (found < window_steps.size()) {
        next.window = window_steps[found].window;
        next.every = window_steps[found].every;
        share = duty(window_steps[found], tick);
    } else {
        next.window = Duration::zero();
        if (!off_since_) {
            off_since_ = now;
            window_ = window;
            window_process_ = window_process;
        }
    }
    if (found > 0) {
        if (!next.reason.empty()) next.reason += "; ";
        next.reason +=
            demand.by_process()
                ? fmt::format("system calls: an open window costs {} {} of its CPU time", process.service,
                              percent(window_process))
                : fmt::format("system calls and interrupts: an open window costs {} of one CPU", percent(window));
    }
    next.cost = costs.steady + costs.goroutines + parts + share * window;
    next.process_cost = parts_of_process + share * window_process;
    next.process = process.service;
    plan_ = std::move(next);
    return plan_;
}

std::string plan_words(const ProbePlan& plan) {
    std::string words;
    if (plan.scheduler < 1)
        words = fmt::format("context switches are seen for {} of the time", percent(plan.scheduler));
    if (plan.sockets < 1) {
        if (!words.empty()) words += ", ";
        words += fmt::format("arrivals at sockets are seen for {} of the time", percent(plan.sockets));
    }
    const bool full = plan.window == ProbePlan{}.window && plan.every == 1;
    if (!full) {
        if (!words.empty()) words += ", ";
        words +=
            plan.window <= Duration::zero()
                ? std::string("system calls and interrupts are not looked at")
                : fmt::format("system calls and interrupts are looked at for {:.0f} ms {}", seconds(plan.window) * 1000,
                              plan.every == 1 ? std::string("a tick") : fmt::format("every {} ticks", plan.every));
    }
    if (!words.empty() && !plan.reason.empty()) words += " (" + plan.reason + ")";
    return words;
}

}  // namespace gotuned
