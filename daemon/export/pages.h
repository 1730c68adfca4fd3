// The daemon's HTTP pages: /metrics, /-/healthy, /-/ready and a landing page for people. Used by main; knows no socket.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "export/http_server.h"
#include "observe/snapshot.h"

namespace gotuned {

/// What the landing page shows besides the Snapshot.
struct LandingPage {
    std::string version{};
    std::string profile{};
    std::string not_ready{};  ///< why not; empty when ready
    bool paused = false;
    std::size_t rules = 0;
    std::size_t enforced = 0;
    SnapshotPtr snapshot{};  ///< may be null before the first tick
};

struct PageSources {
    std::function<std::shared_ptr<const std::string>()> metrics{};
    std::function<std::string()> not_ready{};  ///< empty when ready: /-/ready is 200, else 503 with the reason
    std::function<LandingPage()> landing{};
};
HttpServer::Handler make_pages(PageSources sources);

/// Whole HTML document. Every text that a stranger may have chosen is cleaned and escaped.
std::string landing_html(const LandingPage& page);
std::string escape_html(std::string_view text);

}  // namespace gotuned
