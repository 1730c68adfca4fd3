#include "observe/signal_table.h"

#include <algorithm>

namespace gotuned {
namespace {

template <typename T>
const T& object_of(const std::shared_ptr<const void>& object) {
    return *static_cast<const T*>(object.get());
}

constexpr auto before = [](const auto& entry, std::uint16_t signal) { return entry.signal < signal; };

}  // namespace

const SignalTable::Entry* SignalTable::find(Signal id) const {
    const auto number = static_cast<std::uint16_t>(id);
    if (entries_.empty() || number < entries_.front().signal) return nullptr;
    // A whole table has each signal of its scope, one after the other.
    const std::size_t place = number - entries_.front().signal;
    if (place < entries_.size() && entries_[place].signal == number) return &entries_[place];
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), number, before);
    return at != entries_.end() && at->signal == number ? &*at : nullptr;
}

bool SignalTable::same(const Entry& mine, const SignalTable& other, const Entry& theirs) const {
    if (mine.kind != theirs.kind || mine.reason != theirs.reason) return false;
    const auto exposure_of = [](const SignalTable& table, const Entry& entry) {
        return entry.exposure == 0 ? Exposure{} : table.exposures_[entry.exposure - 1U];
    };
    if (exposure_of(*this, mine) != exposure_of(other, theirs)) return false;
    switch (mine.kind) {
        case Kind::absent:
            return true;
        case Kind::quantity:
            return mine.unit == theirs.unit && mine.number == theirs.number;
        case Kind::absent_with_detail:
        case Kind::text:
            return object_of<std::string>(objects_[mine.object]) ==
                   object_of<std::string>(other.objects_[theirs.object]);
        case Kind::cpus:
        case Kind::distribution:
            return objects_[mine.object] == other.objects_[theirs.object];
    }
    return false;
}

void SignalTable::set(Signal id, const SignalReading& reading) {
    const auto number = static_cast<std::uint16_t>(id);
    if (entries_.empty() || entries_.back().signal < number) {  // the usual case: readers fill in this order
        entries_.push_back(pack(id, reading));
        return;
    }
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), number, before);
    const Entry entry = pack(id, reading);
    if (at != entries_.end() && at->signal == number)
        *at = entry;
    else
        entries_.insert(at, entry);
}

SignalReading SignalTable::get(Signal id) const {
    const Entry* entry = find(id);
    return entry == nullptr ? SignalReading{} : unpack(*entry);
}

std::uint8_t SignalTable::exposure(const Exposure& of) {
    if (of == Exposure{}) return 0;
    auto at = std::find(exposures_.begin(), exposures_.end(), of);
    if (at == exposures_.end()) at = exposures_.insert(at, of);
    return static_cast<std::uint8_t>(at - exposures_.begin() + 1);
}

/// Signals that are absent for the same reason share its text.
std::uint64_t SignalTable::text(const std::string& of) {
    for (const Entry& entry : entries_)
        if ((entry.kind == Kind::absent_with_detail || entry.kind == Kind::text) &&
            object_of<std::string>(objects_[entry.object]) == of)
            return entry.object;
    objects_.push_back(std::make_shared<const std::string>(of));
    return objects_.size() - 1;
}

SignalTable::Entry SignalTable::pack(Signal id, const SignalReading& reading) {
    Entry entry;
    entry.signal = static_cast<std::uint16_t>(id);
    entry.exposure = exposure(reading.exposure);
    if (!reading.value.present()) {
        const Absent& absent = reading.value.absent();
        entry.reason = static_cast<std::uint8_t>(absent.reason);
        if (absent.detail.empty()) return entry;
        entry.kind = Kind::absent_with_detail;
        entry.object = text(absent.detail);
    } else if (const auto* quantity = std::get_if<Quantity>(&*reading.value)) {
        entry.kind = Kind::quantity;
        entry.unit = quantity->unit;
        entry.number = quantity->value;
    } else if (const auto* words = std::get_if<std::string>(&*reading.value)) {
        entry.kind = Kind::text;
        entry.object = text(*words);
    } else if (const auto* cpus = std::get_if<CpuSet>(&*reading.value)) {
        entry.kind = Kind::cpus;
        entry.object = objects_.size();
        objects_.push_back(std::make_shared<const CpuSet>(*cpus));
    } else {
        entry.kind = Kind::distribution;
        const std::shared_ptr<const void> seen = std::get<DistributionPtr>(*reading.value);
        const auto at = std::find(objects_.begin(), objects_.end(), seen);  // most hold nothing, which is one object
        entry.object = static_cast<std::uint64_t>(at - objects_.begin());
        if (at == objects_.end()) objects_.push_back(seen);
    }
    return entry;
}

SignalReading SignalTable::unpack(const Entry& entry) const {
    SignalReading reading;
    if (entry.exposure != 0) reading.exposure = exposures_[entry.exposure - 1U];
    switch (entry.kind) {
        case Kind::absent:
            reading.value = static_cast<Absence>(entry.reason);
            break;
        case Kind::absent_with_detail:
            reading.value = Absent{static_cast<Absence>(entry.reason), object_of<std::string>(objects_[entry.object])};
            break;
        case Kind::quantity:
            reading.value = SignalValue(Quantity{entry.number, entry.unit});
            break;
        case Kind::text:
            reading.value = SignalValue(object_of<std::string>(objects_[entry.object]));
            break;
        case Kind::cpus:
            reading.value = SignalValue(object_of<CpuSet>(objects_[entry.object]));
            break;
        case Kind::distribution:
            reading.value = SignalValue(std::static_pointer_cast<const Distribution>(objects_[entry.object]));
            break;
    }
    return reading;
}

}  // namespace gotuned
