// sysfs.thp.NAME: transparent huge pages, for the whole host. Undoing never harms: pages that are huge stay so until
// they are split or freed.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>

#include "rulebook/knob_catalogue.h"
#include "tune/knob.h"
#include "tune/knob_family.h"
#include "tune/sysfs_setting.h"

namespace gotuned {
namespace {

constexpr std::string_view prefix = "sysfs.thp.";
/// What a huge page is of, and so the most that khugepaged can be told to fill, swap in or share.
constexpr std::string_view pages_of_huge_page = "sysfs.thp.khugepaged.max_ptes_";

class HugePageKnob final : public Knob {
public:
    explicit HugePageKnob(const KnobInfo& info) : info_(info) {}

    [[nodiscard]] KnobTraits traits() const override { return {.name = info_.name, .scope = Scope::host}; }

    [[nodiscard]] KnobAbility ability(const Roots& roots, const std::string& knob) const override {
        return setting_ability(path(roots), knob);
    }

    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override {
        const auto now = read_setting(path(at.roots), at.knob);
        if (!now) return fail(now.error());
        return now->state();
    }

    [[nodiscard]] Result<Fitted> fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const override {
        if (info_.takes == KnobInfo::Takes::word) {
            const auto now = read_setting(path(at.roots), at.knob);
            if (!now) return fail(now.error());
            return fit_word(*now, planned, info_.words, unsafe);
        }
        auto fitted = fit_quantity(planned, info_.least, info_.most, std::nullopt, most_pages(at), unsafe);
        if (!fitted) return fitted;
        auto& to = std::get<Quantity>(fitted->to);
        if (to.unlimited()) return fail(at.knob + " cannot be unlimited", EINVAL, "host");
        to.value = std::trunc(to.value);
        return fitted;
    }

    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState&, const Value& to) const override {
        const auto* const number = std::get_if<Quantity>(&to);
        const auto* const word = std::get_if<std::string>(&to);
        if (number == nullptr && word == nullptr) return fail(at.knob + " takes a number or a word", EINVAL, "host");
        const std::string text = word != nullptr ? *word : fmt::format("{:.0f}", number->value);
        if (auto put = write_setting(path(at.roots), at.knob, text); !put) return fail(put.error());
        auto held = read(at);
        if (!held) return fail(held.error());
        std::string note = held->detail == text ? "" : fmt::format("the kernel made {} of {}", held->detail, text);
        return Written{std::move(*held), std::move(note)};
    }

    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState&,
                                            Restore) const override {
        if (auto put = write_setting(path(at.roots), at.knob, original.detail); !put) return fail(put.error());
        return read(at);
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override { return UndoSafety{}; }
    [[nodiscard]] std::string describe(const KnobState& state) const override { return state.detail; }

private:
    [[nodiscard]] std::string path(const Roots& roots) const { return roots.sys + "/" + sysfs_file(info_.name); }

    /// Above it the kernel refuses the write.
    [[nodiscard]] std::optional<Limit> most_pages(const KnobAt& at) const {
        if (!info_.name.starts_with(pages_of_huge_page)) return std::nullopt;
        std::uint64_t huge = 0;
        const auto text = read_file(at.roots.sys + "/kernel/mm/transparent_hugepage/hpage_pmd_size");
        const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        if (!text || !parse_u64(*text, huge) || huge <= page) return std::nullopt;
        const std::uint64_t pages = huge / page;
        return Limit{static_cast<double>(pages - 1), fmt::format("a huge page has {} pages here", pages)};
    }

    const KnobInfo& info_;
};

std::vector<std::reference_wrapper<const KnobInfo>> rows() {
    std::vector<std::reference_wrapper<const KnobInfo>> found;
    for (const KnobInfo& info : knob_catalogue())
        if (info.name.starts_with(prefix)) found.emplace_back(info);
    return found;
}

}  // namespace

std::span<const Knob* const> huge_page_knobs() {
    static const KnobFamily<HugePageKnob, std::vector<std::reference_wrapper<const KnobInfo>>> family(rows());
    return family.table();
}

}  // namespace gotuned
