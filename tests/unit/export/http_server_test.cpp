#include "export/http_server.h"

#include <sys/stat.h>

#include "catch.h"
#include "export/pages.h"
#include "loop.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

/// A server with the daemon's pages around a fixed text.
struct Served {
    Loop loop;
    std::string not_ready;
    std::shared_ptr<const std::string> metrics = std::make_shared<const std::string>("a_metric 1\n");
    std::unique_ptr<HttpServer> server;

    explicit Served(HttpOptions options = {}) {
        if (options.listen.empty()) options.listen = {"127.0.0.1:0"};
        PageSources sources;
        sources.metrics = [this] { return metrics; };
        sources.not_ready = [this] { return not_ready; };
        sources.landing = [this] {
            LandingPage page;
            page.not_ready = not_ready;
            page.profile = "<observe>";
            return page;
        };
        auto opened = HttpServer::open(loop.get(), options, make_pages(std::move(sources)));
        REQUIRE(opened);
        server = std::move(*opened);
    }
    [[nodiscard]] std::string address(std::size_t index = 0) const { return server->addresses().at(index); }
    /// Sends a request, and returns the whole answer once the server has closed.
    std::string raw(const std::string& request, std::size_t index = 0) {
        const Fd client = connect_to(address(index));
        REQUIRE(client.valid());
        REQUIRE(::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(request.size()));
        std::string answer;
        CHECK(loop.until([&] { return receive(client, answer); }));
        return answer;
    }
    std::string get(const std::string& path, std::size_t index = 0) {
        return raw("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", index);
    }
};

