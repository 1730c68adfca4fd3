#include "discover/buildinfo.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "discover/elf_image.h"

namespace gotuned {
namespace {

constexpr std::string_view magic{"\xff Go buildinf:", 14};
constexpr std::size_t alignment = 16;
constexpr std::size_t header_size = 32;  // magic, pointer size, flags, two pointers or padding
constexpr std::uint8_t flag_big_endian = 1;
constexpr std::uint8_t flag_inline = 2;

// How far the magic is looked for. The section begins with it. In a segment it follows what the linker puts first: with
// cgo and PIE that is .data.rel.ro with the type and line tables, many MiB. A file that still names its sections has
// told that it holds no build information; it is searched only as far as an odd linker script would put it.
constexpr std::uint64_t section_search = 64U << 10U;
constexpr std::uint64_t named_search = 1U << 20U;
constexpr std::uint64_t stripped_search = 32U << 20U;

// A list of all modules is some 100 KiB in the largest programs; the main module stands in its first lines.
constexpr std::uint64_t max_module_info = 16U << 20U;
constexpr std::size_t sentinel = 16;  // at each end of the module information

/// Finds the aligned magic in a range. Truncation is no error here: what is not there is not found.
bool find_magic(const ByteSource& file, FileRange range, std::uint64_t limit, std::uint64_t& offset) {
    const std::uint64_t size = std::min(range.size, limit);
    if (range.offset > UINT64_MAX - size) return false;
    std::array<char, 16384> buffer;  // NOLINT: filled by read
    for (std::uint64_t done = 0; done < size; done += buffer.size()) {
        const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), size - done);
        const std::size_t got = file.read(range.offset + done, buffer.data(), wanted);
        for (std::size_t i = 0; i + magic.size() <= got; i += alignment) {
            if (std::memcmp(&buffer[i], magic.data(), magic.size()) == 0) {
                offset = range.offset + done + i;
                return true;
            }
        }
        if (got < wanted) return false;
    }
    return false;
}

/// A length as encoding/binary writes it, and how many bytes it took; 0 when it is cut or too long.
std::size_t decode_uvarint(const std::uint8_t* at, std::size_t size, std::uint64_t& value) {
    value = 0;
    for (std::size_t i = 0; i < size && i < 10; ++i) {
        if (i == 9 && at[i] > 1) return 0;
        value |= std::uint64_t{at[i] & 0x7FU} << (7 * i);
        if (at[i] < 0x80) return i + 1;
    }
    return 0;
}

/// "go1.22.3", "devel go1.23-0a6f05e30f Tue …": printable ASCII.
bool plausible_version(std::string_view version) {
    const auto printable = [](char c) { return c >= 0x20 && c < 0x7F; };
    return (version.starts_with("go") || version.starts_with("devel")) &&
           std::all_of(version.begin(), version.end(), printable);
}

BuildInfoOutcome read_version(const ByteSource& file, std::uint64_t offset, std::uint64_t size, BuildInfo& out) {
    if (size == 0 || size > decltype(out.version)::capacity) return BuildInfoOutcome::bad_build_info;
    if (file.read(offset, out.version.data(), size) < size) return BuildInfoOutcome::truncated;
    out.version.resize(size);
    if (plausible_version(out.version.view())) return BuildInfoOutcome::found;
    out.version.resize(0);
    return BuildInfoOutcome::bad_build_info;
}

/// The line "mod\t<path>\t<version>[\t<sum>]". What cannot be read leaves the module unknown: the version is what
/// matters.
void read_module(const ByteSource& file, std::uint64_t offset, std::uint64_t size, BuildInfo& out) {
    if (size < 2 * sentinel + 1 || size > max_module_info || offset > UINT64_MAX - size) return;
    char newline = 0;
    if (file.read(offset + size - sentinel - 1, &newline, 1) != 1 || newline != '\n') return;
    std::array<char, 4096> buffer;  // NOLINT: filled by read
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), size - 2 * sentinel);
    std::string_view text(buffer.data(), file.read(offset + sentinel, buffer.data(), wanted));
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return;  // a line that is cut says nothing
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (!line.starts_with("mod\t")) continue;
        line.remove_prefix(4);
        const std::string_view path = line.substr(0, line.find('\t'));
        if (path.size() > decltype(out.module)::capacity) return;
        std::copy(path.begin(), path.end(), out.module.data());
        out.module.resize(path.size());
        return;
    }
}

BuildInfoOutcome read_inline(const ByteSource& file, std::uint64_t offset, BuildInfo& out) {
    std::array<std::uint8_t, 10> bytes{};
    std::uint64_t size = 0;
    const auto length = [&] {
        const std::size_t got = file.read(offset, bytes.data(), bytes.size());
        const std::size_t used = decode_uvarint(bytes.data(), got, size);
        offset += used;
        return used > 0;
    };
    if (!length()) return BuildInfoOutcome::truncated;
    if (const auto read = read_version(file, offset, size, out); read != BuildInfoOutcome::found) return read;
    offset += size;
    if (length()) read_module(file, offset, size, out);
    return BuildInfoOutcome::found;
}

