#include "observe/outside.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "base/value.h"
#include "base/worker.h"
#include "observe/curl_library.h"

namespace gotuned {
namespace {

constexpr std::size_t most_answer = 256UL * 1024;  // of Prometheus, which is to give one number
constexpr long not_found_from = 400;

bool is_loopback(const sockaddr& address) {
    if (address.sa_family == AF_INET)
        return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24U) == 127;
    if (address.sa_family != AF_INET6) return false;
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&v6);
}

/// Whatever a name resolves to: a connection elsewhere is not made.
curl_socket_t open_loopback(void*, curlsocktype, curl_sockaddr* address) {
    if (!is_loopback(address->addr)) return CURL_SOCKET_BAD;
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/// One page that is being fetched.
struct Page {
    std::string url{};
    std::string target{};  ///< whose metrics page; empty: a query
    std::string query{};
    std::optional<SampleFinder> samples{};
    std::string answer{};
    std::size_t left = 0;  ///< bytes that it may still have
    bool too_long = false;
    CURL* easy = nullptr;
    Absent failed{Absence::no_data, "no answer in time"};
    bool done = false;
};

std::size_t take_body(char* data, std::size_t one, std::size_t size, void* opaque) {
    auto& page = *static_cast<Page*>(opaque);
    const std::size_t bytes = one * size;
    page.too_long = bytes > page.left;
    if (page.too_long) return 0;
    page.left -= bytes;
    if (page.samples)
        page.too_long = !page.samples->feed({data, bytes});
    else
        page.answer.append(data, bytes);
    return page.too_long ? 0 : bytes;
}

/// Everything of one round, for the worker: it may outlive the reader.
struct Round {
    OutsideWanted wanted{};
    OutsideReader::Options options{};
    bool queries = false;
};

class Fetch {
public:
    Fetch(const CurlLibrary& curl, const Round& round) : curl_(curl), round_(round), multi_(curl.multi_init()) {}
    Fetch(const Fetch&) = delete;
    Fetch& operator=(const Fetch&) = delete;
    ~Fetch() {
        for (const Page& page : pages_) {
            if (page.easy == nullptr) continue;
            curl_.multi_remove_handle(multi_, page.easy);
            curl_.easy_cleanup(page.easy);
        }
        curl_.multi_cleanup(multi_);
    }

    /// What failed is also put into words for the log.
    OutsideReadings run(std::vector<std::string>& failures) {
        for (const auto& [target, app] : round_.wanted.app) {
            Page& page = pages_.emplace_back();
            page.url = app.url;
            page.target = target;
            page.samples.emplace(app.samples);
            page.left = round_.options.most_bytes;
        }
        if (round_.queries) {
            for (const std::string& query : round_.wanted.queries) {
                Page& page = pages_.emplace_back();
                page.query = query;
                page.url = url_of(query);
                page.left = most_answer;
            }
        }
        for (Page& page : pages_) add(page);
        const auto until = std::chrono::steady_clock::now() + round_.options.patience;
        int running = 1;
        while (running > 0 && std::chrono::steady_clock::now() < until) {
            if (curl_.multi_perform(multi_, &running) != CURLM_OK) break;
            collect();
            constexpr int moment = 100;  // ms
            if (running > 0) curl_.multi_poll(multi_, nullptr, 0, moment, nullptr);
        }
        return readings(failures);
    }

private:
    std::string url_of(const std::string& query) {
        char* const escaped = curl_.easy_escape(nullptr, query.c_str(), static_cast<int>(query.size()));
        std::string base = round_.options.prometheus;
        while (base.ends_with('/')) base.pop_back();
        std::string url = fmt::format("{}/api/v1/query?query={}", base, escaped == nullptr ? "" : escaped);
        curl_.free(escaped);
        return url;
    }
    void add(Page& page) {
        page.easy = curl_.easy_init();
        if (page.easy == nullptr) return;
        const auto set = [&](CURLoption option, auto value) { curl_.easy_setopt(page.easy, option, value); };
        const bool own = !page.target.empty();
        set(CURLOPT_URL, page.url.c_str());
        if (curl_.easy_setopt(page.easy, CURLOPT_PROTOCOLS_STR, own ? "http" : "http,https") != CURLE_OK) {
            page.failed = {Absence::not_supported, "libcurl is older than 7.85"};
            return;
        }
        set(CURLOPT_PROXY, "");  // whatever the environment says
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_TIMEOUT_MS,
            static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(round_.options.patience).count()));
        set(CURLOPT_USERAGENT, "gotuned/" GOTUNED_VERSION);
        set(CURLOPT_WRITEFUNCTION, &take_body);
        set(CURLOPT_WRITEDATA, static_cast<void*>(&page));
        if (own) set(CURLOPT_OPENSOCKETFUNCTION, &open_loopback);
        curl_.multi_add_handle(multi_, page.easy);
    }
    void collect() {
        int left = 0;
        while (CURLMsg* const message = curl_.multi_info_read(multi_, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            for (Page& page : pages_)
                if (page.easy == message->easy_handle) end(page, message->data.result);
        }
    }
    void end(Page& page, CURLcode result) {
        long status = 0;
        curl_.easy_getinfo(page.easy, CURLINFO_RESPONSE_CODE, &status);
        page.done = result == CURLE_OK && (status < not_found_from || !page.query.empty());
        if (page.done) return;
        if (page.too_long)
            page.failed = {Absence::malformed, "the page is too long, or a line of it"};
        else if (result == CURLE_OK)
            page.failed = {Absence::no_data, fmt::format("HTTP status {}", status)};
        else
            page.failed = {Absence::no_data, curl_.easy_strerror(result)};
    }
    OutsideReadings readings(std::vector<std::string>& failures) {
        OutsideReadings out;
        for (Page& page : pages_) {
            if (!page.query.empty()) {
                out.prometheus[page.query] = page.done ? value_of_query(page.answer) : Reading<double>(page.failed);
                if (!page.done)
                    failures.push_back(fmt::format("Prometheus cannot be asked at {}: {}", round_.options.prometheus,
                                                   page.failed.detail));
                continue;
            }
            auto& samples = out.app[page.target];
            samples = page.samples->finish();
            if (page.done) continue;
            for (auto& [text, value] : samples) value = page.failed;
            failures.push_back(fmt::format("the metrics of target {} cannot be read at {}: {}", page.target, page.url,
                                           page.failed.detail));
        }
        return out;
    }

    const CurlLibrary& curl_;
    const Round& round_;
    CURLM* multi_;
    std::deque<Page> pages_{};  // curl keeps pointers into it
};

