// Asks the daemon: sd-bus peer to peer over its control socket, one question at a time, never longer than a timeout.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

struct sd_bus;

namespace gotuned {

/// Why there is no answer: decides gotunectl's exit status.
enum class Refusal { failed, unreachable, denied };
struct CallError {
    Refusal why{};
    std::string text{};  ///< for people
};

class ControlClient {
public:
    static tl::expected<ControlClient, CallError> connect(const std::string& socket, std::chrono::milliseconds timeout);

    using Argument = std::variant<std::string, std::uint32_t, std::int64_t, bool>;
    /// The method's JSON answer.
    tl::expected<std::string, CallError> call(const std::string& method, const std::vector<Argument>& arguments = {});

private:
    struct Close {
        void operator()(sd_bus* bus) const;
    };
    ControlClient(std::unique_ptr<sd_bus, Close> bus, std::string socket, std::chrono::milliseconds timeout);
    std::unique_ptr<sd_bus, Close> bus_;
    std::string socket_;
    std::chrono::milliseconds timeout_;
};

}  // namespace gotuned
