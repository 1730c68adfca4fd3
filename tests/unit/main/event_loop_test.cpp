#include "main/event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

TEST_CASE("a timer fires once, in order, and the loop ends with the code it was given") {
    auto loop = EventLoop::make();
    REQUIRE(loop);
    std::string order;
    const MonoTime now = MonoClock::now();
    auto second = loop->at(now + 20ms, [&] {
        order += "b";
        loop->exit(0);
    });
    auto first = loop->at(now + 1ms, [&] { order += "a"; });
    REQUIRE((first && second));
    REQUIRE(loop->run());
    CHECK(order == "ab");
}

TEST_CASE("a source that is destroyed in its own callback is not called again") {
    auto loop = EventLoop::make();
    REQUIRE(loop);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const Fd reader(ends[0]);
    const Fd writer(ends[1]);
    REQUIRE(::write(writer.get(), "x", 1) == 1);  // stays readable: nobody reads it
    int calls = 0;
    EventSource source;
    auto made = loop->on_io(reader.get(), EPOLLIN, [&] {
        ++calls;
        source.reset();
    });
    REQUIRE(made);
    source = std::move(*made);
    auto end = loop->at(MonoClock::now() + 20ms, [&] { loop->exit(0); });
    REQUIRE(end);
    REQUIRE(loop->run());
    CHECK(calls == 1);
}

TEST_CASE("a source that is destroyed before it fires never does") {
    auto loop = EventLoop::make();
    REQUIRE(loop);
    bool fired = false;
    auto timer = loop->at(MonoClock::now() + 1ms, [&] { fired = true; });
    REQUIRE(timer);
    timer->reset();
    auto end = loop->at(MonoClock::now() + 20ms, [&] { loop->exit(0); });
    REQUIRE(end);
    REQUIRE(loop->run());
    CHECK_FALSE(fired);
}