OutsideReadings all_absent(const Round& round, const Absent& why) {
    OutsideReadings out;
    for (const auto& [target, app] : round.wanted.app)
        for (const auto& [text, selector] : app.samples) out.app[target][text] = why;
    for (const std::string& query : round.wanted.queries) out.prometheus[query] = why;
    return out;
}

OutsideReadings read_all(const Round& round, std::vector<std::string>& failures) {
    const auto curl = CurlLibrary::load();
    if (curl) return Fetch(**curl, round).run(failures);
    failures.push_back(to_string(curl.error()));
    return all_absent(round, {Absence::not_supported, to_string(curl.error())});
}

class RealOutsideReader final : public OutsideReader {
public:
    explicit RealOutsideReader(Options options) : options_(std::move(options)), worker_(options_.patience * 2) {}

    void want(OutsideWanted wanted) override {
        if (wanted == wanted_) return;
        wanted_ = std::move(wanted);
        ++generation_;
        known_ = {};
        apps_at_ = queries_at_ = {};
    }

    void tick(MonoTime now) override {
        if (nothing_wanted() || worker_.busy()) return;
        const bool queries = !wanted_.queries.empty() && !options_.prometheus.empty() &&
                             (!queries_at_ || now - *queries_at_ >= options_.query_every);
        if (wanted_.app.empty() && !queries) return;
        worker_.submit(
            now, [this, generation = generation_, now, round = Round{wanted_, options_, queries}]() -> Worker::Finish {
                auto failures = std::make_shared<std::vector<std::string>>();
                auto read = std::make_shared<OutsideReadings>(read_all(round, *failures));
                return [this, generation, now, queries = round.queries, failures, read] {
                    for (const std::string& failure : *failures) log_warning("{}", failure);
                    if (generation == generation_) take(*read, now, queries);
                };
            });
    }
    [[nodiscard]] int fd() const override { return worker_.fd(); }
    void complete(MonoTime now) override { worker_.complete(now); }

