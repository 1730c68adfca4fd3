#include "discover/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace gotuned {
namespace {

// The kernel itself refuses program headers of more than 64 KiB (fs/binfmt_elf.c, load_elf_phdrs).
constexpr std::size_t max_segments = 65536 / sizeof(Elf32_Phdr);
// Executables have some dozens; a file with more is searched by its segments.
constexpr std::uint64_t max_sections = 4096;
constexpr std::size_t chunk = 4096;

// Field offsets of the two classes (elf(5)), since a foreign byte order forbids laying a struct over the bytes.
struct Layout {
    std::size_t header, e_entry, e_phoff, e_shoff, word, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx;
    std::size_t phdr, p_flags, p_offset, p_vaddr, p_filesz;
    std::size_t shdr, sh_offset, sh_size, sh_link, sh_entsize;
};
constexpr Layout narrow_layout{sizeof(Elf32_Ehdr),
                               offsetof(Elf32_Ehdr, e_entry),
                               offsetof(Elf32_Ehdr, e_phoff),
                               offsetof(Elf32_Ehdr, e_shoff),
                               4,
                               offsetof(Elf32_Ehdr, e_phentsize),
                               offsetof(Elf32_Ehdr, e_phnum),
                               offsetof(Elf32_Ehdr, e_shentsize),
                               offsetof(Elf32_Ehdr, e_shnum),
                               offsetof(Elf32_Ehdr, e_shstrndx),
                               sizeof(Elf32_Phdr),
                               offsetof(Elf32_Phdr, p_flags),
                               offsetof(Elf32_Phdr, p_offset),
                               offsetof(Elf32_Phdr, p_vaddr),
                               offsetof(Elf32_Phdr, p_filesz),
                               sizeof(Elf32_Shdr),
                               offsetof(Elf32_Shdr, sh_offset),
                               offsetof(Elf32_Shdr, sh_size),
                               offsetof(Elf32_Shdr, sh_link),
                               offsetof(Elf32_Shdr, sh_entsize)};
constexpr Layout wide_layout{sizeof(Elf64_Ehdr),
                             offsetof(Elf64_Ehdr, e_entry),
                             offsetof(Elf64_Ehdr, e_phoff),
                             offsetof(Elf64_Ehdr, e_shoff),
                             8,
                             offsetof(Elf64_Ehdr, e_phentsize),
                             offsetof(Elf64_Ehdr, e_phnum),
                             offsetof(Elf64_Ehdr, e_shentsize),
                             offsetof(Elf64_Ehdr, e_shnum),
                             offsetof(Elf64_Ehdr, e_shstrndx),
                             sizeof(Elf64_Phdr),
                             offsetof(Elf64_Phdr, p_flags),
                             offsetof(Elf64_Phdr, p_offset),
                             offsetof(Elf64_Phdr, p_vaddr),
                             offsetof(Elf64_Phdr, p_filesz),
                             sizeof(Elf64_Shdr),
                             offsetof(Elf64_Shdr, sh_offset),
                             offsetof(Elf64_Shdr, sh_size),
                             offsetof(Elf64_Shdr, sh_link),
                             offsetof(Elf64_Shdr, sh_entsize)};
const Layout& layout(bool wide) { return wide ? wide_layout : narrow_layout; }

}  // namespace

std::uint64_t ElfImage::number(const std::uint8_t* at, std::size_t bytes) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = (value << 8U) | at[big_endian_ ? i : bytes - 1 - i];
    return value;
}

