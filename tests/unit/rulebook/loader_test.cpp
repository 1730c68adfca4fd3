#include "rulebook/loader.h"

#include <sys/stat.h>

#include <algorithm>

#include "catch.h"
#include "folder.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

std::string rule(const std::string& name, const std::string& more = {}) {
    return "  - name: " + name +
           "\n    scope: process\n    when: fd.used > 5\n    adjust: [{knob: rlimit.nofile, to: 4096}]\n" + more;
}
std::string rulebook(const std::string& rules, const std::string& more = {}) {
    return "version: 1\nrules:\n" + rules + more;
}

/// The two layers and profiles in a temporary folder.
struct Layers {
    Folder folder{};
    RulebookSources sources{};
    Layers() {
        sources.packaged = folder.path("packaged");
        sources.operators = folder.path("etc");
        sources.profiles = folder.path("profiles");
    }
    [[nodiscard]] RulebookPtr load() const {
        auto loaded = load_rulebook(sources);
        if (!loaded) {
            for (const Diagnostic& error : loaded.error()) UNSCOPED_INFO(to_string(error));
            FAIL("not loaded");
        }
        return *loaded;
    }
    [[nodiscard]] std::string error() const {
        auto loaded = load_rulebook(sources);
        if (loaded) return "";
        std::string all;
        for (const Diagnostic& one : loaded.error()) all += to_string(one) + "\n";
        return all;
    }
};
std::vector<std::string> names(const Rulebook& rulebook) {
    std::vector<std::string> out;
    for (const Rule& rule : rulebook.rules) out.push_back(rule.name);
    return out;
}
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("without any directory the rulebook is empty") {
    const Layers layers;
    const RulebookPtr book = layers.load();
    CHECK(book->rules.empty());
    CHECK(book->profile == "observe");
    CHECK(book->sha256.size() == 64);
}

TEST_CASE("a rule has every field that was written, and the documented default of every other") {
    const Layers layers;
    layers.folder.write("etc/50-payments.yaml", R"(
version: 1
targets:
  payments:
    match:
      unit: ["payment-*.service", "ledger.service"]
      go: ">=1.19"
    not: { env: "GOTUNED_CLASS=batch" }
rules:
  - name: raise-nofile-before-emfile
    why: Because.
    source: https://go.dev/issue/46279
    scope: process
    targets: [payments]
    when: fd.used / fd.limit > 80% or errors.emfile.rate > 0/s
    for: 5s
    adjust:
      - knob: rlimit.nofile
        to: clamp(fd.limit * 2, 65536, 1048576)
        least: 65536
    verify:
      settle: 6s
      hold: 25s
      expect: fd.used / fd.limit < 80%
      otherwise: keep
    undo_when: fd.used < original(rlimit.nofile) * 50%
    undo_for: 11m
    cooldown: 12m
    repeat: { at_most: 3, every: 1m }
    canary: 100%
    severity: warning
    yields_to: [plain]
    mode: enforce
  - name: plain
    scope: process
    when: fd.used > 5
    adjust: [{knob: advise, text: Look.}]
)");
    const RulebookPtr book = layers.load();
    REQUIRE(names(*book) == Names{"raise-nofile-before-emfile", "plain"});
    const Rule& full = book->rules[0];
    CHECK(full.why == "Because.");
    CHECK(full.source == "https://go.dev/issue/46279");
    CHECK(full.targets == Names{"payments"});
    CHECK(full.when->print() == "fd.used / fd.limit > 80% or errors.emfile.rate > 0/s");
    CHECK(full.for_ == 5s);
    REQUIRE(full.adjust.size() == 1);
    CHECK(full.adjust[0].knob == "rlimit.nofile");
    CHECK(full.adjust[0].least->value == 65536);
    CHECK(full.adjust[0].place.line == 18);
    CHECK(full.verify.present);
    CHECK(full.verify.settle == 6s);
    CHECK(full.verify.hold == 25s);
    CHECK(full.verify.otherwise == Otherwise::keep);
    CHECK(full.undo_when != nullptr);
    CHECK(full.undo_for == 11min);
    CHECK(full.cooldown == 12min);
    CHECK(full.repeat.at_most == 3);
    CHECK(full.repeat.every == 1min);
    CHECK(full.severity == Severity::warning);
    CHECK(full.yields_to == Names{"plain"});
    CHECK(full.mode == Mode::enforce);
    CHECK(full.mode_source == "rule");
    CHECK_FALSE(full.packaged);
    CHECK(full.place.line == 10);

    const Rule& plain = *book->find("plain");
    CHECK(plain.for_ == 0s);
    CHECK_FALSE(plain.verify.present);
    CHECK(plain.undo_when == nullptr);
    CHECK(plain.undo_for == 1min);
    CHECK(plain.cooldown == 10min);
    CHECK(plain.repeat.at_most == 1);
    CHECK(plain.severity == Severity::info);
    CHECK(plain.mode == Mode::observe);
    CHECK(plain.mode_source == "default");
    CHECK(plain.adjust[0].text == "Look.");

    CHECK(book->needs.signals.contains(Signal::fd_used));
    CHECK(book->needs.signals.contains(Signal::errors_emfile));
    CHECK(book->environment == std::set<std::string>{"GOTUNED_CLASS"});
    REQUIRE(book->targets.size() == 1);
    CHECK(book->targets[0].match.size() == 2);
    CHECK(book->targets[0].not_.size() == 1);
}

