#include "tune/systemd_units.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "base/text.h"
#include "tune/crash_point.h"

namespace gotuned {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* destination = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";

struct CloseBus {
    void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
};
using Bus = std::unique_ptr<sd_bus, CloseBus>;
struct UnrefMessage {
    void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, UnrefMessage>;

/// What went wrong in a call, with systemd's own words.
class BusError {
public:
    BusError() = default;
    BusError(const BusError&) = delete;
    BusError& operator=(const BusError&) = delete;
    ~BusError() { sd_bus_error_free(&error_); }
    sd_bus_error* get() { return &error_; }
    [[nodiscard]] Error error(const std::string& what, int negative) const {
        std::string words = what;
        if (error_.message != nullptr && -negative != ETIMEDOUT) words += ": " + clean_text(error_.message);
        return {words, {}, -negative, -negative == ETIMEDOUT ? "systemd or its bus does not answer" : ""};
    }

private:
    sd_bus_error error_{};  // SD_BUS_ERROR_NULL
};

std::uint64_t microseconds(Clock::duration duration) {
    const auto count = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    return count > 0 ? static_cast<std::uint64_t>(count) : 1;  // 0 is sd-bus's default of 25 s
}

/// Connected and greeted, or not, within the patience: neither may hang where the other end is stopped.
Result<Bus> open_bus(const std::string& address, bool of_a_bus_daemon) {
    const auto until = Clock::now() + manager_patience;
    sd_bus* made = nullptr;
    int error = sd_bus_new(&made);
    Bus bus(made);
    if (error >= 0) error = sd_bus_set_address(bus.get(), address.c_str());
    if (error >= 0) error = sd_bus_set_bus_client(bus.get(), of_a_bus_daemon ? 1 : 0);
    if (error >= 0) error = sd_bus_set_method_call_timeout(bus.get(), microseconds(manager_patience));
    if (error >= 0) error = sd_bus_start(bus.get());
    while (error >= 0) {
        error = sd_bus_is_ready(bus.get());
        if (error > 0) return bus;
        if (error >= 0) error = sd_bus_process(bus.get(), nullptr);
        if (error == 0) {
            const auto left = until - Clock::now();
            error = left.count() <= 0 ? -ETIMEDOUT : sd_bus_wait(bus.get(), microseconds(left));
        }
    }
    return fail("cannot connect to systemd at " + address, -error, {},
                error == -ETIMEDOUT ? "systemd or its bus does not answer" : "");
}

/// systemd listens for root itself, also where there is no bus daemon; systemctl prefers that socket, too.
Result<Bus> connect(const Roots& roots) {
    const std::string own = roots.systemd + "/private";
    auto direct = open_bus("unix:path=" + own, false);
    if (direct || direct.error().code == ETIMEDOUT) return direct;
    constexpr const char* system_bus = "/run/dbus/system_bus_socket";
    if (roots.systemd != Roots{}.systemd || ::access(system_bus, F_OK) != 0) return direct;
    return open_bus(fmt::format("unix:path={}", system_bus), true);
}

Result<Message> new_call(sd_bus& bus, const char* member) {
    sd_bus_message* made = nullptr;
    const int error = sd_bus_message_new_method_call(&bus, &made, destination, manager_path, manager_interface, member);
    if (error < 0) return fail("cannot make a message", -error);
    return Message(made);
}

Status call(sd_bus& bus, Message message, const std::string& what, Clock::duration patience) {
    BusError error;
    const int status = sd_bus_call(&bus, message.get(), microseconds(patience), error.get(), nullptr);
    if (status < 0) return fail(error.error(what, status));
    return {};
}

/// "Service" of "web.service": the interface that has the cgroup among its properties.
std::string interface_of(const std::string& unit) {
    std::string kind = unit.substr(unit.rfind('.') + 1);
    kind[0] = static_cast<char>(kind[0] - 'a' + 'A');
    return std::string(destination) + "." + kind;
}

Result<std::string> path_of(const std::string& unit) {
    char* path = nullptr;
    if (const int error = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path); error < 0)
        return fail("cannot make a path of " + unit, -error);
    const std::unique_ptr<char, decltype(&::free)> held(path, ::free);
    return std::string(path);
}

/// The cgroup that systemd has for a unit; empty when it has none. systemd dispatches one message at a time and writes
/// the cgroups' files in between: an answer to this one also says that those of the last change are written.
Result<std::string> cgroup_of_unit(sd_bus& bus, const std::string& unit) {
    const auto path = path_of(unit);
    if (!path) return fail(path.error());
    BusError error;
    char* cgroup = nullptr;
    const int status = sd_bus_get_property_string(&bus, destination, path->c_str(), interface_of(unit).c_str(),
                                                  "ControlGroup", error.get(), &cgroup);
    const std::unique_ptr<char, decltype(&::free)> held(cgroup, ::free);
    if (status < 0) return fail(error.error("cannot ask systemd for the cgroup of " + unit, status));
    return std::string(cgroup);
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

constexpr std::array<std::string_view, 6> kinds = {".service", ".scope", ".slice", ".socket", ".mount", ".swap"};
bool is_unit(std::string_view name) {
    return std::any_of(kinds.begin(), kinds.end(),
                       [&](std::string_view kind) { return name.ends_with(kind) && name.size() > kind.size(); });
}

/// Where drop-ins are looked for, what counts more first (systemd.unit(5)).
std::vector<std::string> unit_folders(const Roots& roots) {
    const std::string& run = roots.systemd;
    return {"/etc/systemd/system.control",
            run + "/system.control",
            run + "/transient",
            run + "/generator.early",
            "/etc/systemd/system",
            "/etc/systemd/system.attached",
            run + "/system",
            run + "/system.attached",
            run + "/generator",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
            run + "/generator.late"};
}

/// "a-b@c.service" has its drop-ins also in a-b@.service.d, a-.service.d and service.d.
std::vector<std::string> drop_in_folders(const std::string& unit) {
    std::vector<std::string> folders{unit + ".d"};
    const std::string kind = unit.substr(unit.rfind('.'));
    const std::string stem = unit.substr(0, unit.rfind('.'));
    if (const auto at = stem.find('@'); at != std::string::npos)
        folders.push_back(stem.substr(0, at + 1) + kind + ".d");
    for (std::size_t dash = stem.find('-'); dash != std::string::npos; dash = stem.find('-', dash + 1))
        folders.push_back(stem.substr(0, dash + 1) + kind + ".d");
    folders.push_back(kind.substr(1) + ".d");
    return folders;
}

bool sets(const std::string& file, std::string_view setting) {
    const auto content = read_file(file);
    if (!content) return false;
    const auto lines = split(*content, '\n');
    return std::any_of(lines.begin(), lines.end(), [&](std::string_view line) {
        const auto equals = line.find('=');
        return equals != std::string_view::npos && trim(line.substr(0, equals)) == setting;
    });
}

Status remove_drop_in(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail("cannot remove " + path, errno);
    // Stays when others of the unit are in it.
    static_cast<void>(::rmdir(path.substr(0, path.rfind('/')).c_str()));
    return {};
}

Status write_drop_in(const std::string& path, const std::string& text) {
    const std::string folder = path.substr(0, path.rfind('/'));
    // Whatever our umask: anybody may read what a unit is set to.
    if (::mkdir(folder.c_str(), 0755) == 0) static_cast<void>(::chmod(folder.c_str(), 0755));
    auto written = replace_file(path, text);
    if (written) static_cast<void>(::chmod(path.c_str(), 0644));
    return written;
}

}  // namespace

std::vector<std::uint8_t> unit_mask(const CpuSet& cpus) {
    std::vector<std::uint8_t> mask;
    for (const int cpu : cpus.cpus()) {
        const auto byte = static_cast<std::size_t>(cpu) / 8;
        if (mask.size() <= byte) mask.resize(byte + 1);
        mask[byte] = static_cast<std::uint8_t>(mask[byte] | (1U << (static_cast<unsigned>(cpu) % 8)));
    }
    return mask;
}

CpuSet cpus_of_mask(const std::vector<std::uint8_t>& mask) {
    std::vector<int> cpus;
    for (std::size_t cpu = 0; cpu < mask.size() * 8; ++cpu)
        if ((static_cast<unsigned>(mask[cpu / 8]) >> (cpu % 8) & 1U) != 0) cpus.push_back(static_cast<int>(cpu));
    return CpuSet(std::move(cpus));
}

Duration unit_patience(const Roots& roots) {
    if (::access((roots.systemd + "/system").c_str(), F_OK) != 0) return {};
    return manager_patience + reload_patience;
}

std::string unit_of_cgroup(const Roots& roots, std::string_view place) {
    if (::access((roots.systemd + "/system").c_str(), F_OK) != 0) return {};
    if (!place.starts_with('/') || place.size() == 1) return {};
    std::vector<std::string_view> parts = split(place.substr(1), '/');
    const std::string_view last = parts.back();
    parts.pop_back();
    const bool of_the_system =
        std::all_of(parts.begin(), parts.end(), [](std::string_view part) { return part.ends_with(".slice"); });
    if (!of_the_system || !is_unit(last)) return {};
    // systemd writes '_' before what the kernel could take for a file of its own ("cpu.service").
    return std::string(last.starts_with('_') ? last.substr(1) : last);
}

Result<DropIn> find_drop_in(const Roots& roots, const std::string& unit, const UnitSetting& setting) {
    const std::string transient = roots.systemd + "/transient";
    const bool made_over_the_bus = ::access((transient + "/" + unit).c_str(), F_OK) == 0;
    DropIn drop_in{fmt::format("{}/{}.d/50-{}.conf", made_over_the_bus ? transient : roots.systemd + "/system.control",
                               unit, setting.name),
                   {}};
    auto text = read_file(drop_in.path);
    if (text)
        drop_in.text = std::move(*text);
    else if (text.error().code != ENOENT)
        return fail(text.error());
    return drop_in;
}

Status drop_in_objection(const Roots& roots, const std::string& unit, const UnitSetting& setting) {
    const auto ours = find_drop_in(roots, unit, setting);
    if (!ours) return fail(ours.error());
    const std::string name(base_name(ours->path));
    bool before_ours = true;  // of files with the same name the first counts
    for (const std::string& root : unit_folders(roots)) {
        if (ours->path.starts_with(root + "/")) before_ours = false;
        for (const std::string& folder : drop_in_folders(unit)) {
            std::error_code error;
            for (std::filesystem::directory_iterator entry(root + "/" + folder, error), end; !error && entry != end;
                 entry.increment(error)) {
                const std::string other = entry->path().filename();
                const bool wins = other > name || (other == name && before_ours);
                if (!wins || !other.ends_with(".conf") || !sets(entry->path(), setting.name)) continue;
                return fail(fmt::format("{} of {} is set by {}, which comes after {}: the next daemon-reload would "
                                        "take ours away",
                                        setting.name, unit, entry->path().string(), name),
                            0, {}, "set it in the unit's own file, or in a drop-in that sorts before 50-");
            }
        }
    }
    std::string folder = ours->path.substr(0, ours->path.rfind('/'));
    while (::access(folder.c_str(), F_OK) != 0 && folder.size() > roots.systemd.size())
        folder.resize(folder.rfind('/'));
    if (::access(folder.c_str(), W_OK) != 0)
        return fail(fmt::format("{} of {} could not be put back: {} cannot be written", setting.name, unit, folder),
                    errno, {}, "the packaged unit has it in ReadWritePaths=");
    return {};
}

Result<bool> set_unit_property(const Roots& roots, const std::string& unit, std::string_view place,
                               const UnitSetting& setting, const UnitValue& value) {
    const std::string what = fmt::format("cannot set {} of {}", setting.property, unit);
    const auto bus = connect(roots);
    if (!bus) return fail(bus.error());
    const auto cgroup = cgroup_of_unit(**bus, unit);
    if (!cgroup) return fail(cgroup.error());
    if (*cgroup != place) return false;
    auto message = new_call(**bus, "SetUnitProperties");
    if (!message) return fail(message.error());
    sd_bus_message* const raw = message->get();
    int error = sd_bus_message_append(raw, "sb", unit.c_str(), 1);
    if (error >= 0) error = sd_bus_message_open_container(raw, 'a', "(sv)");
    if (error >= 0) error = sd_bus_message_open_container(raw, 'r', "sv");
    if (error >= 0) error = sd_bus_message_append(raw, "s", std::string(setting.property).c_str());
    if (const auto* const number = std::get_if<std::uint64_t>(&value)) {
        if (error >= 0) error = sd_bus_message_append(raw, "v", "t", *number);
    } else {
        const auto& mask = std::get<std::vector<std::uint8_t>>(value);
        if (error >= 0) error = sd_bus_message_open_container(raw, 'v', "ay");
        if (error >= 0) error = sd_bus_message_append_array(raw, 'y', mask.data(), mask.size());
        if (error >= 0) error = sd_bus_message_close_container(raw);
    }
    if (error >= 0) error = sd_bus_message_close_container(raw);
    if (error >= 0) error = sd_bus_message_close_container(raw);
    if (error < 0) return fail(what, -error);
    crash_point("before unit property");
    if (auto set = call(**bus, std::move(*message), what, manager_patience); !set) return fail(set.error());
    crash_point("after unit property");
    // The cgroup's file is written when the next message is answered.
    if (const auto done = cgroup_of_unit(**bus, unit); !done) return fail(done.error());
    return true;
}

Result<UnitValue> unit_property(const Roots& roots, const std::string& unit, const UnitSetting& setting) {
    const std::string what = fmt::format("cannot ask systemd for {} of {}", setting.property, unit);
    const auto bus = connect(roots);
    if (!bus) return fail(bus.error());
    const auto path = path_of(unit);
    if (!path) return fail(path.error());
    BusError error;
    sd_bus_message* answer = nullptr;
    int status = sd_bus_call_method(bus->get(), destination, path->c_str(), "org.freedesktop.DBus.Properties", "Get",
                                    error.get(), &answer, "ss", interface_of(unit).c_str(),
                                    std::string(setting.property).c_str());
    const Message held(answer);
    if (status < 0) return fail(error.error(what, status));
    const char* contents = nullptr;
    status = sd_bus_message_peek_type(answer, nullptr, &contents);
    if (status <= 0 || contents == nullptr) return fail(what, EPROTO);
    const std::string type = contents;
    status = sd_bus_message_enter_container(answer, 'v', type.c_str());
    std::uint64_t number = 0;
    const void* mask = nullptr;
    std::size_t size = 0;
    if (status >= 0) {
        if (type == "t")
            status = sd_bus_message_read(answer, "t", &number);
        else
            status = type == "ay" ? sd_bus_message_read_array(answer, 'y', &mask, &size) : -EPROTO;
    }
    if (status < 0) return fail(what, -status);
    if (type == "t") return UnitValue(number);
    const auto* const bytes = static_cast<const std::uint8_t*>(mask);
    return UnitValue(std::vector<std::uint8_t>(bytes, bytes + size));
}

Result<bool> put_drop_in_back(const Roots& roots, const std::string& unit, std::string_view place,
                              const DropIn& former) {
    const auto bus = connect(roots);
    if (!bus) return fail(bus.error());
    if (!place.empty()) {
        const auto cgroup = cgroup_of_unit(**bus, unit);
        if (!cgroup) return fail(cgroup.error());
        if (*cgroup != place) return false;
    }
    crash_point("before drop-in removal");
    const auto put = former.text ? write_drop_in(former.path, *former.text) : remove_drop_in(former.path);
    if (!put) return fail(put.error());
    crash_point("after drop-in removal");
    auto message = new_call(**bus, "Reload");
    if (!message) return fail(message.error());
    if (auto reloaded = call(**bus, std::move(*message), "cannot have systemd read its units again", reload_patience);
        !reloaded)
        return fail(reloaded.error());
    if (const auto done = cgroup_of_unit(**bus, unit); !done) return fail(done.error());
    return true;
}

}  // namespace gotuned