BuildInfoOutcome ElfImage::open(const ByteSource& file, ElfImage& out) {
    out = ElfImage{};
    out.file_ = &file;
    std::array<std::uint8_t, sizeof(Elf64_Ehdr)> header{};
    const std::size_t got = file.read(0, header.data(), header.size());
    if (got < SELFMAG || std::memcmp(header.data(), ELFMAG, SELFMAG) != 0) return BuildInfoOutcome::not_elf;
    if (got < EI_NIDENT) return BuildInfoOutcome::truncated;
    const std::uint8_t width = header[EI_CLASS];
    const std::uint8_t order = header[EI_DATA];
    if ((width != ELFCLASS32 && width != ELFCLASS64) || (order != ELFDATA2LSB && order != ELFDATA2MSB)) {
        return BuildInfoOutcome::bad_header;
    }
    out.wide_ = width == ELFCLASS64;
    out.big_endian_ = order == ELFDATA2MSB;
    const Layout& at = layout(out.wide_);
    if (got < at.header) return BuildInfoOutcome::truncated;
    // The same places in both classes.
    out.position_independent_ = out.number(&header[offsetof(Elf64_Ehdr, e_type)], 2) == ET_DYN;
    out.machine_ = static_cast<std::uint16_t>(out.number(&header[offsetof(Elf64_Ehdr, e_machine)], 2));
    out.entry_ = out.number(&header[at.e_entry], at.word);
    const auto half = [&](std::size_t field) { return static_cast<std::uint32_t>(out.number(&header[field], 2)); };
    if (const auto read =
            out.read_segments(out.number(&header[at.e_phoff], at.word), half(at.e_phentsize), half(at.e_phnum));
        read != BuildInfoOutcome::found) {
        return read;
    }
    out.locate_sections(out.number(&header[at.e_shoff], at.word), half(at.e_shentsize), half(at.e_shnum),
                        half(at.e_shstrndx));
    return BuildInfoOutcome::found;
}

BuildInfoOutcome ElfImage::read_segments(std::uint64_t offset, std::size_t entry, std::size_t count) {
    const Layout& at = layout(wide_);
    if (count == 0) return BuildInfoOutcome::no_build_info;
    // The kernel runs nothing else (load_elf_phdrs).
    if (entry != at.phdr || count > max_segments || offset > UINT64_MAX - count * entry)
        return BuildInfoOutcome::bad_header;
    headers_end_ = offset + count * entry;
    std::array<std::uint8_t, chunk> buffer;  // NOLINT: filled by read
    const std::size_t at_once = chunk / entry;
    for (std::size_t first = 0; first < count; first += at_once) {
        const std::size_t now = std::min(at_once, count - first);
        if (file_->read(offset + first * entry, buffer.data(), now * entry) < now * entry)
            return BuildInfoOutcome::truncated;
        for (std::size_t i = 0; i < now && load_count_ < loads_.size(); ++i) {
            const std::uint8_t* one = &buffer[i * entry];
            if (number(one, 4) != PT_LOAD) continue;
            loads_[load_count_++] = {number(one + at.p_offset, at.word), number(one + at.p_vaddr, at.word),
                                     number(one + at.p_filesz, at.word),
                                     static_cast<std::uint32_t>(number(one + at.p_flags, 4))};
        }
    }
    return BuildInfoOutcome::found;
}

ElfImage::Section ElfImage::parse_section(const std::uint8_t* entry) const {
    const Layout& at = layout(wide_);
    return {static_cast<std::uint32_t>(number(entry, 4)),
            static_cast<std::uint32_t>(number(entry + 4, 4)),
            number(entry + at.sh_offset, at.word),
            number(entry + at.sh_size, at.word),
            static_cast<std::uint32_t>(number(entry + at.sh_link, 4)),
            number(entry + at.sh_entsize, at.word)};
}

bool ElfImage::read_section(std::uint64_t index, Section& out) const {
    const Layout& at = layout(wide_);
    std::array<std::uint8_t, sizeof(Elf64_Shdr)> entry{};
    if (section_offset_ > UINT64_MAX - (index + 1) * at.shdr) return false;
    if (file_->read(section_offset_ + index * at.shdr, entry.data(), at.shdr) < at.shdr) return false;
    out = parse_section(entry.data());
    return true;
}

/// Leaves sections_ at 0 when the table cannot be used: the segments, which the kernel itself reads, decide then.
void ElfImage::locate_sections(std::uint64_t offset, std::size_t entry, std::uint64_t count, std::uint32_t names) {
    const Layout& at = layout(wide_);
    section_offset_ = offset;
    if (offset == 0 || entry != at.shdr) return;
    Section section;
    if (count == 0 || names == SHN_XINDEX) {  // too many for the header's fields: the first section tells (elf(5))
        if (!read_section(0, section)) return;
        if (count == 0) count = section.size;
        if (names == SHN_XINDEX) names = section.link;
    }
    if (count == 0 || count > max_sections || names >= count || !read_section(names, section)) return;
    if (section.type == SHT_NOBITS || section.size == 0) return;
    names_ = {section.offset, section.size};
    sections_ = count;
}