TEST_CASE("a word is written bare, and a number below zero with its sign") {
    const Layers layers;
    layers.folder.write("etc/a.yaml", R"(
version: 1
rules:
  - name: pages
    scope: host
    when: host.swap.used > 5MiB
    adjust:
      - { knob: sysfs.thp.defrag, to: defer+madvise }
      - { knob: sysfs.block.nvme0n1.scheduler, to: "mq-deadline" }
  - name: spare
    scope: process
    when: fd.used > 5
    adjust:
      - { knob: process.oom_score_adj, to: -500, least: -600 }
      - knob: process.nice
        to: max(-5, 0 - fd.used)
)");
    const RulebookPtr book = layers.load();
    REQUIRE(names(*book) == Names{"pages", "spare"});
    CHECK(book->rules[0].adjust[0].to->constant() == Value(std::string("defer+madvise")));
    CHECK(book->rules[0].adjust[1].to->constant() == Value(std::string("mq-deadline")));
    CHECK(book->rules[1].adjust[0].to->constant() == Value(count(-500)));
    CHECK(book->rules[1].adjust[0].least->value == -600);
}

TEST_CASE("verify has its own defaults") {
    const Layers layers;
    layers.folder.write("etc/a.yaml", rulebook(rule("a", "    verify: {expect: fd.used < 5}\n")));
    const RulebookPtr book = layers.load();
    CHECK(book->rules[0].verify.settle == 5s);
    CHECK(book->rules[0].verify.hold == 30s);
    CHECK(book->rules[0].verify.otherwise == Otherwise::undo);
}

TEST_CASE("the operator's rules come before packaged ones, and files in the order of their names") {
    const Layers layers;
    layers.folder.write("packaged/10.yaml", rulebook(rule("packaged-one")));
    layers.folder.write("packaged/20.yaml", rulebook(rule("packaged-two")));
    layers.folder.write("etc/30.yaml", rulebook(rule("own-two")));
    layers.folder.write("etc/15.yaml", rulebook(rule("own-one")));
    layers.folder.write("etc/notes.txt", "not YAML: [");
    layers.folder.write("etc/.hidden.yaml", "not YAML: [");
    CHECK(names(*layers.load()) == Names{"own-one", "own-two", "packaged-one", "packaged-two"});
}

TEST_CASE("a file of the same name replaces the packaged one") {
    const Layers layers;
    layers.folder.write("packaged/10.yaml", rulebook(rule("packaged-one")));
    layers.folder.write("etc/10.yaml", rulebook(rule("own-one")));
    CHECK(names(*layers.load()) == Names{"own-one"});
}

