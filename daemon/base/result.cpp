#include "base/result.h"

#include <cstring>

namespace gotuned {

std::string errno_words(int code) {
    const char* words = strerrordesc_np(code);
    const char* name = strerrorname_np(code);
    if (words == nullptr || name == nullptr) return "error " + std::to_string(code);
    return std::string(words) + " (" + name + ")";
}

std::string to_string(const Error& error) {
    std::string text = error.what;
    if (!error.target.empty()) text += " on " + error.target;
    if (error.code != 0) text += ": " + errno_words(error.code);
    if (!error.hint.empty()) text += "; " + error.hint;
    return text;
}

}  // namespace gotuned