bool ElfImage::find_section(std::string_view a, std::string_view b, FileRange& out) const {
    if (sections_ == 0) return false;
    const Layout& at = layout(wide_);
    std::array<std::uint8_t, chunk> entries;  // NOLINT: filled by read
    std::array<char, chunk> names;            // NOLINT: filled by read
    const std::size_t cached = file_->read(names_.offset, names.data(), std::min<std::uint64_t>(chunk, names_.size));
    const auto named = [&](std::uint32_t name, std::string_view wanted) {
        const std::size_t size = wanted.size() + 1;  // with the NUL at its end
        if (name >= names_.size || names_.size - name < size) return false;
        if (name + size <= cached) return std::memcmp(&names[name], wanted.data(), size) == 0;
        std::array<char, 64> far{};
        if (size > far.size() || names_.offset > UINT64_MAX - name) return false;
        return file_->read(names_.offset + name, far.data(), size) == size &&
               std::memcmp(far.data(), wanted.data(), size) == 0;
    };
    const std::size_t at_once = chunk / at.shdr;
    for (std::uint64_t first = 0; first < sections_; first += at_once) {
        const std::size_t wanted = std::min<std::uint64_t>(at_once, sections_ - first) * at.shdr;
        const std::size_t got = file_->read(section_offset_ + first * at.shdr, entries.data(), wanted);
        for (std::size_t i = 0; (i + 1) * at.shdr <= got; ++i) {
            const Section section = parse_section(&entries[i * at.shdr]);
            if (section.type == SHT_NOBITS || section.type == SHT_NULL || section.size == 0) continue;
            if (!named(section.name, a) && !named(section.name, b)) continue;
            out = {section.offset, section.size};
            return true;
        }
        if (got < wanted) return false;
    }
    return false;
}

bool ElfImage::find_symbols(FileRange& symbols, FileRange& names) const {
    for (std::uint64_t i = 1; i < sections_; ++i) {
        Section section;
        if (!read_section(i, section)) return false;
        if (section.type != SHT_SYMTAB) continue;  // there is one at most (elf(5))
        Section texts;
        if (section.entry != (wide_ ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym)) || section.link >= sections_ ||
            !read_section(section.link, texts) || texts.type != SHT_STRTAB) {
            return false;
        }
        symbols = {section.offset, section.size};
        names = {texts.offset, texts.size};
        return true;
    }
    return false;
}

bool ElfImage::next_data_segment(std::size_t& from, std::uint64_t alignment, FileRange& out) const {
    while (from < load_count_) {
        const Segment& load = loads_[from++];
        if ((load.flags & (PF_W | PF_X)) != PF_W) continue;
        // The C linker begins a segment anywhere; what is aligned in memory is aligned by its address.
        const std::uint64_t skip = (alignment - load.address % alignment) % alignment;
        if (skip >= load.size || load.offset > UINT64_MAX - skip) continue;
        out = {load.offset + skip, load.size - skip};
        return true;
    }
    return false;
}

bool ElfImage::resolve(std::uint64_t address, std::uint64_t size, std::uint64_t& offset) const {
    for (std::size_t i = 0; i < load_count_; ++i) {
        const Segment& load = loads_[i];
        if (address < load.address) continue;
        const std::uint64_t inside = address - load.address;
        if (inside > load.size || load.size - inside < size || load.offset > UINT64_MAX - inside) continue;
        offset = load.offset + inside;
        return true;
    }
    return false;
}

bool ElfImage::packed_by_upx() const {
    std::array<char, 64> behind{};
    const std::size_t got = file_->read(headers_end_, behind.data(), behind.size());
    return std::string_view(behind.data(), got).find("UPX!") != std::string_view::npos;
}

}  // namespace gotuned