TEST_CASE("an empty file, a file of comments and a link to /dev/null mask the packaged one") {
    const Layers layers;
    layers.folder.write("packaged/10.yaml", rulebook(rule("one")));
    layers.folder.write("packaged/20.yaml", rulebook(rule("two")));
    layers.folder.write("packaged/30.yaml", rulebook(rule("three")));
    layers.folder.write("etc/10.yaml", "");
    layers.folder.write("etc/20.yaml", "# not here\n");
    std::filesystem::create_symlink("/dev/null", layers.folder.path("etc/30.yaml"));
    CHECK(layers.load()->rules.empty());
}

TEST_CASE("an empty file that masks nothing is refused: a full disk leaves such files") {
    const Layers layers;
    layers.folder.write("packaged/10.yaml", rulebook(rule("one")));
    layers.folder.write("etc/50-own.yaml", rulebook(rule("two")));
    CHECK(layers.error().empty());
    layers.folder.write("etc/50-own.yaml", "\n");
    CHECK(layers.error().find("50-own.yaml: the file is empty, and masks no packaged one") != std::string::npos);
}

TEST_CASE("a file given by name is the operator's, and stands for one of its name in the directories") {
    Layers layers;
    layers.folder.write("packaged/10.yaml", rulebook(rule("one")));
    layers.folder.write("etc/20.yaml", rulebook(rule("two")));
    layers.sources.files = {layers.folder.write("new/20.yaml", rulebook(rule("two", "    for: 7s\n"))),
                            layers.folder.write("new/30.yaml", rulebook(rule("three")))};
    const RulebookPtr book = layers.load();
    CHECK(names(*book) == Names{"two", "three", "one"});
    CHECK(book->find("two")->for_ == 7s);
    CHECK_FALSE(book->find("three")->packaged);
}

TEST_CASE("an override changes one thing of a packaged rule and leaves the rest") {
    const Layers layers;
    layers.folder.write(
        "packaged/10.yaml",
        rulebook(rule("one", "    for: 5s\n    verify: {settle: 1s, hold: 9s, expect: fd.used < 5}\n")));
    layers.folder.write("etc/10-mine.yaml", "overrides:\n  one: {mode: enforce, for: 20s, verify: {hold: 1m}}\n");
    layers.folder.write("etc/20-mine.yaml", "overrides:\n  one: {cooldown: 1h, when: fd.used > 7}\n");
    const Rule rule = layers.load()->rules.at(0);
    CHECK(rule.mode == Mode::enforce);
    CHECK(rule.mode_source == "override");
    CHECK(rule.for_ == 20s);
    CHECK(rule.cooldown == 1h);
    CHECK(rule.when->print() == "fd.used > 7");
    CHECK(rule.verify.settle == 1s);
    CHECK(rule.verify.hold == 1min);
    CHECK(rule.verify.expect->print() == "fd.used < 5");
    CHECK(rule.packaged);
}

TEST_CASE("two overrides of the same field are an error, since neither is meant") {
    const Layers layers;
    layers.folder.write("etc/10.yaml", rulebook(rule("one"), "overrides:\n  one: {for: 1s}\n"));
    layers.folder.write("etc/20.yaml", "overrides:\n  one: {for: 2s}\n");
    CHECK(layers.error().find("20.yaml:2:9: for of one is overridden twice") != std::string::npos);
}

TEST_CASE("an error in an override points into the file of the override") {
    const Layers layers;
    layers.folder.write("packaged/10.yaml", rulebook(rule("one")));
    layers.folder.write("etc/20.yaml", "overrides:\n  one:\n    when: fd.usde > 5\n");
    CHECK(layers.error().find("etc/20.yaml:3:11: unknown signal fd.usde") != std::string::npos);
}

