// Recognises a Go executable by its .go.buildinfo. Used in the confined inspector on a descriptor, and by tests and the
// fuzzer on memory. It never allocates and never trusts a number of the file: each offset and length is bounded, so
// hostile and truncated files give an outcome, in bounded time.
// Format: src/debug/buildinfo and src/cmd/link/internal/ld/data.go in the Go tree; ELF: elf(5).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gotuned {

/// Bytes of a file at an offset.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    /// Reads up to `size` bytes; returns how many there were: fewer at the end of the file or on an error.
    [[nodiscard]] virtual std::size_t read(std::uint64_t offset, void* buffer, std::size_t size) const = 0;
};

/// Bytes in memory (tests, fuzzing). The memory must outlive the source.
class MemorySource final : public ByteSource {
public:
    explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
    [[nodiscard]] std::size_t read(std::uint64_t offset, void* buffer, std::size_t size) const override;

private:
    std::string_view bytes_;
};

/// A file by pread(2); the descriptor is borrowed.
class DescriptorSource final : public ByteSource {
public:
    explicit DescriptorSource(int fd) : fd_(fd) {}
    [[nodiscard]] std::size_t read(std::uint64_t offset, void* buffer, std::size_t size) const override;

private:
    int fd_;
};

/// Text of bounded length inside the object itself.
template <std::size_t Capacity>
class FixedText {
public:
    static constexpr std::size_t capacity = Capacity;
    [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }
    [[nodiscard]] char* data() { return bytes_.data(); }
    /// `size` must not be above the capacity.
    void resize(std::size_t size) { size_ = size; }

private:
    std::array<char, Capacity> bytes_{};
    std::size_t size_ = 0;
};

enum class BuildInfoOutcome : std::uint8_t {
    found,
    not_elf,
    no_build_info,   ///< an ELF without it: not Go, or older than Go 1.13
    packed,          ///< compressed by UPX: what is inside can be seen in memory only
    truncated,       ///< the file ends before what it promises
    bad_header,      ///< class, byte order or table sizes that no kernel would run
    bad_build_info,  ///< the magic is there, what follows is not build information
};
/// For people: "the file ends before what its headers promise".
std::string_view describe(BuildInfoOutcome outcome);

struct BuildInfo {
    BuildInfoOutcome outcome = BuildInfoOutcome::not_elf;
    FixedText<128>
        version{};            ///< "go1.22.3"; empty when only the running program could resolve it (PIE before Go 1.18)
    FixedText<256> module{};  ///< main module path; empty when the file does not say
    std::uint8_t pointer_size = 8;
    bool big_endian = false;
};

BuildInfo read_build_info(const ByteSource& file);

}  // namespace gotuned
