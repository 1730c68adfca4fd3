// gotunectl history does not hold up the loop: a disk that stalls is made of a lock here.
#include "main/history_reader.h"

#include <poll.h>

#include <mutex>
#include <optional>

#include "catch.h"

using namespace gotuned;

namespace {

struct StuckHistory final : History {
    std::mutex disk;
    void add(HistoryEntry) override {}
    Result<std::vector<HistoryEntry>> newest(std::size_t limit, const std::string& rule, const std::string&) override {
        const std::lock_guard lock(disk);
        if (rule == "broken") return fail("the disk is broken");
        HistoryEntry entry;
        entry.rule = rule + std::to_string(limit);
        return std::vector{entry};
    }
};

struct Asked {
    std::shared_ptr<StuckHistory> history = std::make_shared<StuckHistory>();
    HistoryReader reader{history};
    MonoTime now{};
    std::optional<Result<std::string>> answer{};

    Control::Reply reply() {
        return [this](Result<std::string> given) { answer = std::move(given); };
    }
    /// As the loop does it.
    void wait() {
        pollfd waiter{reader.fd(), POLLIN, 0};
        REQUIRE(::poll(&waiter, 1, 20000) == 1);
        reader.complete(now);
    }
};

}  // namespace

TEST_CASE("the history is answered later, and asking does not wait for it", "[history_reader]") {
    Asked asked;
    {
        const std::lock_guard stalled(asked.history->disk);
        asked.reader.ask({7, "raise", ""}, asked.now, asked.reply());
        asked.reader.complete(asked.now);
        CHECK_FALSE(asked.answer);
    }
    asked.wait();
    REQUIRE(asked.answer);
    CHECK((*asked.answer)->find("raise7") != std::string::npos);
}

TEST_CASE("an error of the history reaches who asked", "[history_reader]") {
    Asked asked;
    asked.reader.ask({7, "broken", ""}, asked.now, asked.reply());
    asked.wait();
    REQUIRE(asked.answer);
    CHECK(asked.answer->error().what == "the disk is broken");
}

TEST_CASE("while a read is stuck the next is refused, and those waiting are bounded", "[history_reader]") {
    Asked asked;
    const std::lock_guard stalled(asked.history->disk);
    for (int i = 0; i < 64; ++i) asked.reader.ask({1, "", ""}, asked.now, [](const Result<std::string>&) {});
    asked.reader.ask({1, "", ""}, asked.now, asked.reply());
    REQUIRE(asked.answer);
    CHECK(asked.answer->error().what.find("too many") == 0);
    asked.reader.ask({1, "", ""}, asked.now + std::chrono::seconds(6), asked.reply());
    CHECK(asked.answer->error().what.find("takes too long") != std::string::npos);
}
