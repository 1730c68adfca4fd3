#include "observe/go_readings.h"

namespace gotuned {
GoRuntimeValues GoReading::take() {
    if (!readable) return absent_values(readable.absent());
    if (!fresh) return absent_values({Absence::no_data, "its memory did not answer in time"});
    GoRuntimeValues out = std::move(*fresh);
    fresh.reset();
    return out;
}

std::shared_ptr<GoReading> GoReadings::follow(const GoProcess& process) const {
    auto out = std::make_shared<GoReading>();
    out->readable = can_be_read(process.build);
    if (out->readable) out->runtime = std::make_unique<GoRuntime>(process, proc_, memory_);
    return out;
}

void GoReadings::ask(const std::shared_ptr<GoReading>& reading, MonoTime now) {
    // settle() does not wait for what was late once: its answer, old by now, comes when the next tick asks.
    if (reading->asked && worker_) worker_->complete(now);
    if (!reading->readable || reading->asked) return;
    reading->asked = true;
    reading->fresh.reset();
    asked_.push_back(reading);
}

void GoReadings::settle(const Clock& clock) {
    if (!asked_.empty() && !worker_) worker_ = std::make_unique<Worker>(patience_ / 3, Worker::Tell::when_idle);
    for (const auto& reading : asked_)
        worker_->submit(clock.mono(), [reading]() -> Worker::Finish {
            auto values = std::make_shared<GoRuntimeValues>(reading->runtime->read());
            return [reading, values] {
                reading->asked = false;
                reading->fresh = std::make_unique<GoRuntimeValues>(std::move(*values));
            };
        });
    asked_.clear();
    if (worker_) (void)worker_->drain(clock, patience_);
}

}  // namespace gotuned
