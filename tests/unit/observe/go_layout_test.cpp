#include "observe/go_layout.h"

#include <elf.h>

#include "catch.h"

using namespace gotuned;

TEST_CASE("a release that the table has is found by its version, whoever built it") {
    for (const char* version : {"go1.22", "go1.22.12", "go1.22.5 X:boringcrypto", "go1.22.9 (Red Hat 1.22.9-2.el9_5)",
                                "go1.22.5-fips", "go1.22.1+vendor X:strictfipsruntime,boringcrypto"}) {
        INFO(version);
        const auto layout = find_go_layout(version, EM_X86_64);
        REQUIRE(layout);
        CHECK((*layout)->minor == 22);
        CHECK((*layout)->machine == EM_X86_64);
    }
}

TEST_CASE("what is no known release is not guessed at") {
    for (const char* version : {"", "go", "go1", "go2.0", "go1.x", "go1.16.3", "go1.99.1", "go1.22rc1", "go1.22beta2",
                                "devel go1.23-0a6f05e30f", "go1.22.3 X:arenas", "go1.22.3 X:boringcrypto,rangecheck",
                                "go1.-22", "go1.22.", "go1.22x"}) {
        INFO(version);
        const auto layout = find_go_layout(version, EM_X86_64);
        REQUIRE_FALSE(layout);
        CHECK(layout.absent().reason == Absence::not_supported);
        CHECK_FALSE(layout.absent().detail.empty());
    }
    CHECK_FALSE(find_go_layout("go1.22.3", EM_386));
}

TEST_CASE("each release says where all that is needed lies, inside of its variables") {
    for (const GoLayout& layout : go_layouts()) {
        INFO(layout.minor << " on " << layout.machine);
        CHECK(layout.sched_free.in == GoVariable::sched);
        CHECK(layout.sched_system.in == GoVariable::sched);
        CHECK(layout.p_id.in == GoVariable::p);
        CHECK(layout.p_free.in == GoVariable::p);
        CHECK(layout.p_free.offset == layout.p_free_head.offset + 8);
        CHECK(layout.gc_count.in == GoVariable::memstats);
        CHECK(layout.gc_pauses.offset + 2048 <= layout.sizes.memstats);
        CHECK(layout.gc_time);
        CHECK(layout.heap_marked);
        CHECK(layout.heap_released);
        // From 1.19 on the heap's goal is reckoned from its parts.
        for (const GoPlace& part : {layout.percent_goal, layout.sweep_trigger, layout.triggered, layout.memory_limit,
                                    layout.mapped_ready, layout.heap_free, layout.total_alloc, layout.total_free}) {
            CHECK(static_cast<bool>(part) == !layout.next_gc);
            if (part) CHECK(part.offset + 8 <= layout.sizes.controller);
        }
    }
}

TEST_CASE("a runtime whose variables have other sizes was changed and is not read") {
    const GoLayout& layout = go_layouts().front();
    GoSymbols symbols;
    const auto size_of = [&symbols](GoSymbol symbol) -> std::uint64_t& {
        return symbols.places[static_cast<std::size_t>(symbol)].size;
    };
    size_of(GoSymbol::sched) = layout.sizes.sched;
    size_of(GoSymbol::memstats) = layout.sizes.memstats;
    size_of(GoSymbol::controller) = layout.sizes.controller;
    size_of(GoSymbol::work) = layout.sizes.work;
    CHECK(check_sizes(layout, symbols));
    size_of(GoSymbol::sched) += 8;
    const auto changed = check_sizes(layout, symbols);
    REQUIRE_FALSE(changed);
    CHECK(changed.absent().reason == Absence::not_supported);
}