TEST_CASE("the profile decides for packaged rules alone, below the rule's own mode and the operator's override") {
    Layers layers;
    layers.folder.write("packaged/10.yaml", rulebook(rule("quiet") + rule("loud") +
                                                     rule("own-mode", "    mode: observe\n") + rule("overridden")));
    layers.folder.write("etc/20.yaml", rulebook(rule("mine"), "overrides:\n  overridden: {mode: observe}\n"));
    layers.folder.write("profiles/balanced.yaml",
                        "overrides:\n  loud: {mode: enforce, for: 9s}\n  own-mode: {mode: enforce}\n  overridden: "
                        "{mode: enforce, for: 8s}\n");
    layers.sources.profile = "balanced";
    const RulebookPtr book = layers.load();
    const auto mode = [&](const char* name) {
        return std::string(to_string(book->find(name)->mode)) + " by " + book->find(name)->mode_source;
    };
    CHECK(mode("quiet") == "observe by profile balanced");
    CHECK(mode("loud") == "enforce by profile balanced");
    CHECK(mode("own-mode") == "observe by rule");
    CHECK(mode("overridden") == "observe by override");
    CHECK(mode("mine") == "observe by default");
    CHECK(book->find("loud")->for_ == 9s);
    CHECK(book->find("overridden")->for_ == 8s);
    CHECK(book->profile == "balanced");
}

TEST_CASE("a profile holds nothing but overrides, and of rules that exist") {
    Layers layers;
    layers.sources.profile = "mine";
    layers.folder.write("packaged/10.yaml", rulebook(rule("one")));
    layers.folder.write("profiles/mine.yaml", "version: 1\noverrides: {}\n");
    CHECK(layers.error().find("unknown key version of a profile") != std::string::npos);
    layers.folder.write("profiles/mine.yaml", "overrides:\n  onne: {mode: enforce}\n");
    CHECK(layers.error().find("an override of an unknown rule: onne") != std::string::npos);
    layers.folder.write("etc/10.yaml", "");  // its rule is masked now: no typo
    CHECK(layers.error().empty());
}

TEST_CASE("a profile that is not there is an error with the nearest, and observe needs no file") {
    Layers layers;
    layers.folder.write("profiles/balanced.yaml", "overrides: {}\n");
    CHECK(layers.error().empty());
    layers.sources.profile = "balnced";
    CHECK(layers.error().find("there is no profile balnced\n    hint: did you mean balanced?") != std::string::npos);
    CHECK(layers.error().find("profiles: balanced, observe") != std::string::npos);
    layers.sources.profile = "../etc/x";
    CHECK(layers.error().find("there is no profile") != std::string::npos);
}

TEST_CASE("all errors of all files are reported, in the order of files and places") {
    const Layers layers;
    layers.folder.write("packaged/10.yaml", rulebook(rule("one", "    fro: 5s\n")));
    layers.folder.write("etc/10-a.yaml", rulebook(rule("two", "    cooldown: 5\n    for: 6\n")));
    layers.folder.write("etc/20-b.yaml", "a: [");
    const auto loaded = load_rulebook(layers.sources);
    REQUIRE_FALSE(loaded.has_value());
    std::vector<std::string> lines;
    for (const Diagnostic& error : loaded.error()) {
        lines.push_back(error.place.file.substr(error.place.file.rfind('/') + 1) + ":" +
                        std::to_string(error.place.line));
    }
    CHECK(lines == Names{"10.yaml:7", "10-a.yaml:7", "10-a.yaml:8", "20-b.yaml:1"});
}

TEST_CASE("what is not a readable regular file is an error and never blocks") {
    Layers layers;
    std::filesystem::create_directories(layers.folder.path("etc/dir.yaml"));
    REQUIRE(::mkfifo(layers.folder.path("etc/pipe.yaml").c_str(), 0600) == 0);
    std::filesystem::create_symlink("nowhere", layers.folder.path("etc/gone.yaml"));
    layers.sources.files = {layers.folder.path("missing.yaml")};
    const std::string error = layers.error();
    CHECK(error.find("dir.yaml: is not a regular file") != std::string::npos);
    CHECK(error.find("pipe.yaml: is not a regular file") != std::string::npos);
    CHECK(error.find("gone.yaml: cannot be read: No such file") != std::string::npos);
    CHECK(error.find("missing.yaml: cannot be read: No such file") != std::string::npos);
}

TEST_CASE("a .yml file is not silently passed over") {
    const Layers layers;
    layers.folder.write("etc/a.yml", rulebook(rule("one")));
    CHECK(layers.error().find("only files that end in .yaml are read") != std::string::npos);
}

