#include "rulebook/settings.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "rulebook/profiles.h"
#include "rulebook/schema.h"
#include "rulebook/table.h"

namespace gotuned {
namespace {

using enum FieldType;

constexpr std::array<std::string_view, 2> buckets = {"coarse", "full"};
constexpr std::array<std::string_view, 3> on_stops = {"lease", "keep", "undo"};
constexpr std::array<std::string_view, 4> levels = {"debug", "info", "warning", "error"};
constexpr double day = 86400;

constexpr std::array probes_fields = {
    Field{.key = "budget",
          .type = ratio,
          .doc = "what the probes may cost: of one CPU, and of each watched process's CPU time",
          .fallback = "1%",
          .least = 0.0001,
          .most = 1},
    Field{
        .key = "goroutines",
        .type = texts,
        .doc =
            "services into whose goroutines probes look, for goroutine.netpoll: uprobes in their programs, 0.6 µs for "
            "each time that a goroutine begins to run; off: none",
        .fallback = "off"},
};
constexpr std::array series_fields = {
    Field{.key = "max_services",
          .type = integer,
          .doc = "services with series of their own; further ones are summed as other",
          .fallback = "100",
          .least = 1,
          .most = 10000},
    Field{.key = "max_lines",
          .type = integer,
          .doc = "lines of one scrape",
          .fallback = "30000",
          .least = 1000,
          .most = 1000000},
    Field{.key = "buckets",
          .type = choice,
          .doc = "bounds of exported histograms: coarse is powers of 4, full powers of 2",
          .fallback = "coarse",
          .choices = buckets},
};
constexpr std::array adjust_fields = {
    Field{.key = "per_minute",
          .type = integer,
          .doc = "changes that this node makes in a minute at most",
          .fallback = "10",
          .least = 1,
          .most = 10000},
    Field{.key = "lease",
          .type = time,
          .doc = "how long changes outlive the daemon under systemd; a restart takes up to 3 s",
          .fallback = "30s",
          .least = 5,
          .most = day},
    Field{.key = "on_stop",
          .type = choice,
          .doc = "what becomes of changes when the daemon stops: undone when the lease has run out and it is not back, "
                 "kept, "
                 "or undone at once",
          .fallback = "lease",
          .choices = on_stops},
    Field{.key = "unsafe", .type = flag, .doc = "rules may leave the safe bounds of knobs", .fallback = "false"},
};
constexpr std::array notify_fields = {
    Field{.key = "alertmanager",
          .type = text,
          .doc = "address of an Alertmanager",
          .unbuilt = "notify.alertmanager",
          .nullable = true},
};
constexpr std::array history_fields = {
    Field{.key = "keep",
          .type = time,
          .doc = "how long the history is kept",
          .fallback = "30d",
          .least = 60,
          .most = 3660 * day},
    Field{.key = "max",
          .type = bytes,
          .doc = "how large it may become",
          .fallback = "256MiB",
          .least = 1048576,
          .most = 1099511627776},
};
constexpr std::array log_fields = {
    Field{
        .key = "level", .type = choice, .doc = "the least level that is logged", .fallback = "info", .choices = levels},
};
constexpr Table probes_table = {"probes", "probes", "What the probes may cost.", probes_fields};
constexpr Table series_table = {"series", "series", "Size and form of what is exported.", series_fields};
constexpr Table adjust_table = {"adjust", "adjust", "Limits of adjusting.", adjust_fields};
constexpr Table notify_table = {"notify", "notify", "Whom to tell.", notify_fields};
constexpr Table history_table = {"history", "history", "How much is remembered.", history_fields};
constexpr Table log_table = {"log", "log", "Logging.", log_fields};

constexpr std::array settings_fields = {
    Field{.key = "version", .type = integer, .doc = "of the format", .fallback = "1", .least = 1, .most = 1},
    Field{.key = "profile",
          .type = name,
          .doc = "which packaged rules are enforced, and their thresholds: the name of a file in profiles/",
          .fallback = "observe"},
    Field{.key = "environment",
          .type = text,
          .doc = "label, and default of env(\"GOTUNED_ENVIRONMENT\")",
          .nullable = true},
    Field{.key = "tick", .type = time, .doc = "time between Snapshots", .fallback = "5s", .least = 0.1, .most = 600},
    Field{.key = "prometheus",
          .type = text,
          .doc =
              "address of the Prometheus that prometheus(\"…\") in rules asks, every 15 s or at each tick if that is "
              "longer: http://127.0.0.1:9090",
          .nullable = true},
    Field{.key = "listen",
          .type = texts,
          .doc = "addresses of the HTTP server: host:port, [v6]:port, unix:/path",
          .fallback = "127.0.0.1:9713"},
    Field{.key = "web_config",
          .type = text,
          .doc = "TLS and basic auth, in the form of Prometheus' exporters",
          .unbuilt = "web_config",
          .nullable = true},
    Field{.key = "plain", .type = flag, .doc = "listen without TLS where others can reach it", .fallback = "false"},
    Field{.key = "probes", .type = map, .doc = "what the probes may cost", .table = &probes_table},
    Field{.key = "series", .type = map, .doc = "size and form of what is exported", .table = &series_table},
    Field{.key = "adjust", .type = map, .doc = "limits of adjusting", .table = &adjust_table},
    Field{.key = "notify", .type = map, .doc = "whom to tell", .table = &notify_table},
    Field{.key = "history", .type = map, .doc = "how much is remembered", .table = &history_table},
    Field{.key = "log", .type = map, .doc = "logging", .table = &log_table},
};
constexpr Table settings_table = {"gotuned.yaml", "settings", "Settings of gotuned; everything has a default.",
                                  settings_fields};

constexpr std::uint64_t most_port = 65535;

bool port_within(const std::string& address, std::uint64_t least) {
    std::uint64_t port = 0;
    return parse_u64(address.substr(address.rfind(':') + 1), port) && port >= least && port <= most_port;
}

bool is_local(const std::string& address) {
    if (address.starts_with("unix:") || address.starts_with("localhost:")) return true;
    const std::string host = address.substr(0, address.rfind(':'));
    in_addr v4{};
    if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
    return host == "[::1]";
}

/// Without a directory of profiles nothing is known against a name: the rulebook's errors will tell.
void check_profile(const YamlFile& file, const std::string& profiles, Errors& errors) {
    const YamlNode* node = file.root.find("profile");
    std::error_code ignored;
    if (node == nullptr || !is_kebab_case(node->text) || !std::filesystem::is_directory(profiles, ignored)) return;
    if (std::string hint = missing_profile(node->text, profiles); !hint.empty())
        errors.add(file, node->offset, fmt::format("there is no profile {}", node->text), std::move(hint));
}

void read_listen(const YamlFile& file, const YamlNode* node, Settings& settings, Errors& errors) {
    const std::vector<const YamlNode*> texts = read_texts(node);
    if (texts.empty()) return;
    settings.listen.clear();
    for (const YamlNode* text : texts) {
        std::string wrong = wrong_address(text->text);
        // A scrape configuration cannot follow a port that changes at each start.
        if (wrong.empty() && !text->text.starts_with("unix:") && !port_within(text->text, 1))
            wrong = "the port is 1 to 65535";
        if (!wrong.empty()) {
            errors.add(file, text->offset,
                       fmt::format("{} is not an address to listen on", clean_text(text->text, 120)), wrong);
        } else if (!settings.plain && !is_local(text->text)) {
            errors.add(file, text->offset,
                       fmt::format("others can reach {}, and TLS is not built yet in this version",
                                   clean_text(text->text, 120)),
                       "plain: true allows it without TLS; else listen on 127.0.0.1");
        }
        settings.listen.push_back(text->text);
    }
}

template <typename T, typename U>
void set(T& out, const std::optional<U>& value) {
    if (value) out = static_cast<T>(*value);
}
void set_text(std::string& out, const YamlNode* node) {
    if (node != nullptr && node->is(YamlNode::Kind::scalar)) out = node->text;
}
bool is_text(const YamlNode* node, std::string_view text) { return node != nullptr && node->text == text; }

Settings read_settings(const YamlFile& file, Errors& errors) {
    Settings settings;
    const YamlNode& root = file.root;
    const auto in = [&](std::string_view key, std::string_view inner) -> const YamlNode* {
        const YamlNode* map = root.find(key);
        return map == nullptr ? nullptr : map->find(inner);
    };
    set_text(settings.profile, root.find("profile"));
    set_text(settings.environment, root.find("environment"));
    set(settings.tick, read_time(root.find("tick")));
    set(settings.plain, read_flag(root.find("plain")));
    set_text(settings.prometheus, root.find("prometheus"));
    if (const std::string& url = settings.prometheus;
        !url.empty() && !url.starts_with("http://") && !url.starts_with("https://"))
        errors.add(file, root.find("prometheus")->offset,
                   fmt::format("{} is no address of a Prometheus", clean_text(url, 120)),
                   "write http://127.0.0.1:9090");
    read_listen(file, root.find("listen"), settings, errors);
    set(settings.probes.budget, read_ratio(in("probes", "budget")));
    for (const YamlNode* service : read_texts(in("probes", "goroutines")))
        if (service->text != "off") settings.probes.goroutines.push_back(service->text);
    set(settings.series.max_services, read_integer(in("series", "max_services")));
    set(settings.series.max_lines, read_integer(in("series", "max_lines")));
    settings.series.full_buckets = is_text(in("series", "buckets"), "full");
    set(settings.adjust.per_minute, read_integer(in("adjust", "per_minute")));
    set(settings.adjust.lease, read_time(in("adjust", "lease")));
    if (is_text(in("adjust", "on_stop"), "keep")) settings.adjust.on_stop = Settings::OnStop::keep;
    if (is_text(in("adjust", "on_stop"), "undo")) settings.adjust.on_stop = Settings::OnStop::undo;
    set(settings.adjust.unsafe_bounds, read_flag(in("adjust", "unsafe")));
    set(settings.history.keep, read_time(in("history", "keep")));
    set(settings.history.max_bytes, read_bytes(in("history", "max")));
    for (std::size_t i = 0; i < levels.size(); ++i) {
        if (is_text(in("log", "level"), levels[i])) settings.log.level = static_cast<LogLevel>(i);
    }
    return settings;
}

}  // namespace

std::string wrong_address(const std::string& address) {
    if (address.starts_with("unix:")) {
        if (!address.starts_with("unix:/")) return "a unix socket has an absolute path: unix:/run/gotuned/http.sock";
        return address.size() - 5 > 107 ? "the path of a unix socket has at most 107 bytes" : "";
    }
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos) return "the port is missing: 127.0.0.1:9713";
    if (!port_within(address, 0)) return "the port is 1 to 65535, or 0 for one that is free";
    std::string host = address.substr(0, colon);
    std::array<unsigned char, 16> binary{};
    if (host.empty() || host == "localhost" || ::inet_pton(AF_INET, host.c_str(), binary.data()) == 1) return {};
    const bool brackets = host.starts_with('[') && host.ends_with(']');
    if (brackets) host = host.substr(1, host.size() - 2);
    if (::inet_pton(AF_INET6, host.c_str(), binary.data()) != 1) return "the host is an IP address or localhost";
    return brackets ? "" : "an IPv6 address stands in brackets: [::1]:9713";
}

bool reachable_by_others(const std::string& address) { return !is_local(address); }

tl::expected<Settings, Diagnostics> load_settings(const std::string& path, const std::string& profiles) {
    auto text = gotuned::read_file(path, yaml_size_limit);
    if (!text) {
        if (text.error().code == ENOENT) return Settings{};
        const bool large = text.error().code == EFBIG;
        return tl::unexpected(
            Diagnostics{{{path, 0, 0},
                         large ? "the file is larger than 1 MiB" : "cannot be read: " + errno_words(text.error().code),
                         {},
                         {}}});
    }
    Diagnostics wrong;
    const YamlFile file = parse_yaml(path, std::move(*text), wrong);
    if (!wrong.empty()) return tl::unexpected(std::move(wrong));
    if (file.empty) return Settings{};
    Errors errors;
    check_map(file, file.root, settings_table, errors);
    check_profile(file, profiles, errors);
    Settings settings = read_settings(file, errors);
    if (!errors.none()) return tl::unexpected(errors.take());
    return settings;
}

std::string settings_schema() { return json_schema(settings_table, "gotuned.yaml"); }

}  // namespace gotuned
