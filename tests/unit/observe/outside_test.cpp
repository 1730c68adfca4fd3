// Pages over real sockets: what a service answers, and what it does instead of answering.
#include "observe/outside.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "base/fd.h"
#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// Answers each connection by a function of the request's first line, on a thread of its own.
class Server {
public:
    explicit Server(std::function<std::string(const std::string&)> answer) : answer_(std::move(answer)) {
        listening_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof name;
        REQUIRE(::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0);
        REQUIRE(::listen(listening_.get(), 16) == 0);
        REQUIRE(::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
        address = "http://127.0.0.1:" + std::to_string(ntohs(name.sin_port));
        thread_ = std::thread([this] { serve(); });
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        ending_ = true;
        ::shutdown(listening_.get(), SHUT_RDWR);  // accept(2) returns
        thread_.join();
    }
    std::string address;
    std::atomic<int> asked{0};
    std::string last_request() {
        const std::lock_guard lock(mutex_);
        return last_request_;
    }

private:
    void serve() {
        while (!ending_) {
            const Fd peer(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!peer.valid()) return;
            ++asked;
            char request[4096];
            const ssize_t got = ::recv(peer.get(), request, sizeof request, 0);
            const std::string text(request, got > 0 ? static_cast<std::size_t>(got) : 0);
            const std::string request_line = text.substr(0, text.find("\r\n"));
            {
                const std::lock_guard lock(mutex_);
                last_request_ = request_line;
            }
            const std::string answer = answer_(request_line);
            std::size_t sent = 0;
            while (sent < answer.size()) {
                const ssize_t part = ::send(peer.get(), answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
                if (part <= 0) break;
                sent += static_cast<std::size_t>(part);
            }
        }
    }
    std::function<std::string(const std::string&)> answer_;
    Fd listening_;
    std::mutex mutex_;
    std::string last_request_;
    std::thread thread_;
    std::atomic<bool> ending_{false};
};

std::string page(const std::string& body, const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

OutsideWanted app(const std::string& url, const std::string& selector = "up") {
    OutsideWanted wanted;
    wanted.app["payments"].url = url;
    wanted.app["payments"].samples[selector] = *parse_sample_selector(selector);
    return wanted;
}

/// The reader, and the loop's part.
struct Reader {
    std::unique_ptr<OutsideReader> reader;
    MonoTime now{1h};

    explicit Reader(OutsideReader::Options options = {}) { reader = OutsideReader::make(options); }
    void round() {
        reader->tick(now);
        pollfd answer{reader->fd(), POLLIN, 0};
        REQUIRE(::poll(&answer, 1, 20000) == 1);
        reader->complete(now);
    }
    Reading<double> sample(const std::string& selector = "up") {
        return reader->readings(now, 5s)->app.at("payments").at(selector);
    }
    Reading<double> query(const std::string& text) { return reader->readings(now, 5s)->prometheus.at(text); }
};

}  // namespace

TEST_CASE("a sample of a service's own page is read at each tick") {
    std::atomic<int> value{4};
    Server server([&](const std::string&) { return page("# TYPE up gauge\nup " + std::to_string(value) + "\n"); });
    Reader r;
    CHECK(r.reader->readings(r.now, 5s) == nullptr);
    r.reader->want(app(server.address + "/metrics"));
    CHECK(r.sample().absent() == Absent{Absence::not_observed, "not read yet"});
    r.round();
    CHECK(r.sample() == Reading<double>(4));
    CHECK(server.last_request() == "GET /metrics HTTP/1.1");
    value = 5;
    r.now += 5s;
    r.round();
    CHECK(r.sample() == Reading<double>(5));
    r.now += 16s;
    CHECK(r.sample().absent() == Absent{Absence::not_observed, "last read 16s ago"});
}

TEST_CASE("whatever a service does instead of answering leaves its samples absent, with the reason") {
    const auto absent_of = [](const std::string& answer) {
        const Server server([&](const std::string&) { return answer; });
        OutsideReader::Options options;
        options.most_bytes = 100000;
        Reader r(options);
        r.reader->want(app(server.address + "/metrics"));
        r.round();
        REQUIRE_FALSE(r.sample().present());
        return r.sample().absent();
    };
    CHECK(absent_of(page("up 1\n", "500 Internal Server Error")) == Absent{Absence::no_data, "HTTP status 500"});
    CHECK(absent_of("").reason == Absence::no_data);
    CHECK(absent_of("SSH-2.0-OpenSSH\r\n").reason == Absence::no_data);
    CHECK(absent_of(page("down 1\n")) == Absent{Absence::no_data, "no sample of the page matches"});
    CHECK(absent_of("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nup 1\n").reason == Absence::no_data);  // cut short
    const std::string lines = "up 1\n" + std::string(100000, '\n');
    CHECK(absent_of(page(lines)) == Absent{Absence::malformed, "the page is too long, or a line of it"});
    CHECK(absent_of(page(std::string(70000, 'x'))) ==
          Absent{Absence::malformed, "the page is too long, or a line of it"});
    CHECK(absent_of("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n").reason ==
          Absence::no_data);
}

TEST_CASE("a service that takes the connection and says nothing costs the patience and no more") {
    Fd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    REQUIRE(::bind(silent.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0);
    REQUIRE(::listen(silent.get(), 1) == 0);
    REQUIRE(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
    const Server other([](const std::string&) { return page("up 1\n"); });
    OutsideReader::Options options;
    options.patience = 300ms;
    Reader r(options);
    OutsideWanted wanted = app("http://127.0.0.1:" + std::to_string(ntohs(name.sin_port)) + "/metrics");
    wanted.app["ledger"] = app(other.address + "/metrics").app.at("payments");
    r.reader->want(wanted);
    r.round();
    CHECK(r.sample().absent().reason == Absence::no_data);
    CHECK(r.reader->readings(r.now, 5s)->app.at("ledger").at("up") == Reading<double>(1));
}

TEST_CASE("a name that leads away from the loopback is not followed") {
    Reader r;
    r.reader->want(app("http://192.0.2.1:80/metrics"));  // as localhost in a hosts file that somebody changed
    r.round();
    CHECK(r.sample().absent().reason == Absence::no_data);
}

TEST_CASE("Prometheus is asked seldom, and says one number") {
    Server server([](const std::string&) {
        return page(
            R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.25"]}]}})");
    });
    OutsideReader::Options options;
    options.prometheus = server.address + "/";
    Reader r(options);
    OutsideWanted wanted;
    wanted.queries = {"sum(rate(a{b=\"c\"}[1m]))"};
    r.reader->want(wanted);
    r.round();
    CHECK(server.last_request() == "GET /api/v1/query?query=sum%28rate%28a%7Bb%3D%22c%22%7D%5B1m%5D%29%29 HTTP/1.1");
    CHECK(r.query("sum(rate(a{b=\"c\"}[1m]))") == Reading<double>(0.25));
    r.now += 5s;
    r.reader->tick(r.now);
    CHECK(server.asked == 1);
    r.now += 10s;
    r.round();
    CHECK(server.asked == 2);
    r.now += 46s;
    CHECK(r.query("sum(rate(a{b=\"c\"}[1m]))").absent().reason == Absence::not_observed);
}

TEST_CASE("without an address no Prometheus is asked, and the query says why it has no value") {
    Reader r;
    OutsideWanted wanted;
    wanted.queries = {"up"};
    r.reader->want(wanted);
    r.reader->tick(r.now);
    CHECK(r.query("up").absent() == Absent{Absence::not_supported, "gotuned.yaml names no prometheus"});
}

TEST_CASE("an answer to what is not wanted any more is thrown away") {
    const Server server([](const std::string&) { return page("up 1\nother 2\n"); });
    Reader r;
    r.reader->want(app(server.address + "/metrics"));
    r.reader->tick(r.now);
    r.reader->want(app(server.address + "/metrics", "other"));
    pollfd answer{r.reader->fd(), POLLIN, 0};
    REQUIRE(::poll(&answer, 1, 20000) == 1);
    r.reader->complete(r.now);
    CHECK(r.sample("other").absent().reason == Absence::not_observed);
    r.round();
    CHECK(r.sample("other") == Reading<double>(2));
}

TEST_CASE("of a query's answer one finite number counts") {
    const auto reason = [](const std::string& answer) { return value_of_query(answer).absent(); };
    const auto data = [](const std::string& type, const std::string& result) {
        return R"({"status":"success","data":{"resultType":")" + type + R"(","result":)" + result + "}}";
    };
    CHECK(value_of_query(data("scalar", R"([1,"2.5"])")) == Reading<double>(2.5));
    CHECK(reason(data("vector", "[]")) == Absent{Absence::no_data, "the query's result is empty"});
    CHECK(reason(data("vector", R"([{"value":[1,"1"]},{"value":[1,"2"]}])")).detail ==
          "the query gives 2 series: sum them, or name more labels");
    CHECK(reason(data("vector", R"([{"value":[1,"NaN"]}])")).detail == "the query's value is NaN");
    CHECK(reason(data("matrix", R"([{"values":[[1,"1"]]}])")).reason == Absence::malformed);
    CHECK(reason(data("vector", R"([{"value":7}])")).reason == Absence::malformed);
    CHECK(reason(R"({"status":"error","errorType":"bad_data","error":"parse error"})").detail ==
          "Prometheus says: parse error");
    CHECK(reason("<html>").detail == "the answer is no JSON: is this address a Prometheus?");
    CHECK(reason("7").reason == Absence::malformed);
    CHECK(reason("").reason == Absence::malformed);
}

TEST_CASE("only pages on this host's loopback are fetched") {
    for (const char* url :
         {"http://127.0.0.1:8080/metrics", "http://localhost:1", "http://[::1]:65535/x?y=z", "http://127.9.9.9:80/"})
        CHECK(check_loopback_url(url));
    for (const char* url :
         {"", "https://127.0.0.1:1/", "127.0.0.1:8080", "http://127.0.0.1/metrics", "http://10.0.0.1:80/",
          "http://169.254.169.254:80/latest", "http://127.0.0.1:0/", "http://127.0.0.1:70000/",
          "http://example.com:80/", "http://user@127.0.0.1:80/", "http://127.0.0.1:80 /", "http://[::2]:80/",
          "file:///etc/shadow", "http://127.0.0.1:80@192.0.2.1:80/", "http://0x7f000001:80/"}) {
        INFO(url);
        CHECK_FALSE(check_loopback_url(url));
    }
}
