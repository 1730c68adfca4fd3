#include "probe/costs.h"

#include <cerrno>

#include "catch.h"
#include "probe/features.h"
#include "probe/object.h"

using namespace gotuned;
using namespace std::chrono_literals;

TEST_CASE("before the first sample a probe's cost is unknown and adds nothing") {
    CostEstimate cost;
    cost.charge(10s);
    REQUIRE(cost.cpu_seconds() == 0);
    REQUIRE(cost.runs() == 0);
}

TEST_CASE("the first sample's share is charged for the time before it, too") {
    CostEstimate cost;
    cost.begin({0.0, 0, 9s});
    cost.end({0.01, 1000, 10s});
    REQUIRE(cost.cpu_seconds() == Approx(0.1));
    REQUIRE(cost.runs() == 1000);
}

TEST_CASE("share and rate are those of the last sample, and unknown before it") {
    CostEstimate cost;
    REQUIRE_FALSE(cost.share());
    REQUIRE_FALSE(cost.runs_per_second());
    cost.begin({0.0, 0, 0s});
    cost.end({0.01, 1000, 1s});
    cost.begin({0.01, 1000, 20s});
    cost.end({0.03, 5000, 22s});
    REQUIRE(*cost.share() == Approx(0.01));
    REQUIRE(*cost.runs_per_second() == Approx(2000));
}

TEST_CASE("time between samples is charged with the share of the last one") {
    CostEstimate cost;
    cost.begin({0.0, 0, 0s});
    cost.end({0.01, 1000, 1s});
    cost.charge(11s);
    REQUIRE(cost.cpu_seconds() == Approx(0.11));
    cost.begin({0.01, 1000, 20s});
    cost.end({0.03, 3000, 21s});
    REQUIRE(cost.cpu_seconds() == Approx(0.21));
    cost.charge(22s);
    REQUIRE(cost.cpu_seconds() == Approx(0.23));
    REQUIRE(cost.runs() == 3000);
}

TEST_CASE("the estimate never falls") {
    CostEstimate cost;
    cost.begin({0.0, 0, 0s});
    cost.end({0.01, 1000, 1s});
    const double before = cost.cpu_seconds();
    cost.charge(500ms);  // a clock read earlier
    cost.begin({0.01, 1000, 2s});
    cost.end({0.0, 0, 3s});  // the program could not be asked
    REQUIRE(cost.cpu_seconds() >= before);
    REQUIRE(cost.runs() == 1000);
}

TEST_CASE("a sample during which a windowed probe was never attached changes nothing") {
    CostEstimate cost;
    cost.begin({0.0, 0, 5s});
    cost.end({0.0, 0, 5s});
    cost.charge(6s);
    REQUIRE(cost.cpu_seconds() == 0);
}

TEST_CASE("lockdown's mode is the word in brackets") {
    REQUIRE(parse_lockdown("none [integrity] confidentiality\n") == "integrity");
    REQUIRE(parse_lockdown("[none] integrity confidentiality\n") == "none");
    REQUIRE(parse_lockdown("none integrity [confidentiality]\n") == "confidentiality");
}

TEST_CASE("lockdown text that is something else gives no mode") {
    for (const char* text : {"", "integrity", "[", "]", "][", "[strange]", "[integrity"}) {
        INFO(text);
        REQUIRE(parse_lockdown(text).empty());
    }
}

TEST_CASE("a program that the verifier refused is told with what it found, not as a missing capability") {
    const std::string log =
        "libbpf: prog 'sys_exit': -- BEGIN PROG LOAD LOG --\n0: (79) r8 = *(u64 *)(r1 +8)\n; return 0;\n"
        "R1 type=inv expected=map_value\nprocessed 12 insns (limit 1000000)\n-- END PROG LOAD LOG --";
    const std::string verdict = verifier_verdict(log);
    REQUIRE(verdict == "the verifier: R1 type=inv expected=map_value");
    REQUIRE(verifier_verdict("libbpf: failed to load object 'syscalls'").empty());
    const std::string words = refusal_words(EACCES, ProbeFeatures{}, verdict);
    REQUIRE(words.find("R1 type=inv") != std::string::npos);
    REQUIRE(words.find("CAP_BPF") == std::string::npos);
}

TEST_CASE("a refusal under confidential lockdown names the lockdown, and else the capability") {
    ProbeFeatures features;
    features.lockdown = "confidentiality";
    REQUIRE(refusal_words(EPERM, features, "").find("lockdown") != std::string::npos);
    features.lockdown = "none";
    const std::string words = refusal_words(EPERM, features, "said\nby libbpf");
    REQUIRE(words.find("CAP_BPF") != std::string::npos);
    REQUIRE(words.find("EPERM") != std::string::npos);
    REQUIRE(words.find("said?by libbpf") != std::string::npos);
}
