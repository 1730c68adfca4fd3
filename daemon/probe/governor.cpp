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
constexpr std::array scheduler_steps{1.0, 0.5, 0.2, 0.1, 0.05};

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

std::size_t current_scheduler(const ProbePlan& plan) {
    const auto* const found = std::ranges::find(scheduler_steps, plan.scheduler);
    return static_cast<std::size_t>(found - scheduler_steps.begin());
}

std::string percent(double share) {
    return share >= 0.0995 ? fmt::format("{:.0f}%", share * 100) : fmt::format("{:.2g}%", share * 100);
}

}  // namespace

const ProbePlan& Governor::plan(MonoTime now, Duration tick, const ProbeCosts& costs, const ProcessCosts& process) {
    ProbePlan next;
    const double scheduler = costs.scheduler.value_or(0);
    const double left = std::max(0.0, budget_ - costs.steady);
    const double most = std::max(left, 1e-9) * (1 - windows_part);
    const double most_of_process = budget_ * (1 - windows_part);
    std::size_t step = step_within(scheduler_steps, current_scheduler(plan_), 1.0, [&](double share) {
        return std::max(share * scheduler / most, share * process.scheduler / most_of_process);
    });
    step = std::min(step, scheduler_steps.size() - 1);
    next.scheduler = scheduler_steps[step];
    if (step > 0) {
        const bool by_process = process.scheduler / most_of_process > scheduler / most;
        next.reason =
            by_process
                ? fmt::format("switches and sockets: always seen, they would cost {} {} of its CPU time",
                              process.service, percent(process.scheduler))
                : fmt::format("switches and sockets: always seen, they would cost {} of one CPU", percent(scheduler));
    }

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
    const double allowed = left - next.scheduler * scheduler;
    const double allowed_of_process = budget_ - next.scheduler * process.scheduler;
    // Both can be used up by a scheduler tier at its last step: then no window fits, whatever it costs.
    const std::size_t found = step_within(window_steps, current_window(plan_), 1.0, [&](const Step& one) {
        const double share = duty(one, tick);
        const double node = window <= 0 ? 0 : allowed > 0 ? share * window / allowed : 2;
        const double own = window_process <= 0      ? 0
                           : allowed_of_process > 0 ? share * window_process / allowed_of_process
                                                    : 2;
        return std::max(node, own);
    });
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
        const bool by_process = window_process * std::max(allowed, 1e-9) > window * std::max(allowed_of_process, 1e-9);
        if (!next.reason.empty()) next.reason += "; ";
        next.reason += by_process ? fmt::format("system calls: an open window costs {} {} of its CPU time",
                                                process.service, percent(window_process))
                                  : fmt::format("system calls and interrupts: an open window costs {} of one CPU",
                                                percent(window));
    }
    next.cost = costs.steady + next.scheduler * scheduler + share * window;
    next.process_cost = next.scheduler * process.scheduler + share * window_process;
    next.process = process.service;
    plan_ = std::move(next);
    return plan_;
}

std::string plan_words(const ProbePlan& plan) {
    std::string words;
    if (plan.scheduler < 1)
        words = fmt::format("context switches and sockets are seen for {} of the time", percent(plan.scheduler));
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