    [[nodiscard]] std::shared_ptr<const OutsideReadings> readings(MonoTime now, Duration tick) const override {
        if (nothing_wanted()) return nullptr;
        const auto fresh = [now](const std::optional<MonoTime>& at, Duration every) {
            return at && now - *at <= 3 * every;
        };
        const auto age = [now](const std::optional<MonoTime>& at) -> Absent {
            return {Absence::not_observed, at ? "last read " + to_string(time(now - *at)) + " ago" : "not read yet"};
        };
        auto out = std::make_shared<OutsideReadings>(all_absent({wanted_, {}, {}}, age(apps_at_)));
        if (fresh(apps_at_, std::max(tick, options_.patience))) out->app = known_.app;
        if (fresh(queries_at_, std::max(tick, options_.query_every))) {
            out->prometheus = known_.prometheus;
        } else {
            for (auto& [query, value] : out->prometheus)
                value = options_.prometheus.empty() ? Absent{Absence::not_supported, "gotuned.yaml names no prometheus"}
                                                    : age(queries_at_);
        }
        return out;
    }

private:
    [[nodiscard]] bool nothing_wanted() const { return wanted_.app.empty() && wanted_.queries.empty(); }
    void take(const OutsideReadings& read, MonoTime at, bool queries) {
        known_.app = read.app;
        apps_at_ = at;
        if (!queries) return;
        known_.prometheus = read.prometheus;
        queries_at_ = at;
    }

    Options options_;
    OutsideWanted wanted_{};
    std::uint64_t generation_ = 0;  ///< of what is wanted: an answer to an earlier wish is thrown away
    OutsideReadings known_{};
    std::optional<MonoTime> apps_at_{}, queries_at_{};
    Worker worker_;
};

}  // namespace

Status check_loopback_url(const std::string& url) {
    constexpr std::string_view scheme = "http://";
    const std::string hint = "write http://127.0.0.1:8080/metrics";
    if (!url.starts_with(scheme)) return fail("it is read over http on this host", 0, {}, hint);
    const std::string_view rest = std::string_view(url).substr(scheme.size());
    const std::string_view place = rest.substr(0, rest.find_first_of("/?#"));
    if (url.find_first_of(" \t\r\n@") != std::string::npos) return fail("it holds a blank or a user name", 0, {}, hint);
    const std::size_t colon = place.rfind(':');
    std::uint64_t port = 0;
    constexpr std::uint64_t most_port = 65535;
    if (colon == std::string_view::npos || !parse_u64(place.substr(colon + 1), port) || port == 0 || port > most_port)
        return fail("the port is missing, or none", 0, {}, hint);
    const std::string host(place.substr(0, colon));
    in_addr v4{};
    if (host == "localhost" || host == "[::1]") return {};
    if (::inet_pton(AF_INET, host.c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24U) == 127) return {};
    return fail(fmt::format("{} is not this host's loopback", host.empty() ? "the host" : clean_text(host, 80)), 0, {},
                "the daemon fetches from 127.0.0.0/8, [::1] and localhost only");
}

std::unique_ptr<OutsideReader> OutsideReader::make(const Options& options) {
    return std::make_unique<RealOutsideReader>(options);
}

}  // namespace gotuned
