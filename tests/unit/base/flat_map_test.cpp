#include "base/flat_map.h"

#include <map>
#include <random>
#include <string>

#include "catch.h"

using namespace gotuned;

namespace {

bool same(const FlatMap<int, std::string>& flat, const std::map<int, std::string>& map) {
    return flat.size() == map.size() &&
           std::equal(flat.begin(), flat.end(), map.begin(), map.end(),
                      [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; });
}

}  // namespace

TEST_CASE("a flat map holds what a map would, in its order, whatever is done to it") {
    std::mt19937 random(1);
    FlatMap<int, std::string> flat;
    std::map<int, std::string> map;
    for (int i = 0; i < 5000; ++i) {
        const int key = static_cast<int>(random() % 100);
        switch (random() % 5) {
            case 0:
                CHECK(flat.erase(key) == map.erase(key));
                break;
            case 1:
                flat[key] = map[key] = std::to_string(i);
                break;
            case 2:
                CHECK(erase_if(flat, [&](const auto& entry) { return entry.first % 7 == key % 7; }) ==
                      std::erase_if(map, [&](const auto& entry) { return entry.first % 7 == key % 7; }));
                break;
            default:
                CHECK(flat.emplace(key, std::to_string(i)).second == map.emplace(key, std::to_string(i)).second);
                CHECK(flat.find(key)->second == map.at(key));
                break;
        }
        CHECK(flat.contains(key) == map.contains(key));
        REQUIRE(same(flat, map));
    }
    CHECK_FALSE(map.empty());
}

TEST_CASE("a key that a flat map does not have is not found, and at() says so") {
    FlatMap<int, std::string> flat;
    CHECK(flat.find(1) == flat.end());
    CHECK_THROWS_AS(flat.at(1), std::out_of_range);
    flat.emplace(2, "two");
    CHECK(flat.find(1) == flat.end());
    CHECK(flat.find(3) == flat.end());
    CHECK(flat.at(2) == "two");
    flat.at(2) = "deux";
    CHECK(flat[2] == "deux");
    flat.clear();
    CHECK(flat.empty());
}
