#include "discover/buildinfo.h"

#include <fcntl.h>

#include "base/fd.h"
#include "catch.h"
#include "elf_builder.h"
#include "fake_proc.h"

using namespace gotuned;
using test::ElfBuilder;

namespace {

BuildInfo read(const std::string& bytes) { return read_build_info(MemorySource(bytes)); }

/// Counts what was read, so that "bounded" is a number.
class CountingSource final : public ByteSource {
public:
    explicit CountingSource(std::uint64_t size) : size_(size) {}
    std::string head{};
    mutable std::uint64_t bytes = 0;
    mutable std::uint64_t reads = 0;
    [[nodiscard]] std::size_t read(std::uint64_t offset, void* buffer, std::size_t size) const override {
        ++reads;
        if (offset >= size_) return 0;
        const std::size_t take = std::min<std::uint64_t>(size, size_ - offset);
        bytes += take;
        auto* out = static_cast<char*>(buffer);
        for (std::size_t i = 0; i < take; ++i) out[i] = offset + i < head.size() ? head[offset + i] : '\xff';
        return take;
    }

private:
    std::uint64_t size_;
};

void put(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

}  // namespace

TEST_CASE("a Go binary of every class, byte order and form is recognised, with sections and without") {
    for (const bool wide : {true, false}) {
        for (const bool big_endian : {true, false}) {
            for (const bool pointers : {true, false}) {
                for (const bool sections : {true, false}) {
                    ElfBuilder elf;
                    elf.wide = wide;
                    elf.big_endian = big_endian;
                    elf.pointers = pointers;
                    elf.sections = sections;
                    const BuildInfo info = read(elf.build());
                    INFO("wide " << wide << " big " << big_endian << " pointers " << pointers << " sections "
                                 << sections);
                    CHECK(info.outcome == BuildInfoOutcome::found);
                    CHECK(info.version.view() == "go1.22.3");
                    CHECK(info.module.view() == "example.com/payments");
                    CHECK(info.pointer_size == (wide ? 8 : 4));
                    CHECK(info.big_endian == big_endian);
                }
            }
        }
    }
}

TEST_CASE("a PIE's section name is recognised, even where the segment would not be searched") {
    ElfBuilder elf;
    elf.section_name = ".data.rel.ro.go.buildinfo";
    elf.data_flags = PF_R;
    CHECK(read(elf.build()).outcome == BuildInfoOutcome::found);
}

TEST_CASE("a stripped binary's build information is found behind megabytes of other data") {
    ElfBuilder elf;
    elf.sections = false;
    elf.padding = 9U << 20U;
    CHECK(read(elf.build()).version.view() == "go1.22.3");
}

TEST_CASE("the second writable segment is searched too: a PIE's first one holds what is read-only after relocation") {
    ElfBuilder elf;
    elf.sections = false;
    std::string bytes = elf.build();
    // The text segment, writable and not executable: it comes first and holds no build information.
    put(bytes, elf.header_size() + offsetof(Elf64_Phdr, p_flags), PF_R | PF_W, 4);
    CHECK(read(bytes).version.view() == "go1.22.3");
}

TEST_CASE("alignment is of the address, not of the place in the file") {
    ElfBuilder elf;
    elf.sections = false;
    std::string bytes = elf.build();
    // The segment begins 8 bytes earlier, as the C linker makes it; the build information stays at its address.
    put(bytes, elf.header_size() + elf.segment_size() + offsetof(Elf64_Phdr, p_offset), elf.data_offset() - 8, 8);
    put(bytes, elf.header_size() + elf.segment_size() + offsetof(Elf64_Phdr, p_vaddr), ElfBuilder::data_address - 8, 8);
    CHECK(read(bytes).version.view() == "go1.22.3");
}

TEST_CASE("an executable segment is not searched for data") {
    ElfBuilder elf;
    elf.sections = false;
    elf.data_flags = PF_R | PF_W | PF_X;
    CHECK(read(elf.build()).outcome == BuildInfoOutcome::no_build_info);
}

TEST_CASE("the magic counts only where it is aligned") {
    ElfBuilder elf;
    elf.sections = false;
    std::string bytes = elf.build();
    bytes.insert(elf.data_offset(), 8, 'x');
    CHECK(read(bytes).outcome == BuildInfoOutcome::no_build_info);
}

TEST_CASE("an ELF without build information is not Go") {
    ElfBuilder elf;
    elf.build_info = false;
    CHECK(read(elf.build()).outcome == BuildInfoOutcome::no_build_info);
    elf.sections = false;
    CHECK(read(elf.build()).outcome == BuildInfoOutcome::no_build_info);
}

TEST_CASE("what is no ELF is said to be none") {
    CHECK(read("").outcome == BuildInfoOutcome::not_elf);
    CHECK(read("#!/bin/sh\n").outcome == BuildInfoOutcome::not_elf);
    CHECK(read("\x7f"
               "EL")
              .outcome == BuildInfoOutcome::not_elf);
}

TEST_CASE("a binary packed by UPX is said to be so") {
    ElfBuilder elf;
    elf.build_info = false;
    elf.sections = false;
    std::string bytes = elf.build();
    bytes.replace(elf.header_size() + 2 * elf.segment_size() + 4, 4, "UPX!");
    CHECK(read(bytes).outcome == BuildInfoOutcome::packed);
}

TEST_CASE("pointers that the loader fills in leave the version unknown, but it is Go") {
    ElfBuilder elf;
    elf.pointers = true;
    elf.pointers_resolved = false;
    const BuildInfo info = read(elf.build());
    CHECK(info.outcome == BuildInfoOutcome::found);
    CHECK(info.version.view().empty());
}

TEST_CASE("a version that no linker writes is refused") {
    ElfBuilder elf;
    for (const std::string& version : {std::string("python3"), std::string("go1.2\n2"), std::string("go1\xff"),
                                       std::string(129, 'g'), std::string()}) {
        elf.version = version;
        const BuildInfo info = read(elf.build());
        CHECK(info.outcome == BuildInfoOutcome::bad_build_info);
        CHECK(info.version.view().empty());
    }
}

TEST_CASE("a development version is accepted with its words") {
    ElfBuilder elf;
    elf.version = "devel go1.23-0a6f05e30f Tue Feb 6 18:28:10 2024 +0000 X:nocoverageredesign";
    CHECK(read(elf.build()).version.view() == elf.version);
}

TEST_CASE("module information that is absent, cut or without its sentinel leaves the module unknown") {
    ElfBuilder elf;
    for (const std::string& module :
         {std::string(), std::string("path\tcommand-line-arguments\n"), std::string("mod\texample.com/x\tv1"),
          "mod\t" + std::string(300, 'm') + "\tv1\n"}) {
        elf.module = module;
        const BuildInfo info = read(elf.build());
        CHECK(info.outcome == BuildInfoOutcome::found);
        CHECK(info.version.view() == "go1.22.3");
        CHECK(info.module.view().empty());
    }
}

TEST_CASE("a file cut at any byte gives an outcome, and never a version it does not hold") {
    for (const bool wide : {true, false}) {
        for (const bool pointers : {true, false}) {
            ElfBuilder elf;
            elf.wide = wide;
            elf.pointers = pointers;
            const std::string whole = elf.build();
            for (std::size_t size = 0; size < whole.size(); ++size) {
                const BuildInfo info = read(whole.substr(0, size));
                const std::string_view version = info.version.view();
                if (info.outcome == BuildInfoOutcome::found) {
                    CHECK((version == "go1.22.3" || (pointers && version.empty())));
                } else {
                    CHECK(version.empty());
                }
                if (size < elf.header_size() + 2 * elf.segment_size()) CHECK(info.outcome != BuildInfoOutcome::found);
            }
        }
    }
}

TEST_CASE("any byte of the file may be any of the extremes") {
    for (const bool wide : {true, false}) {
        for (const bool pointers : {true, false}) {
            ElfBuilder elf;
            elf.wide = wide;
            elf.pointers = pointers;
            const std::string whole = elf.build();
            for (std::size_t at = 0; at < whole.size(); ++at) {
                for (const char value : {'\x00', '\x01', '\x7f', '\x80', '\xff'}) {
                    std::string changed = whole;
                    changed[at] = value;
                    const BuildInfo info = read(changed);
                    CHECK(info.version.view().size() <= 128);
                    CHECK(info.outcome <= BuildInfoOutcome::bad_build_info);
                }
            }
        }
    }
}

TEST_CASE("header tables that no kernel would run are refused") {
    const ElfBuilder elf;
    const std::string whole = elf.build();
    std::string bytes = whole;
    put(bytes, offsetof(Elf64_Ehdr, e_phentsize), 1, 2);
    CHECK(read(bytes).outcome == BuildInfoOutcome::bad_header);
    bytes = whole;
    put(bytes, offsetof(Elf64_Ehdr, e_phnum), 0xffff, 2);
    CHECK(read(bytes).outcome == BuildInfoOutcome::bad_header);
    bytes = whole;
    put(bytes, offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX - 8, 8);
    CHECK(read(bytes).outcome == BuildInfoOutcome::bad_header);
    bytes = whole;
    put(bytes, offsetof(Elf64_Ehdr, e_phoff), 1U << 30U, 8);
    CHECK(read(bytes).outcome == BuildInfoOutcome::truncated);
    bytes = whole;
    put(bytes, offsetof(Elf64_Ehdr, e_phnum), 0, 2);
    CHECK(read(bytes).outcome == BuildInfoOutcome::no_build_info);
    bytes = whole;
    bytes[EI_CLASS] = 7;
    CHECK(read(bytes).outcome == BuildInfoOutcome::bad_header);
}

TEST_CASE("a section table that lies is set aside for the segments") {
    const ElfBuilder elf;
    const std::string whole = elf.build();
    for (const auto& [field, value] :
         std::vector<std::pair<std::size_t, std::uint64_t>>{{offsetof(Elf64_Ehdr, e_shnum), 0xfffe},
                                                            {offsetof(Elf64_Ehdr, e_shentsize), 3},
                                                            {offsetof(Elf64_Ehdr, e_shstrndx), 2},
                                                            {offsetof(Elf64_Ehdr, e_shstrndx), 0x1234},
                                                            {offsetof(Elf64_Ehdr, e_shstrndx), SHN_XINDEX}}) {
        std::string bytes = whole;
        put(bytes, field, value, 2);
        CHECK(read(bytes).version.view() == "go1.22.3");
    }
    std::string bytes = whole;
    put(bytes, offsetof(Elf64_Ehdr, e_shoff), UINT64_MAX - 1, 8);
    CHECK(read(bytes).version.view() == "go1.22.3");
}

TEST_CASE("tables that overlap or point at themselves end") {
    ElfBuilder elf;
    elf.sections = false;
    std::string bytes = elf.build();
    put(bytes, offsetof(Elf64_Ehdr, e_phoff), 0, 8);  // the header as program headers
    CHECK(read(bytes).outcome == BuildInfoOutcome::no_build_info);
    elf.sections = true;
    bytes = elf.build();
    put(bytes, offsetof(Elf64_Ehdr, e_shoff), elf.header_size(), 8);  // program headers as sections
    CHECK(read(bytes).outcome <= BuildInfoOutcome::bad_build_info);
}

TEST_CASE("an endless file with greedy headers is read no further than the limits") {
    ElfBuilder elf;
    elf.sections = false;
    elf.build_info = false;
    CountingSource source(UINT64_MAX);
    source.head = elf.build().substr(0, elf.data_offset());
    put(source.head, elf.header_size() + elf.segment_size() + offsetof(Elf64_Phdr, p_filesz), UINT64_MAX / 2, 8);
    CHECK(read_build_info(source).outcome == BuildInfoOutcome::no_build_info);
    CHECK(source.bytes < (33U << 20U));
    CHECK(source.reads < 4096);
}

TEST_CASE("4,096 sections with names far apart cost a bounded number of reads") {
    ElfBuilder elf;
    CountingSource source(UINT64_MAX);
    source.head = elf.build();
    put(source.head, offsetof(Elf64_Ehdr, e_shnum), 4096, 2);
    (void)read_build_info(source);
    CHECK(source.reads < 10000);
    CHECK(source.bytes < (2U << 20U));
}

TEST_CASE("a length that claims more than the file is no version") {
    ElfBuilder elf;
    std::string bytes = elf.build();
    const std::size_t length = elf.data_offset() + 32;
    bytes.replace(length, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    CHECK(read(bytes).outcome == BuildInfoOutcome::bad_build_info);
    bytes.replace(length, 10, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");  // more than 64 bits
    CHECK(read(bytes).outcome == BuildInfoOutcome::truncated);
}

TEST_CASE("a descriptor is read as memory is") {
    const test::FakeProc tree;
    const Fd file(::open(tree.write("api", ElfBuilder{}.build()).c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(file.valid());
    CHECK(read_build_info(DescriptorSource(file.get())).version.view() == "go1.22.3");
    CHECK(read_build_info(DescriptorSource(-1)).outcome == BuildInfoOutcome::not_elf);
}