TEST_CASE("the sha256 changes with any file, its name and the profile, and with nothing else") {
    Layers layers;
    layers.folder.write("etc/10.yaml", rulebook(rule("one")));
    layers.folder.write("profiles/observe.yaml", "overrides: {}\n");
    const std::string first = layers.load()->sha256;
    CHECK(layers.load()->sha256 == first);
    layers.folder.write("profiles/observe.yaml", "overrides: {} #\n");
    const std::string second = layers.load()->sha256;
    CHECK(second != first);
    std::filesystem::rename(layers.folder.path("etc/10.yaml"), layers.folder.path("etc/11.yaml"));
    CHECK(layers.load()->sha256 != second);
}

TEST_CASE("affinity takes pack, spread, a list of CPUs and nothing else") {
    const Layers layers;
    const auto with = [&](const std::string& to) {
        layers.folder.write("etc/a.yaml",
                            "rules:\n  - name: a\n    scope: process\n    when: fd.used > 5\n    adjust:\n      - "
                            "knob: cpu.affinity\n        to: " +
                                to + "\n");
    };
    with("pack(2)");
    CHECK(layers.load()->rules[0].adjust[0].placement->kind == Adjust::Placement::Kind::pack);
    CHECK(layers.load()->rules[0].adjust[0].placement->cpus == 2);
    with("spread( 3 )");
    CHECK(layers.load()->rules[0].adjust[0].placement->kind == Adjust::Placement::Kind::spread);
    for (const char* list : {"0-3,8", "\"0-3,8\"", "'\"0-3,8\"'"}) {
        with(list);
        const RulebookPtr book = layers.load();
        CHECK(book->rules[0].adjust[0].to->constant() == Value(CpuSet({0, 1, 2, 3, 8})));
    }
    for (const char* wrong : {"pack", "pack()", "pack(x)", "pack(1", "spread(-1)", "pack(99999)", "80%", "fd.used"}) {
        with(wrong);
        CHECK_FALSE(layers.error().empty());
    }
}

TEST_CASE("a sysctl takes a number, an expression, a text or several numbers") {
    const Layers layers;
    for (const char* to :
         {"net.core.somaxconn, to: 4096", "net.core.somaxconn, to: host.sysctl(\"net.core.somaxconn\") * 2",
          "net.ipv4.tcp_congestion_control, to: '\"bbr\"'", "net.ipv4.ip_local_port_range, to: 1024 65535"}) {
        INFO(to);
        layers.folder.write("etc/a.yaml",
                            "rules:\n  - {name: a, scope: host, when: host.swap.used > 5MiB, adjust: [{knob: sysctl." +
                                std::string(to) + "}]}\n");
        const RulebookPtr book = layers.load();
        CHECK(book->needs.sysctls.size() == 1);
    }
}

TEST_CASE("constants may leave the safe bounds only with adjust.unsafe") {
    Layers layers;
    layers.folder.write(
        "etc/a.yaml",
        "rules:\n  - {name: a, scope: process, when: fd.used > 5, adjust: [{knob: rlimit.nofile, to: 2000000}]}\n");
    CHECK(layers.error().find("2000000 is outside the safe bounds of 64 to 1048576") != std::string::npos);
    layers.sources.unsafe_bounds = true;
    CHECK(layers.error().empty());
}

TEST_CASE("two owners of a knob are no error where they may never meet or one yields") {
    const Layers layers;
    const std::string enforce = "    mode: enforce\n";
    const std::string targets = "targets:\n  x: {match: {exe: x}}\n  y: {match: {exe: y}}\n";
    layers.folder.write(
        "etc/a.yaml",
        rulebook(rule("one", enforce + "    targets: [x]\n") + rule("two", enforce + "    targets: [y]\n"), targets));
    CHECK(layers.error().empty());
    layers.folder.write("etc/a.yaml", rulebook(rule("one", enforce + "    targets: [x]\n") +
                                                   rule("two", enforce + "    targets: [y, x]\n"),
                                               targets));
    CHECK(layers.error().find("two owners") != std::string::npos);
    layers.folder.write("etc/a.yaml",
                        rulebook(rule("one", enforce) + rule("two", enforce + "    yields_to: [middle]\n") +
                                 rule("middle", "    yields_to: one\n")));
    CHECK(layers.error().empty());
    layers.folder.write("etc/a.yaml", rulebook(rule("one", enforce) + rule("two")));
    CHECK(layers.error().empty());
    layers.folder.write("packaged/p.yaml", rulebook(rule("packaged-one", enforce)));
    CHECK(layers.error().empty());
}