bool starts(const std::string& text, const std::string& with) { return text.compare(0, with.size(), with) == 0; }
bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("/metrics answers with the text format and its version", "[http]") {
    Served served;
    const std::string answer = served.get("/metrics");
    CHECK(starts(answer, "HTTP/1.1 200 OK\r\n"));
    CHECK(holds(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    CHECK(holds(answer, "\r\n\r\na_metric 1\n"));
}

TEST_CASE("/metrics takes a query, as Prometheus' params make it", "[http]") {
    Served served;
    CHECK(starts(served.get("/metrics?x=1"), "HTTP/1.1 200"));
}

TEST_CASE("/-/ready says why it is not", "[http]") {
    Served served;
    CHECK(starts(served.get("/-/ready"), "HTTP/1.1 200"));
    served.not_ready = "no rulebook\nloaded";
    const std::string answer = served.get("/-/ready");
    CHECK(starts(answer, "HTTP/1.1 503"));
    CHECK(holds(answer, "gotuned is not ready: no rulebook?loaded\n"));
    CHECK(starts(served.get("/-/healthy"), "HTTP/1.1 200"));
}

TEST_CASE("the landing page is HTML with every text escaped", "[http]") {
    Served served;
    served.not_ready = "<script>";
    const std::string answer = served.get("/");
    CHECK(holds(answer, "Content-Type: text/html"));
    CHECK(holds(answer, "&lt;script&gt;"));
    CHECK(holds(answer, "&lt;observe&gt;"));
    CHECK_FALSE(holds(answer, "<script>"));
}

TEST_CASE("the landing page lists hostile processes harmlessly", "[http]") {
    auto go = std::make_shared<GoProcess>();
    go->id.pid = 4711;
    go->exe = "/tmp/<b>\n\xff";
    go->build.version = "go1\"><i>";
    auto state = std::make_shared<ProcessState>();
    state->process = go;
    state->service = "a&b";
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->processes[go->id] = state;
    LandingPage page;
    page.snapshot = snapshot;
    const std::string html = landing_html(page);
    CHECK(holds(html, "a&amp;b"));
    CHECK(holds(html, "/tmp/&lt;b&gt;?\xEF\xBF\xBD"));
    CHECK_FALSE(holds(html, "<i>"));
}

TEST_CASE("what is not there is 404, and only GET and HEAD are answered", "[http]") {
    Served served;
    CHECK(starts(served.get("/../etc/passwd"), "HTTP/1.1 404"));
    const std::string post = served.raw("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    CHECK(starts(post, "HTTP/1.1 405"));
    CHECK(holds(post, "Allow: GET, HEAD\r\n"));
    const std::string head = served.raw("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(starts(head, "HTTP/1.1 200"));
    CHECK(holds(head, "Content-Length: 11\r\n"));
    CHECK_FALSE(holds(head, "a_metric"));
}

TEST_CASE("what is not HTTP is refused and harms nobody", "[http]") {
    Served served;
    served.raw("\x16\x03\x01\x02 not http\r\n\r\n");
    served.raw("GET / HTTP/9.9\r\n\r\n");
    CHECK(starts(served.get("/metrics"), "HTTP/1.1 200"));
}

TEST_CASE("headers without end are refused", "[http]") {
    Served served;
    const std::string answer = served.raw("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n");
    CHECK((answer.empty() || starts(answer, "HTTP/1.1 4")));
    CHECK(starts(served.get("/metrics"), "HTTP/1.1 200"));
}

TEST_CASE("half-open connections hold up nobody", "[http]") {
    Served served;
    std::vector<Fd> half;
    for (int i = 0; i < 20; ++i) {
        half.push_back(connect_to(served.address()));
        REQUIRE(half.back().valid());
        ::send(half.back().get(), "GET /met", 8, MSG_NOSIGNAL);
    }
    CHECK(starts(served.get("/metrics"), "HTTP/1.1 200"));
}

TEST_CASE("a half-sent request is closed long before a kept connection would be", "[http]") {
    HttpOptions options;
    options.request_timeout = std::chrono::seconds(1);
    Served served(options);
    const Fd silent = connect_to(served.address());
    ::send(silent.get(), "GET /met", 8, MSG_NOSIGNAL);
    std::string nothing;
    CHECK(served.loop.until([&] { return receive(silent, nothing); }));
}

TEST_CASE("half-sent requests of one peer make room for its next scrape", "[http]") {
    HttpOptions options;
    options.max_per_peer = 4;
    options.request_timeout = std::chrono::seconds(1);
    Served served(options);
    std::vector<Fd> half;
    for (int i = 0; i < 4; ++i) {
        half.push_back(connect_to(served.address()));
        ::send(half.back().get(), "GET /metrics HTTP/1.1\r\nHos", 26, MSG_NOSIGNAL);
    }
    served.loop.settle();
    std::string nothing;
    for (const Fd& one : half) CHECK(served.loop.until([&] { return receive(one, nothing); }));
    served.loop.settle();  // a connection is seen to end just before its place is free
    CHECK(starts(served.get("/metrics"), "HTTP/1.1 200"));
}

TEST_CASE("a kept connection is answered after a silence longer than a request may take", "[http]") {
    HttpOptions options;
    options.request_timeout = std::chrono::seconds(1);
    Served served(options);
    const Fd client = connect_to(served.address());
    const std::string request = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
    std::string answer;
    const auto ask = [&](const std::string& text) {
        answer.clear();
        ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
        return served.loop.until([&] { return receive(client, answer) || holds(answer, "healthy\n"); });
    };
    CHECK(ask(request));
    const auto later = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
    CHECK(served.loop.until([&] { return std::chrono::steady_clock::now() > later; }));
    CHECK(ask(request));
    CHECK(starts(answer, "HTTP/1.1 200"));
    // But a request that is half sent on it has no more time than any.
    const auto began = std::chrono::steady_clock::now();
    CHECK(ask("GET /-/healthy HTTP/1.1\r\nHos"));
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
}

TEST_CASE("a kept connection that stays silent is closed after the idle timeout", "[http]") {
    HttpOptions options;
    options.idle_timeout = std::chrono::seconds(1);
    Served served(options);
    const Fd client = connect_to(served.address());
    const std::string request = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
    ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    std::string answer;
    CHECK(served.loop.until([&] { return receive(client, answer); }));
    CHECK(starts(answer, "HTTP/1.1 200"));
}

TEST_CASE("connections beyond the bound wait or are refused, and there is room again after", "[http]") {
    HttpOptions options;
    options.max_connections = 4;
    options.max_per_peer = 4;
    Served served(options);
    {
        std::vector<Fd> taken;
        for (int i = 0; i < 10; ++i) taken.push_back(connect_to(served.address()));
        served.loop.settle();
    }
    CHECK(starts(served.get("/metrics"), "HTTP/1.1 200"));
}

TEST_CASE("a large answer reaches a slow reader whole, while others are served", "[http]") {
    Served served;
    served.metrics = std::make_shared<const std::string>(std::string(8U << 20U, 'x'));
    const Fd slow = connect_to(served.address());
    const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ::send(slow.get(), request.data(), request.size(), MSG_NOSIGNAL);
    served.loop.settle();
    const std::string other = served.get("/-/healthy");
    CHECK(starts(other, "HTTP/1.1 200"));
    served.metrics = nullptr;  // the text that is being sent lives on
    std::string answer;
    CHECK(served.loop.until([&] { return receive(slow, answer); }));
    CHECK(answer.size() > (8U << 20U));
}

TEST_CASE("a client that leaves in the middle of an answer harms nobody", "[http]") {
    Served served;
    served.metrics = std::make_shared<const std::string>(std::string(8U << 20U, 'x'));
    {
        const Fd leaver = connect_to(served.address());
        const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        ::send(leaver.get(), request.data(), request.size(), MSG_NOSIGNAL);
        served.loop.settle();
    }
    served.loop.settle();
    CHECK(starts(served.get("/-/healthy"), "HTTP/1.1 200"));
}

TEST_CASE("one connection takes several requests", "[http]") {
    Served served;
    const Fd client = connect_to(served.address());
    std::string answer;
    for (int i = 0; i < 3; ++i) {
        const std::string request = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
        ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
        answer.clear();
        CHECK(served.loop.until([&] { return receive(client, answer) || holds(answer, "healthy\n"); }));
    }
    CHECK(starts(answer, "HTTP/1.1 200"));
}

TEST_CASE("several addresses are listened on, a unix socket among them", "[http]") {
    const TemporaryFolder folder;
    HttpOptions options;
    const std::string socket = folder.path / "metrics.sock";
    options.listen = {"127.0.0.1:0", "[::1]:0", "unix:" + socket};
    {
        Served served(options);
        for (std::size_t i = 0; i < 3; ++i) CHECK(starts(served.get("/metrics", i), "HTTP/1.1 200"));
        CHECK(served.address(2) == "unix:" + socket);
        struct stat status{};
        REQUIRE(::stat(socket.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0660);
    }
    CHECK_FALSE(std::filesystem::exists(socket));
}

TEST_CASE("an address in use is an error that names it", "[http]") {
    Served served;
    HttpOptions options;
    options.listen = {served.address()};
    const auto second = HttpServer::open(served.loop.get(), options, [](const HttpRequest&) { return HttpResponse{}; });
    REQUIRE_FALSE(second);
    CHECK(holds(to_string(second.error()), served.address()));
    CHECK(holds(to_string(second.error()), "EADDRINUSE"));
}

TEST_CASE("what is not an address is an error that shows how to write one", "[http]") {
    const Loop loop;
    for (const char* wrong : {"", "9713", "example.org:80", "127.0.0.1:99999", "[::1:5", "unix:relative", "unix:"}) {
        HttpOptions options;
        options.listen = {wrong};
        const auto server = HttpServer::open(loop.get(), options, [](const HttpRequest&) { return HttpResponse{}; });
        REQUIRE_FALSE(server);
        CHECK_FALSE(server.error().hint.empty());
    }
}

TEST_CASE("a dead daemon's unix socket is replaced, another file is not", "[http]") {
    const TemporaryFolder folder;
    const std::string path = folder.path / "s.sock";
    const auto bind_and_leave = [&path] {
        Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
        return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
    };
    REQUIRE(bind_and_leave());
    HttpOptions options;
    options.listen = {"unix:" + path};
    {
        CHECK(starts(Served(options).get("/metrics"), "HTTP/1.1 200"));
    }
    Fd(::open(path.c_str(), O_CREAT | O_WRONLY, 0600)).reset();
    const Loop loop;
    CHECK_FALSE(HttpServer::open(loop.get(), options, [](const HttpRequest&) { return HttpResponse{}; }));
    CHECK(std::filesystem::exists(path));
}
