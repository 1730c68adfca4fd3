#include "base/worker.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "catch.h"

using namespace gotuned;

TEST_CASE("a worker runs jobs in order, and their finish on the loop's thread") {
    Worker worker(std::chrono::seconds(5));
    const ManualClock clock;
    std::vector<int> done;
    const auto loop = std::this_thread::get_id();
    for (int i = 0; i < 5; ++i) {
        worker.submit(clock.mono(), [&, i]() -> Worker::Finish {
            const bool elsewhere = std::this_thread::get_id() != loop;
            return [&, i, elsewhere] {
                CHECK(elsewhere);
                CHECK(std::this_thread::get_id() == loop);
                done.push_back(i);
            };
        });
    }
    CHECK(worker.busy());
    REQUIRE(worker.drain(clock, std::chrono::seconds(10)));
    CHECK(done == std::vector<int>{0, 1, 2, 3, 4});
    CHECK_FALSE(worker.busy());
}

TEST_CASE("a worker that ends does not wait for a job that never returns") {
    auto go = std::make_shared<std::atomic<bool>>(false);
    auto begun = std::make_shared<std::atomic<bool>>(false);
    {
        Worker worker(std::chrono::seconds(5));
        const ManualClock clock;
        worker.submit(clock.mono(), [go, begun]() -> Worker::Finish {
            *begun = true;
            while (!*go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            return {};
        });
        while (!*begun) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        CHECK_FALSE(worker.drain(clock, std::chrono::milliseconds(20)));
        CHECK_FALSE(worker.blocked(clock.mono() + std::chrono::seconds(5)));
        CHECK(worker.blocked(clock.mono() + std::chrono::seconds(6)));
    }
    *go = true;
}

namespace {

/// Jobs that block until they are let go.
struct Stuck {
    std::shared_ptr<std::atomic<bool>> go = std::make_shared<std::atomic<bool>>(false);
    std::shared_ptr<std::atomic<int>> begun = std::make_shared<std::atomic<int>>(0);
    Stuck() = default;
    Stuck(const Stuck&) = delete;
    Stuck& operator=(const Stuck&) = delete;
    ~Stuck() { *go = true; }
    [[nodiscard]] Worker::Job job(Worker::Finish finish = {}) const {
        return [go = go, begun = begun, finish = std::move(finish)] {
            ++*begun;
            while (!*go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            return finish;
        };
    }
    void wait_for(int jobs) const {
        while (*begun < jobs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
};

}  // namespace

TEST_CASE("a job past the deadline is left to its thread, told of once, and those behind it go on") {
    Worker worker(std::chrono::seconds(5));
    ManualClock clock;
    const Stuck stuck;
    int late = 0;
    int came_back = 0;
    int others = 0;
    worker.submit(clock.mono(), stuck.job([&] { ++came_back; }), [&] { ++late; });
    worker.submit(clock.mono(), [&]() -> Worker::Finish { return [&] { ++others; }; });
    stuck.wait_for(1);
    clock.advance(std::chrono::seconds(5));
    worker.overtake(clock.mono());
    CHECK(late == 0);
    clock.advance(std::chrono::seconds(1));
    worker.overtake(clock.mono());
    worker.overtake(clock.mono());
    CHECK(late == 1);
    CHECK_FALSE(worker.drain(clock, std::chrono::seconds(10)));  // does not wait for what was left
    CHECK(others == 1);
    CHECK(came_back == 0);
    CHECK(worker.busy());
    CHECK_FALSE(worker.blocked(clock.mono() + std::chrono::hours(1)));
    *stuck.go = true;
    while (worker.busy()) worker.complete(clock.mono());
    CHECK(came_back == 1);
    CHECK(late == 1);
}

TEST_CASE("a job that may take longer holds up nobody either, and is told of later") {
    Worker worker(std::chrono::seconds(5));
    ManualClock clock;
    const Stuck stuck;
    int late = 0;
    int others = 0;
    worker.submit(clock.mono(), stuck.job(), [&] { ++late; }, std::chrono::seconds(30));
    worker.submit(clock.mono(), [&]() -> Worker::Finish { return [&] { ++others; }; });
    stuck.wait_for(1);
    clock.advance(std::chrono::seconds(6));
    worker.overtake(clock.mono());
    while (others == 0) worker.complete(clock.mono());
    CHECK(late == 0);
    CHECK_FALSE(worker.blocked(clock.mono() + std::chrono::hours(1)));
    // It is waited for as long as it may take.
    std::thread([go = stuck.go] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        *go = true;
    }).detach();
    CHECK(worker.drain(clock, std::chrono::seconds(60)));
    CHECK(late == 0);

    const Stuck again;
    worker.submit(clock.mono(), again.job(), [&] { ++late; }, std::chrono::seconds(30));
    again.wait_for(1);
    clock.advance(std::chrono::seconds(6));
    worker.overtake(clock.mono());
    clock.advance(std::chrono::seconds(24));
    worker.overtake(clock.mono());
    CHECK(late == 0);
    clock.advance(std::chrono::seconds(1));
    worker.overtake(clock.mono());
    worker.overtake(clock.mono());
    CHECK(late == 1);
    CHECK_FALSE(worker.drain(clock, std::chrono::seconds(10)));
    *again.go = true;
    while (worker.busy()) worker.complete(clock.mono());
    CHECK(late == 1);
}

TEST_CASE("only so many jobs are left to their threads; the next that blocks is waited for") {
    Worker worker(std::chrono::seconds(5));
    ManualClock clock;
    const Stuck stuck;
    int late = 0;
    constexpr int most = static_cast<int>(Worker::most_left);
    for (int i = 0; i <= most; ++i) {
        worker.submit(clock.mono(), stuck.job(), [&] { ++late; });
        stuck.wait_for(i + 1);
        clock.advance(std::chrono::seconds(6));
        worker.overtake(clock.mono());
        CHECK(late == i + 1);
        CHECK(worker.blocked(clock.mono()) == (i == most));
    }
    worker.submit(clock.mono(), stuck.job());
    *stuck.go = true;
    while (worker.busy()) worker.complete(clock.mono());
    CHECK(*stuck.begun == most + 2);
}

TEST_CASE("a worker that tells when it is idle is waited for like any other, also past a job that blocks") {
    Worker worker(std::chrono::milliseconds(20), Worker::Tell::when_idle);
    const SystemClock clock;
    const Stuck stuck;
    int done = 0;
    const auto submit = [&](int jobs) {
        for (int i = 0; i < jobs; ++i) worker.submit(clock.mono(), [&]() -> Worker::Finish { return [&] { ++done; }; });
    };
    submit(1000);
    CHECK(worker.drain(clock, std::chrono::seconds(60)));
    CHECK(done == 1000);

    submit(10);
    worker.submit(clock.mono(), stuck.job());
    submit(10);
    CHECK_FALSE(worker.drain(clock, std::chrono::seconds(60)));  // all but the one that blocks
    CHECK(done == 1020);
    *stuck.go = true;
    while (worker.busy()) worker.complete(clock.mono());
}