/// Before Go 1.18: two pointers to Go string headers (data pointer, length).
BuildInfoOutcome read_pointers(const ByteSource& file, const ElfImage& image, const std::uint8_t* header,
                               BuildInfo& out) {
    const std::size_t width = out.pointer_size;
    // The flag, not the ELF header, is what the linker wrote the pointers by; they agree in every real binary.
    const auto number = [&](const std::uint8_t* at) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < width; ++i) value = (value << 8U) | at[out.big_endian ? i : width - 1 - i];
        return value;
    };
    struct GoString {
        std::uint64_t offset = 0, size = 0;
    };
    const auto resolve = [&](const std::uint8_t* at, GoString& text) {
        std::uint64_t place = 0;
        std::array<std::uint8_t, 16> bytes{};
        if (!image.resolve(number(at), 2 * width, place)) return false;
        if (file.read(place, bytes.data(), 2 * width) < 2 * width) return false;
        text.size = number(&bytes[width]);
        return image.resolve(number(bytes.data()), text.size, text.offset);
    };
    GoString text;
    // In a PIE the loader fills these pointers in: the file says that this is Go, but not which version.
    if (!resolve(header + 16, text) || text.size == 0) return BuildInfoOutcome::found;
    if (const auto read = read_version(file, text.offset, text.size, out); read != BuildInfoOutcome::found) return read;
    if (resolve(header + 16 + width, text)) read_module(file, text.offset, text.size, out);
    return BuildInfoOutcome::found;
}

}  // namespace

std::size_t MemorySource::read(std::uint64_t offset, void* buffer, std::size_t size) const {
    if (offset >= bytes_.size()) return 0;
    const std::size_t take = std::min<std::uint64_t>(size, bytes_.size() - offset);
    std::memcpy(buffer, bytes_.data() + offset, take);
    return take;
}

std::size_t DescriptorSource::read(std::uint64_t offset, void* buffer, std::size_t size) const {
    std::size_t done = 0;
    while (done < size && offset <= static_cast<std::uint64_t>(INT64_MAX) - done) {
        const ssize_t got =
            ::pread(fd_, static_cast<char*>(buffer) + done, size - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

std::string_view describe(BuildInfoOutcome outcome) {
    switch (outcome) {
        case BuildInfoOutcome::found:
            return "a Go executable";
        case BuildInfoOutcome::not_elf:
            return "not an ELF file";
        case BuildInfoOutcome::no_build_info:
            return "no Go build information";
        case BuildInfoOutcome::packed:
            return "packed by UPX: not recognised";
        case BuildInfoOutcome::truncated:
            return "the file ends before what its headers promise";
        case BuildInfoOutcome::bad_header:
            return "an ELF header that no kernel would run";
        case BuildInfoOutcome::bad_build_info:
            return "Go build information that cannot be understood";
    }
    return "unknown";
}

BuildInfo read_build_info(const ByteSource& file) {
    BuildInfo out;
    ElfImage image;
    if (out.outcome = ElfImage::open(file, image); out.outcome != BuildInfoOutcome::found) return out;

    FileRange range;
    std::uint64_t offset = 0;
    bool found = image.find_section(".go.buildinfo", ".data.rel.ro.go.buildinfo", range) &&
                 find_magic(file, range, section_search, offset);
    std::uint64_t left = image.has_sections() ? named_search : stripped_search;  // in all segments together
    for (std::size_t next = 0; !found && left > 0 && image.next_data_segment(next, alignment, range);) {
        found = find_magic(file, range, left, offset);
        left -= std::min(left, range.size);
    }
    if (!found) {
        out.outcome = image.packed_by_upx() ? BuildInfoOutcome::packed : BuildInfoOutcome::no_build_info;
        return out;
    }

    std::array<std::uint8_t, header_size> header{};
    if (file.read(offset, header.data(), header.size()) < header.size()) {
        out.outcome = BuildInfoOutcome::truncated;
        return out;
    }
    out.pointer_size = header[14];
    out.big_endian = (header[15] & flag_big_endian) != 0;
    if (offset > UINT64_MAX - header_size) {
        out.outcome = BuildInfoOutcome::bad_build_info;
    } else if ((header[15] & flag_inline) != 0) {
        // The inline form leaves the pointer size at 0 or 8 on every machine, so the ELF class tells.
        out.pointer_size = image.wide() ? 8 : 4;
        out.big_endian = image.big_endian();
        out.outcome = read_inline(file, offset + header_size, out);
    } else if (out.pointer_size != 4 && out.pointer_size != 8) {
        out.outcome = BuildInfoOutcome::bad_build_info;
    } else {
        out.outcome = read_pointers(file, image, header.data(), out);
    }
    return out;
}

}  // namespace gotuned
