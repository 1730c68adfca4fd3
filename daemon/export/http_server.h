// A small HTTP/1.1 server inside the loop (libmicrohttpd on its own epoll set, no threads): GET and HEAD only, bounded
// connections and memory, so that neither a half-open connection nor a slow reader holds up the loop.
#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace gotuned {

struct HttpRequest {
    std::string path{};  ///< without the query: "/metrics"
};

struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::shared_ptr<const std::string> body{};  ///< shared, not copied; null is empty
};
HttpResponse text_response(unsigned status, std::string text);

struct HttpOptions {
    std::vector<std::string> listen{};  ///< "127.0.0.1:9713", "[::1]:9713", "unix:/path"; port 0: the kernel chooses
    unsigned max_connections = 256;     ///< for each address listened on
    unsigned max_per_peer = 128;        ///< for each IP address of a peer
    /// A request must be whole so long after its last byte: a peer whose half-sent ones fill max_per_peer is blind.
    std::chrono::seconds request_timeout{5};
    /// Between two scrapes, and for a slow reader of an answer. Prometheus scrapes once a minute unless told otherwise.
    std::chrono::seconds idle_timeout{75};
};

class HttpServer {
public:
    /// Answers at once; runs on the loop's thread. 404s are the handler's.
    using Handler = std::function<HttpResponse(const HttpRequest&)>;

    /// Listens on every address or on none. Errors name the address: in use, not an address, not permitted.
    static Result<std::unique_ptr<HttpServer>> open(sd_event* event, const HttpOptions& options,
                                                    const Handler& handler);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Where it listens, with the ports that the kernel chose: "127.0.0.1:43121".
    [[nodiscard]] std::vector<std::string> addresses() const;

    struct Listener;

private:
    HttpServer();
    std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace gotuned
