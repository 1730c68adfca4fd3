// The one way to say that something failed: Result<T>, a value or an Error written for people.
// Used by every room. Exceptions are for programming errors only; nothing here throws.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace gotuned {

/// Why something failed, in the words an operator needs.
struct Error {
    std::string what;      ///< what was tried: "cannot write vm.swappiness"
    std::string target{};  ///< on whom: "host", "pid 4711 (payments)"; empty when there is no target
    int code = 0;          ///< errno, 0 when the kernel was not the one who refused
    std::string hint{};    ///< what to do about it; empty when there is nothing to do
};

/// One line for logs and terminals: "WHAT on TARGET: Permission denied (EACCES); HINT".
std::string to_string(const Error& error);

/// "Permission denied (EACCES)": errno in words and by its name.
std::string errno_words(int code);

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// `return fail("cannot open " + path, errno);`
inline tl::unexpected<Error> fail(std::string what, int code = 0, std::string target = {}, std::string hint = {}) {
    return tl::unexpected<Error>(Error{std::move(what), std::move(target), code, std::move(hint)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace gotuned
