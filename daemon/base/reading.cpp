#include "base/reading.h"

namespace gotuned {

std::string_view to_string(Absence reason) {
    switch (reason) {
        case Absence::not_observed:
            return "not_observed";
        case Absence::no_data:
            return "no_data";
        case Absence::not_supported:
            return "not_supported";
        case Absence::not_permitted:
            return "not_permitted";
        case Absence::not_attached:
            return "not_attached";
        case Absence::vanished:
            return "vanished";
        case Absence::malformed:
            return "malformed";
        case Absence::low_exposure:
            return "low_exposure";
        case Absence::restarted:
            return "restarted";
    }
    return "unknown";
}

std::string to_string(const Absent& absent) {
    std::string text(to_string(absent.reason));
    if (!absent.detail.empty()) text += ": " + absent.detail;
    return text;
}

}  // namespace gotuned
