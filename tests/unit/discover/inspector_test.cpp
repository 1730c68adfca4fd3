#include "discover/inspector.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "catch.h"
#include "elf_builder.h"
#include "fake_proc.h"

using namespace gotuned;
using namespace std::chrono_literals;
using Kind = Recognition::Kind;
using test::ElfBuilder;

namespace {

struct Asked {
    test::FakeProc tree;
    std::unique_ptr<Inspector> inspector;
    MonoTime now{1h};

    explicit Asked(const Inspector::Options& options = {}) : inspector(std::move(*Inspector::make(options))) {}
    Fd file(const std::string& content) {
        return Fd(::open(tree.write("file", content).c_str(), O_RDONLY | O_CLOEXEC));
    }
    Fd go() { return file(ElfBuilder{}.build()); }
    std::vector<Inspector::Answer> wait(std::size_t count) {
        std::vector<Inspector::Answer> all;
        while (all.size() < count) {
            pollfd ready{inspector->fd(), POLLIN, 0};
            REQUIRE(::poll(&ready, 1, 20000) == 1);
            for (auto& answer : inspector->collect()) all.push_back(std::move(answer));
        }
        return all;
    }
    /// A child that is up and confined.
    pid_t warm_up() {
        REQUIRE(inspector->ask(1, go()));
        (void)wait(1);
        return inspector->child();
    }
};

bool runs(pid_t pid) { return ::kill(pid, 0) == 0; }

}  // namespace

TEST_CASE("a Go file, another and a broken one are answered in the order of asking") {
    Asked a;
    REQUIRE(a.inspector->ask(7, a.go()));
    a.tree.remove("file");
    REQUIRE(a.inspector->ask(8, a.file("#!/bin/sh\n")));
    a.tree.remove("file");
    REQUIRE(a.inspector->ask(9, a.file(ElfBuilder{}.build().substr(0, 70))));
    const auto answers = a.wait(3);
    REQUIRE(answers.size() == 3);
    CHECK(answers[0].id == 7);
    CHECK(answers[0].recognition.kind == Kind::go);
    CHECK(answers[0].recognition.build.version == "go1.22.3");
    CHECK(answers[0].recognition.build.module == "example.com/payments");
    CHECK(answers[1].recognition.kind == Kind::not_go);
    CHECK(answers[1].recognition.reason == "not an ELF file");
    CHECK(answers[2].recognition.kind == Kind::failed);
    CHECK(a.inspector->idle());
    CHECK(a.inspector->killed() == 0);
}

TEST_CASE("no child runs before the first question, and one child answers many") {
    Asked a;
    CHECK(a.inspector->child() == 0);
    const pid_t child = a.warm_up();
    CHECK(child > 0);
    CHECK(a.warm_up() == child);
}

TEST_CASE("a child is retired after its number of answers") {
    Inspector::Options options;
    options.answers = 2;
    Asked a(options);
    const pid_t first = a.warm_up();
    CHECK(a.warm_up() == first);
    CHECK(a.warm_up() != first);
}

TEST_CASE("an idle child is retired by the tick, a new one is started for the next question") {
    Inspector::Options options;
    options.idle = 5s;
    Asked a(options);
    const pid_t child = a.warm_up();
    CHECK(a.inspector->tick(a.now).empty());
    CHECK(a.inspector->tick(a.now + 4s).empty());
    CHECK(a.inspector->child() == child);
    CHECK(a.inspector->tick(a.now + 6s).empty());
    CHECK(a.inspector->child() == 0);
    CHECK(a.warm_up() > 0);
    CHECK(a.inspector->killed() == 0);
}

TEST_CASE("a descriptor that is no regular file is not read") {
    Asked a;
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const Fd other(ends[1]);
    REQUIRE(a.inspector->ask(1, Fd(ends[0])));
    CHECK(a.wait(1)[0].recognition.kind == Kind::not_go);
}

TEST_CASE("a child that dies is replaced: what it was at has failed, the rest is answered") {
    Asked a;
    const pid_t child = a.warm_up();
    REQUIRE(::kill(child, SIGSTOP) == 0);
    REQUIRE(a.inspector->ask(10, a.go()));
    REQUIRE(a.inspector->ask(11, a.go()));
    REQUIRE(a.inspector->ask(12, a.go()));
    REQUIRE(::kill(child, SIGKILL) == 0);
    const auto answers = a.wait(3);
    CHECK(answers[0].id == 10);
    CHECK(answers[0].recognition.kind == Kind::failed);
    CHECK(answers[1].recognition.kind == Kind::go);
    CHECK(answers[2].recognition.kind == Kind::go);
    CHECK(a.inspector->killed() == 1);
}

TEST_CASE("a child that does not answer is killed at its deadline, not before") {
    Inspector::Options options;
    options.deadline = 2s;
    Asked a(options);
    const pid_t child = a.warm_up();
    REQUIRE(::kill(child, SIGSTOP) == 0);
    REQUIRE(a.inspector->ask(10, a.go()));
    CHECK(a.inspector->tick(a.now).empty());
    CHECK(a.inspector->tick(a.now + 1999ms).empty());
    const auto answers = a.inspector->tick(a.now + 2s);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].recognition.kind == Kind::failed);
    CHECK(a.inspector->child() == 0);
    CHECK(a.inspector->idle());
    CHECK(a.warm_up() > 0);
}

TEST_CASE("an answer starts the deadline of the next question anew") {
    Inspector::Options options;
    options.deadline = 2s;
    Asked a(options);
    const pid_t child = a.warm_up();
    REQUIRE(a.inspector->ask(10, a.go()));
    (void)a.inspector->tick(a.now);
    if (!a.inspector->idle()) (void)a.wait(1);
    REQUIRE(::kill(child, SIGSTOP) == 0);
    REQUIRE(a.inspector->ask(11, a.go()));
    CHECK(a.inspector->tick(a.now + 2s).empty());
    CHECK(a.inspector->tick(a.now + 4s).size() == 1);
}

TEST_CASE("the inspector's end is its child's end") {
    pid_t child = 0;
    {
        Asked a;
        child = a.warm_up();
        CHECK(runs(child));
    }
    CHECK_FALSE(runs(child));
}

TEST_CASE("a file of the largest sizes a header can claim is answered within the child's limits") {
    Asked a;
    ElfBuilder elf;
    elf.sections = false;
    elf.build_info = false;
    std::string header = elf.build();
    for (std::size_t i = 0; i < 8; ++i) {
        header[elf.header_size() + elf.segment_size() + offsetof(Elf64_Phdr, p_filesz) + i] = '\x7f';
    }
    Fd file = a.file(header);
    const std::string path = a.tree.path("file");
    REQUIRE(::truncate(path.c_str(), off_t{1} << 40U) == 0);  // sparse
    REQUIRE(a.inspector->ask(1, std::move(file)));
    CHECK(a.wait(1)[0].recognition.kind == Kind::not_go);
    CHECK(a.inspector->killed() == 0);
}

TEST_CASE("children are forked safely beside threads that allocate without pause") {
    Inspector::Options options;
    options.answers = 1;  // a fork a question
    Asked a(options);
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        while (!stop) std::string(100000, 'x').append(1, 'y');
    });
    int answered = 0;
    for (int i = 0; i < 50; ++i) {
        if (!a.inspector->ask(static_cast<std::uint64_t>(i), a.go())) break;
        const auto answers = a.wait(1);
        answered += answers[0].recognition.kind == Kind::go ? 1 : 0;
    }
    stop = true;
    busy.join();
    CHECK(answered == 50);
}
