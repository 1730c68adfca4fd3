#include "tune/worker.h"

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
        worker.submit("job", clock.mono(), [&, i]() -> Worker::Finish {
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
        worker.submit("stuck", clock.mono(), [go, begun]() -> Worker::Finish {
            *begun = true;
            while (!*go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            return {};
        });
        while (!*begun) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        CHECK_FALSE(worker.drain(clock, std::chrono::milliseconds(20)));
        CHECK(worker.overdue(clock.mono() + std::chrono::seconds(6)) == "stuck");
        CHECK(worker.overdue(clock.mono() + std::chrono::seconds(7)).empty());
        CHECK(worker.blocked(clock.mono() + std::chrono::seconds(6)));
    }
    *go = true;
}
