// Makes small ELF files in memory, well-formed unless a test asks otherwise: both classes, both byte orders, both forms
// of Go build information.
#pragma once

#include <elf.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gotuned::test {

struct ElfBuilder {
    bool wide = true;
    bool big_endian = false;
    bool sections = true;
    std::string section_name = ".go.buildinfo";
    std::string version = "go1.22.3";
    std::string module = "path\texample.com/payments/cmd/api\nmod\texample.com/payments\tv1.2.3\th1:abc=\n";
    bool pointers = false;          // the form before Go 1.18
    bool pointers_resolved = true;  // false: as in a PIE, which the loader fills in
    bool build_info = true;
    std::size_t padding =
        0;  // between the beginning of the data segment and the build information; made a multiple of 16
    std::uint32_t data_flags = PF_R | PF_W;
    struct Symbol {
        std::string name{};
        std::uint64_t address = 0, size = 8;
    };
    std::vector<Symbol> symbols{};  // with sections only; none: stripped
    bool share_name_ends = false;   // one text may be the end of another, as C linkers do it
    std::uint16_t type = ET_EXEC;

    static constexpr std::uint64_t data_address = 0x500000;

    [[nodiscard]] std::string number(std::uint64_t value, std::size_t bytes) const {
        std::string out(bytes, '\0');
        for (std::size_t i = 0; i < bytes; ++i)
            out[big_endian ? bytes - 1 - i : i] = static_cast<char>(value >> (8 * i));
        return out;
    }
    [[nodiscard]] std::size_t word() const { return wide ? 8 : 4; }
    [[nodiscard]] std::size_t header_size() const { return wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr); }
    [[nodiscard]] std::size_t segment_size() const { return wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr); }
    [[nodiscard]] std::size_t section_size() const { return wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr); }
    /// Two program headers, then data at the next multiple of 16.
    [[nodiscard]] std::size_t data_offset() const { return (header_size() + 2 * segment_size() + 15) / 16 * 16; }

    [[nodiscard]] static std::string uvarint(std::uint64_t value) {
        std::string out;
        for (; value >= 0x80; value >>= 7U) out += static_cast<char>(value | 0x80U);
        return out + static_cast<char>(value);
    }
    [[nodiscard]] std::string module_info() const { return std::string(16, '0') + module + std::string(16, '1'); }
    /// What stands in the data segment behind the padding.
    [[nodiscard]] std::string info(std::uint64_t address) const {
        std::string out = std::string("\xff Go buildinf:") + static_cast<char>(word());
        out += static_cast<char>((big_endian ? 1 : 0) | (pointers ? 0 : 2));
        if (!pointers)
            return out + std::string(16, '\0') + uvarint(version.size()) + version + uvarint(module_info().size()) +
                   module_info();
        const std::uint64_t version_header = address + 32;
        const std::uint64_t module_header = version_header + 2 * word();
        const std::uint64_t texts = module_header + 2 * word();
        const std::uint64_t known = pointers_resolved ? 1 : 0;
        out += number(version_header * known, word()) + number(module_header * known, word());
        out.resize(32, '\0');
        out += number(texts * known, word()) + number(version.size(), word());
        out += number((texts + version.size()) * known, word()) + number(module_info().size(), word());
        return out + version + module_info();
    }
    [[nodiscard]] std::string segment(std::uint32_t flags, std::uint64_t offset, std::uint64_t address,
                                      std::uint64_t size) const {
        const std::string common = number(offset, word()) + number(address, word()) + number(address, word()) +
                                   number(size, word()) + number(size, word());
        if (wide) return number(PT_LOAD, 4) + number(flags, 4) + common + number(0x1000, 8);
        return number(PT_LOAD, 4) + common + number(flags, 4) + number(0x1000, 4);
    }
    [[nodiscard]] std::string section(std::uint32_t name, std::uint32_t kind, std::uint64_t offset, std::uint64_t size,
                                      std::uint32_t link = 0, std::uint64_t entry = 0) const {
        return number(name, 4) + number(kind, 4) + number(0, word()) + number(0, word()) + number(offset, word()) +
               number(size, word()) + number(link, 4) + number(0, 4) + number(16, word()) + number(entry, word());
    }
    [[nodiscard]] std::string symbol(std::size_t name, const Symbol& one) const {
        const std::string kind = number(STT_OBJECT, 1) + number(0, 1) + number(2, 2);
        if (wide) return number(name, 4) + kind + number(one.address, 8) + number(one.size, 8);
        return number(name, 4) + number(one.address, 4) + number(one.size, 4) + kind;
    }
    [[nodiscard]] std::size_t symbol_size() const { return wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym); }

    [[nodiscard]] std::string build() const {
        const std::size_t skipped = (padding + 15) / 16 * 16;
        std::string data(skipped, 'x');
        const std::string information = build_info ? info(data_address + skipped) : std::string(64, 'y');
        data += information;
        const std::size_t names_offset = data_offset() + data.size();
        const std::string names = '\0' + std::string(".shstrtab") + '\0' + section_name + '\0';
        std::string texts(1, '\0');
        std::string table = symbol(0, {{}, 0, 0});
        for (const Symbol& one : symbols) {
            std::size_t at = share_name_ends ? texts.find(one.name + '\0') : std::string::npos;
            if (at == std::string::npos) {
                at = texts.size();
                texts += one.name + '\0';
            }
            table += symbol(at, one);
        }
        const std::size_t texts_offset = names_offset + names.size();
        const std::size_t table_offset = texts_offset + texts.size();
        const std::size_t sections_offset = (table_offset + table.size() + 15) / 16 * 16;
        const bool named = sections && build_info;

        std::string out = std::string(ELFMAG) + static_cast<char>(wide ? ELFCLASS64 : ELFCLASS32) +
                          static_cast<char>(big_endian ? ELFDATA2MSB : ELFDATA2LSB) + static_cast<char>(EV_CURRENT);
        out.resize(EI_NIDENT, '\0');
        out += number(type, 2) + number(EM_X86_64, 2) + number(EV_CURRENT, 4);
        out +=
            number(0x400000, word()) + number(header_size(), word()) + number(sections ? sections_offset : 0, word());
        out += number(0, 4) + number(header_size(), 2) + number(segment_size(), 2) + number(2, 2);
        out += number(sections ? section_size() : 0, 2) +
               number(sections ? (named ? 3 : 2) + (symbols.empty() ? 0U : 2U) : 0, 2) + number(sections ? 1 : 0, 2);
        out += segment(PF_R | PF_X, 0, 0x400000, data_offset());
        out += segment(data_flags, data_offset(), data_address, data.size());
        out.resize(data_offset(), '\0');
        out += data;
        if (!sections) return out;
        out += names + texts + table;
        out.resize(sections_offset, '\0');
        out += section(0, SHT_NULL, 0, 0) + section(1, SHT_STRTAB, names_offset, names.size());
        if (named) out += section(11, SHT_PROGBITS, data_offset() + skipped, information.size());
        if (symbols.empty()) return out;
        const std::uint32_t index = named ? 3 : 2;
        return out + section(0, SHT_STRTAB, texts_offset, texts.size()) +
               section(0, SHT_SYMTAB, table_offset, table.size(), index, symbol_size());
    }
};

}  // namespace gotuned::test
