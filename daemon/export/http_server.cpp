#include "export/http_server.h"

#include <microhttpd.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

#include "base/fd.h"
#include "base/log.h"
#include "export/listen.h"

namespace gotuned {
namespace {

constexpr std::size_t connection_memory = 16U << 10U;  ///< for a request's headers; longer ones get 431

/// Lets the shared text live until its last byte is sent.
void release_body(void* body) { delete static_cast<std::shared_ptr<const std::string>*>(body); }

MHD_Response* make_response(const HttpResponse& answer) {
    MHD_Response* response = nullptr;
    if (answer.body && !answer.body->empty()) {
        auto* body = new std::shared_ptr<const std::string>(answer.body);
        // libmicrohttpd 0.9 takes a void* here, and only reads.
        auto* bytes = const_cast<char*>((*body)->data());
        response = MHD_create_response_from_buffer_with_free_callback_cls((*body)->size(), bytes, release_body, body);
        if (response == nullptr) delete body;
    } else {
        response = MHD_create_response_from_buffer(0, nullptr, MHD_RESPMEM_PERSISTENT);
    }
    if (response == nullptr) return nullptr;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    return response;
}

MHD_Result send(MHD_Connection* connection, const HttpResponse& answer) {
    MHD_Response* response = make_response(answer);
    if (response == nullptr) return MHD_NO;
    const MHD_Result result = MHD_queue_response(connection, answer.status, response);
    MHD_destroy_response(response);  // MHD holds its own reference
    return result;
}

/// What a Listener's callbacks need.
struct Serving {
    HttpServer::Handler handler{};
    unsigned request_timeout = 0;
    unsigned idle_timeout = 0;
};

void set_timeout(MHD_Connection* connection, unsigned seconds) {
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

/// The first line of a request is there. Its headers may not take as long as a kept connection may be silent.
void* on_first_line(void* serving, const char*, MHD_Connection* connection) {
    set_timeout(connection, static_cast<Serving*>(serving)->request_timeout);
    return nullptr;
}

MHD_Result on_request(void* data, MHD_Connection* connection, const char* path, const char* method, const char*,
                      const char*, std::size_t*, void** request) {
    auto* serving = static_cast<Serving*>(data);
    const std::string_view verb = method;
    // Refused before its body is read: libmicrohttpd then closes the connection.
    if (verb != MHD_HTTP_METHOD_GET && verb != MHD_HTTP_METHOD_HEAD)
        return send(connection, text_response(MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n"));
    // The first call comes with the headers alone, the next when the request is complete.
    if (*request == nullptr) {
        *request = serving;
        return MHD_YES;
    }
    set_timeout(connection, serving->idle_timeout);
    return send(connection, serving->handler(HttpRequest{path}));
}

void on_log(void*, const char*, va_list) {}  // what clients do wrong is theirs

}  // namespace

HttpResponse text_response(unsigned status, std::string text) {
    HttpResponse response;
    response.status = status;
    response.body = std::make_shared<const std::string>(std::move(text));
    return response;
}

/// One address: its socket, its MHD daemon, and the two sources that drive it.
struct HttpServer::Listener {
    Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() {
        sd_event_source_disable_unref(io);
        sd_event_source_disable_unref(timer);
        if (daemon != nullptr) MHD_stop_daemon(daemon);  // closes the socket, too
        if (!unlink_path.empty()) ::unlink(unlink_path.c_str());
    }

    MHD_Daemon* daemon = nullptr;
    sd_event_source* io = nullptr;
    sd_event_source* timer = nullptr;
    std::string address{};
    std::string unlink_path{};
    unsigned connections = 0;

    /// At its bound of connections libmicrohttpd stops listening, and listens again only at the beginning of a run
    /// after one has ended; nothing would wake it for that.
    void run() {
        const unsigned before = connections;
        MHD_run(daemon);
        connections = count_connections();
        if (connections < before) MHD_run(daemon);
        connections = count_connections();
        arm();
    }
    [[nodiscard]] unsigned count_connections() const {
        const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
        return info == nullptr ? 0 : info->num_connections;
    }
    /// Idle connections are closed by MHD_run(): the loop must come by when the next one is due.
    void arm() {
        MHD_UNSIGNED_LONG_LONG milliseconds = 0;
        if (MHD_get_timeout(daemon, &milliseconds) != MHD_YES) {
            sd_event_source_set_enabled(timer, SD_EVENT_OFF);
            return;
        }
        sd_event_source_set_time_relative(timer, static_cast<std::uint64_t>(milliseconds) * 1000);
        sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
    }
    static int on_io(sd_event_source*, int, std::uint32_t, void* self) {
        static_cast<Listener*>(self)->run();
        return 0;
    }
    static int on_time(sd_event_source*, std::uint64_t, void* self) {
        static_cast<Listener*>(self)->run();
        return 0;
    }
    Serving serving{};
    Status start(sd_event* event, const HttpOptions& options, Fd socket, const Handler& handler);
};

Status HttpServer::Listener::start(sd_event* event, const HttpOptions& options, Fd socket, const Handler& handler) {
    serving = {handler, static_cast<unsigned>(options.request_timeout.count()),
               static_cast<unsigned>(options.idle_timeout.count())};
    const unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG;
    daemon =
        MHD_start_daemon(flags, 0, nullptr, nullptr, on_request, &serving, MHD_OPTION_EXTERNAL_LOGGER, on_log, nullptr,
                         MHD_OPTION_URI_LOG_CALLBACK, on_first_line, &serving, MHD_OPTION_LISTEN_SOCKET, socket.get(),
                         MHD_OPTION_CONNECTION_LIMIT, options.max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                         options.max_per_peer, MHD_OPTION_CONNECTION_TIMEOUT, serving.request_timeout,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory, MHD_OPTION_END);
    if (daemon == nullptr) return fail("cannot serve HTTP on " + address, errno);
    socket.release();
    const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == nullptr || info->epoll_fd < 0)
        return fail("cannot serve HTTP on " + address + ": libmicrohttpd was built without epoll");
    int error = sd_event_add_io(event, &io, info->epoll_fd, EPOLLIN, on_io, this);
    constexpr std::uint64_t accuracy = 100'000;  // µs: closing an idle connection is in no hurry
    if (error >= 0) error = sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, 0, accuracy, on_time, this);
    if (error < 0) return fail("cannot serve HTTP on " + address, -error);
    arm();
    return {};
}

HttpServer::HttpServer() = default;
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::open(sd_event* event, const HttpOptions& options,
                                                     const Handler& handler) {
    std::unique_ptr<HttpServer> server(new HttpServer);
    for (const std::string& address : options.listen) {
        auto socket = listen_on(address);
        if (!socket) return fail(socket.error());
        auto listener = std::make_unique<Listener>();
        listener->address = bound_address(socket->get());
        constexpr std::string_view unix_prefix = "unix:";
        if (address.starts_with(unix_prefix)) listener->unlink_path = address.substr(unix_prefix.size());
        if (auto started = listener->start(event, options, std::move(*socket), handler); !started)
            return fail(started.error());
        server->listeners_.push_back(std::move(listener));
    }
    return server;
}

std::vector<std::string> HttpServer::addresses() const {
    std::vector<std::string> out;
    for (const auto& listener : listeners_) out.push_back(listener->address);
    return out;
}

}  // namespace gotuned