TEST_CASE("last-good is what was loaded, even after the files went wrong or away") {
    Layers layers;
    layers.folder.write("packaged/10.yaml", rulebook(rule("one")));
    layers.folder.write("packaged/20.yaml", rulebook(rule("masked")));
    layers.folder.write("etc/20.yaml", "");
    layers.folder.write("etc/30.yaml", rulebook(rule("two")));
    layers.folder.write("profiles/balanced.yaml", "overrides:\n  one: {mode: enforce}\n  masked: {mode: enforce}\n");
    layers.sources.profile = "balanced";
    layers.sources.files = {layers.folder.write("more/30-x.yaml", rulebook(rule("three")))};
    const RulebookPtr book = layers.load();
    const std::string directory = layers.folder.path("state/last-good");
    REQUIRE(save_last_good(layers.sources, *book, directory).has_value());
    layers.folder.write("etc/30.yaml", "broken: [");
    layers.folder.remove("packaged");
    const auto back = load_last_good(directory);
    REQUIRE(back.has_value());
    CHECK((*back)->sha256 == book->sha256);
    CHECK(names(**back) == names(*book));
    CHECK((*back)->find("one")->mode == Mode::enforce);
    CHECK((*back)->find("one")->mode_source == "profile balanced");
    CHECK((*back)->find("one")->packaged);
    CHECK((*back)->profile == "balanced");
}

TEST_CASE("saving last-good again replaces it and leaves nothing beside it") {
    const Layers layers;
    layers.folder.write("etc/10.yaml", rulebook(rule("one")));
    const std::string directory = layers.folder.path("state/last-good");
    REQUIRE(save_last_good(layers.sources, *layers.load(), directory).has_value());
    layers.folder.write("etc/10.yaml", rulebook(rule("two")));
    REQUIRE(save_last_good(layers.sources, *layers.load(), directory).has_value());
    CHECK(names(**load_last_good(directory)) == Names{"two"});
    const std::filesystem::directory_iterator state(layers.folder.path("state"));
    CHECK(std::distance(begin(state), end(state)) == 1);
}

TEST_CASE("files that changed after loading are not saved as last-good") {
    const Layers layers;
    layers.folder.write("etc/10.yaml", rulebook(rule("one")));
    const RulebookPtr book = layers.load();
    layers.folder.write("etc/10.yaml", rulebook(rule("other")));
    const Status saved = save_last_good(layers.sources, *book, layers.folder.path("last-good"));
    REQUIRE_FALSE(saved.has_value());
    CHECK(saved.error().what.find("changed since they were loaded") != std::string::npos);
}

TEST_CASE("a last-good that is missing, damaged or tampered with is refused with a reason") {
    const Layers layers;
    const std::string directory = layers.folder.path("last-good");
    const auto reason = [&] {
        const auto loaded = load_last_good(directory);
        return loaded ? std::string("loaded") : loaded.error().front().message;
    };
    CHECK(reason().find("No such file") != std::string::npos);
    layers.folder.write("etc/10.yaml", rulebook(rule("one")));
    REQUIRE(save_last_good(layers.sources, *layers.load(), directory).has_value());
    CHECK(reason() == "loaded");
    layers.folder.write("last-good/0", rulebook(rule("two")));
    CHECK(reason().find("do not match its manifest") != std::string::npos);
    layers.folder.remove("last-good/0");
    CHECK(reason().find("No such file") != std::string::npos);
    layers.folder.write("last-good/manifest", "gotuned last-good 1\nnonsense\n");
    CHECK(reason().find("damaged") != std::string::npos);
    layers.folder.write("last-good/manifest", "");
    CHECK(reason().find("another version") != std::string::npos);
}
