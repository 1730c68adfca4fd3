// The little of ELF that buildinfo.cpp needs: program headers and one section by name, for both classes and both byte
// orders. Same promises as buildinfo.h: no allocation, everything bounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "discover/buildinfo.h"

namespace gotuned {

/// A range of the file. An end beyond the file is found out by reading.
struct FileRange {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

class ElfImage {
public:
    /// `found` when the headers can be used, else why not.
    static BuildInfoOutcome open(const ByteSource& file, ElfImage& out);

    [[nodiscard]] bool wide() const { return wide_; }  ///< 64 bit
    [[nodiscard]] bool big_endian() const { return big_endian_; }
    [[nodiscard]] std::uint16_t machine() const { return machine_; }  ///< e_machine
    [[nodiscard]] bool position_independent() const { return position_independent_; }
    [[nodiscard]] std::uint64_t entry() const { return entry_; }
    /// Has a section header table that can be walked (strip -s keeps it, sstrip and packers do not).
    [[nodiscard]] bool has_sections() const { return sections_ > 0; }
    /// False when there is no such section, or it holds nothing in the file. `a` and `b`: either name.
    bool find_section(std::string_view a, std::string_view b, FileRange& out) const;
    /// The symbol table that strip(1) takes away, and its names; false when there is none that can be used.
    bool find_symbols(FileRange& symbols, FileRange& names) const;
    /// The next PT_LOAD that is writable and not executable, where Go keeps its data; `from` goes on behind it. A PIE
    /// has two: what is read-only after relocation comes first.
    bool next_data_segment(std::size_t& from, std::uint64_t alignment, FileRange& out) const;
    /// Where `size` bytes at a virtual address lie in the file; false when no PT_LOAD holds them whole.
    bool resolve(std::uint64_t address, std::uint64_t size, std::uint64_t& offset) const;
    /// UPX leaves "UPX!" behind the program headers.
    [[nodiscard]] bool packed_by_upx() const;

    [[nodiscard]] std::uint64_t number(const std::uint8_t* at, std::size_t bytes) const;

private:
    struct Segment {
        std::uint64_t offset = 0, address = 0, size = 0;
        std::uint32_t flags = 0;
    };
    struct Section {
        std::uint32_t name = 0, type = 0;
        std::uint64_t offset = 0, size = 0;
        std::uint32_t link = 0;
        std::uint64_t entry = 0;  ///< size of an entry
    };

    BuildInfoOutcome read_segments(std::uint64_t offset, std::size_t entry, std::size_t count);
    bool read_section(std::uint64_t index, Section& out) const;
    [[nodiscard]] Section parse_section(const std::uint8_t* entry) const;
    void locate_sections(std::uint64_t offset, std::size_t entry, std::uint64_t count, std::uint32_t names);

    const ByteSource* file_ = nullptr;
    bool wide_ = true;  // 64 bit
    bool big_endian_ = false;
    bool position_independent_ = false;
    std::uint16_t machine_ = 0;
    std::uint64_t entry_ = 0;
    std::array<Segment, 64> loads_{};  // PT_LOADs; the kernel runs more, compilers make at most six
    std::size_t load_count_ = 0;
    std::uint64_t headers_end_ = 0;  // behind the program headers
    std::uint64_t section_offset_ = 0;
    std::uint64_t sections_ = 0;  // 0: none that can be used
    FileRange names_{};
};

}  // namespace gotuned
