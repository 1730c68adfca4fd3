// A peer that answers as systemd does on its own socket: an sd-bus server in a thread of the test, with the few methods
// that are used. It keeps drop-ins in files and writes cgroup files, as the manager would: what the real one does is
// tested in the virtual machines.
#pragma once

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "base/value.h"
#include "catch.h"
#include "temporary.h"

namespace gotuned::test {

class SystemdPeer {
public:
    /// Listens at FOLDER/private, for the unit that has `cgroup`, whose files are in `files`.
    SystemdPeer(const Temporary& dir, std::string unit, std::string cgroup, std::string files)
        : dir_(dir), unit_(std::move(unit)), cgroup_(std::move(cgroup)), files_(std::move(files)) {
        std::filesystem::create_directories(dir / "systemd/system");
        const std::string path = dir / "systemd/private";
        listening_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        REQUIRE(path.size() < sizeof address.sun_path);
        path.copy(address.sun_path, path.size());
        REQUIRE(::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listening_.get(), 16) == 0);
        stop_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        REQUIRE(stop_.valid());
    }
    ~SystemdPeer() {
        const std::uint64_t one = 1;
        static_cast<void>(!::write(stop_.get(), &one, sizeof one));
        if (thread_.joinable()) thread_.join();
    }
    SystemdPeer(const SystemdPeer&) = delete;
    SystemdPeer& operator=(const SystemdPeer&) = delete;

    /// Until then it is as one that was stopped: connections are queued, and nobody answers.
    void answer() {
        thread_ = std::thread([this] { run(); });
    }

    /// What the unit's own files say: setting → text of the cgroup file.
    void own(const std::string& setting, const std::string& text) {
        const std::lock_guard lock(mutex_);
        own_[setting] = text;
    }
    /// What the kernel does with a value, beside holding it.
    std::function<void(const std::string& setting, const std::string& text)> takes_effect{};
    void refuse(bool on) { refuses_ = on; }
    /// As systemd 257: at Reload it learns what units have now, and leaves the files of running ones as they are.
    void leave_files_at_reload() { leaves_files_ = true; }
    [[nodiscard]] int reloads() const { return reloads_; }
    [[nodiscard]] int sets() const { return sets_; }
    [[nodiscard]] std::string drop_in(const std::string& setting) const {
        return dir_ / fmt::format("systemd/system.control/{}.d/50-{}.conf", unit_, setting);
    }
    void daemon_reload() {
        const std::lock_guard lock(mutex_);
        read_again();
    }

private:
    static std::string file_of(const std::string& setting) {
        static const std::map<std::string, std::string> files = {{"MemoryHigh", "memory.high"},
                                                                 {"TasksMax", "pids.max"},
                                                                 {"CPUWeight", "cpu.weight"},
                                                                 {"CPUQuota", "cpu.max"},
                                                                 {"AllowedCPUs", "cpuset.cpus"}};
        const auto found = files.find(setting);
        return found == files.end() ? "" : found->second;
    }
    void put(const std::string& setting, const std::string& text) const {
        static_cast<void>(replace_file(files_ + "/" + file_of(setting), text + "\n"));
        if (takes_effect) takes_effect(setting, text);
    }
    void read_again() {
        if (leaves_files_) return;
        for (const auto& [setting, text] : own_) put(setting, set_of(setting, text));
    }
    /// As the cgroup file has it: by the drop-in, or else `own`.
    [[nodiscard]] std::string set_of(const std::string& setting, const std::string& own) const {
        const auto content = read_file(drop_in(setting));
        if (!content) return own;
        const auto at = content->rfind(setting + "=") + setting.size() + 1;
        return in_kernel(setting, std::string(trim(content->substr(at))));
    }
    static std::string in_kernel(const std::string& setting, const std::string& text) {
        if (setting == "CPUQuota") return fmt::format("{} 100000", std::stoull(text) * 1000);
        return text == "infinity" ? "max" : text;
    }

    static int on_set(sd_bus_message* message, void* data, sd_bus_error* error) {
        auto& self = *static_cast<SystemdPeer*>(data);
        const std::lock_guard lock(self.mutex_);
        if (self.refuses_)
            return sd_bus_error_set(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                    "Interactive authentication required.");
        const char* unit = nullptr;
        const char* property = nullptr;
        int runtime = 0;
        int status = sd_bus_message_read(message, "sb", &unit, &runtime);
        if (status >= 0) status = sd_bus_message_enter_container(message, 'a', "(sv)");
        if (status >= 0) status = sd_bus_message_enter_container(message, 'r', "sv");
        if (status >= 0) status = sd_bus_message_read(message, "s", &property);
        if (status < 0) return status;
        if (runtime != 1 || unit != self.unit_) return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "unit");
        std::string setting = property;
        std::string text;
        if (setting == "AllowedCPUs") {
            const void* mask = nullptr;
            std::size_t size = 0;
            status = sd_bus_message_enter_container(message, 'v', "ay");
            if (status >= 0) status = sd_bus_message_read_array(message, 'y', &mask, &size);
            if (status < 0) return status;
            std::vector<int> cpus;
            for (std::size_t i = 0; i < size * 8; ++i)
                if ((static_cast<const std::uint8_t*>(mask)[i / 8] >> (i % 8) & 1) != 0)
                    cpus.push_back(static_cast<int>(i));
            text = CpuSet(cpus).list();
        } else {
            std::uint64_t number = 0;
            status = sd_bus_message_read(message, "v", "t", &number);
            if (status < 0) return status;
            if (setting == "CPUQuotaPerSecUSec") {
                setting = "CPUQuota";
                text = fmt::format("{}%", number / 10000);
            } else {
                text = number == UINT64_MAX ? "infinity" : std::to_string(number);
            }
        }
        if (file_of(setting).empty()) return sd_bus_error_set(error, SD_BUS_ERROR_PROPERTY_READ_ONLY, property);
        ++self.sets_;
        const std::string path = self.drop_in(setting);
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        static_cast<void>(replace_file(path, fmt::format("# made by a call\n[Service]\n{}={}\n", setting, text)));
        self.put(setting, in_kernel(setting, text));
        return sd_bus_reply_method_return(message, "");
    }
    static int on_reload(sd_bus_message* message, void* data, sd_bus_error*) {
        auto& self = *static_cast<SystemdPeer*>(data);
        const std::lock_guard lock(self.mutex_);
        ++self.reloads_;
        self.read_again();
        return sd_bus_reply_method_return(message, "");
    }
    static int on_cgroup(sd_bus*, const char* path, const char*, const char*, sd_bus_message* reply, void* data,
                         sd_bus_error*) {
        const auto& self = *static_cast<SystemdPeer*>(data);
        char* name = nullptr;
        if (sd_bus_path_decode(path, "/org/freedesktop/systemd1/unit", &name) <= 0) return -ENOENT;
        const bool ours = name == self.unit_;
        ::free(name);
        return sd_bus_message_append(reply, "s", ours ? self.cgroup_.c_str() : "");
    }
    /// A property by what the cgroup file would hold.
    static int on_property(sd_bus*, const char*, const char*, const char* property, sd_bus_message* reply, void* data,
                           sd_bus_error*) {
        auto& self = *static_cast<SystemdPeer*>(data);
        const std::lock_guard lock(self.mutex_);
        const std::string setting = std::string_view(property) == "CPUQuotaPerSecUSec" ? "CPUQuota" : property;
        const std::string text = self.set_of(setting, self.own_[setting]);
        if (setting == "AllowedCPUs") {
            CpuSet cpus;
            if (!text.empty() && !CpuSet::parse(text, cpus)) return -EINVAL;
            const std::uint64_t bits =
                cpus.empty() ? 0
                             : std::accumulate(cpus.cpus().begin(), cpus.cpus().end(), std::uint64_t{0},
                                               [](std::uint64_t all, int cpu) { return all | 1ULL << cpu; });
            return sd_bus_message_append_array(reply, 'y', &bits, bits == 0 ? 0 : sizeof bits);
        }
        const bool none = text.empty() || text.starts_with("max");
        const std::uint64_t number = none ? UINT64_MAX : std::stoull(text);
        return sd_bus_message_append(reply, "t", setting == "CPUQuota" && !none ? number * 10 : number);
    }
    static int on_find(sd_bus*, const char*, const char*, void* data, void** found, sd_bus_error*) {
        *found = data;
        return 1;
    }
    static int on_connection(sd_event_source*, int fd, std::uint32_t, void* data) {
        auto& self = *static_cast<SystemdPeer*>(data);
        static const sd_bus_vtable manager[] = {
            SD_BUS_VTABLE_START(0),
            SD_BUS_METHOD("SetUnitProperties", "sba(sv)", "", on_set, SD_BUS_VTABLE_UNPRIVILEGED),
            SD_BUS_METHOD("Reload", "", "", on_reload, SD_BUS_VTABLE_UNPRIVILEGED),
            SD_BUS_VTABLE_END,
        };
        static const sd_bus_vtable service[] = {
            SD_BUS_VTABLE_START(0),
            SD_BUS_PROPERTY("ControlGroup", "s", on_cgroup, 0, 0),
            SD_BUS_PROPERTY("MemoryHigh", "t", on_property, 0, 0),
            SD_BUS_PROPERTY("TasksMax", "t", on_property, 0, 0),
            SD_BUS_PROPERTY("CPUWeight", "t", on_property, 0, 0),
            SD_BUS_PROPERTY("CPUQuotaPerSecUSec", "t", on_property, 0, 0),
            SD_BUS_PROPERTY("AllowedCPUs", "ay", on_property, 0, 0),
            SD_BUS_VTABLE_END,
        };
        const int connection = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection < 0) return 0;
        sd_bus* bus = nullptr;
        sd_id128_t id{};
        sd_id128_randomize(&id);
        sd_bus_new(&bus);
        sd_bus_set_fd(bus, connection, connection);
        sd_bus_set_server(bus, 1, id);
        sd_bus_start(bus);
        sd_bus_add_object_vtable(bus, nullptr, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager,
                                 data);
        sd_bus_add_fallback_vtable(bus, nullptr, "/org/freedesktop/systemd1/unit", "org.freedesktop.systemd1.Service",
                                   service, on_find, data);
        sd_bus_attach_event(bus, self.event_, SD_EVENT_PRIORITY_NORMAL);
        self.connections_.push_back(bus);
        return 0;
    }
    static int on_stop(sd_event_source* source, int, std::uint32_t, void*) {
        return sd_event_exit(sd_event_source_get_event(source), 0);
    }
    void run() {
        sd_event_new(&event_);
        sd_event_add_io(event_, nullptr, listening_.get(), EPOLLIN, on_connection, this);
        sd_event_add_io(event_, nullptr, stop_.get(), EPOLLIN, on_stop, this);
        sd_event_loop(event_);
        for (sd_bus* const bus : connections_) {
            sd_bus_detach_event(bus);
            sd_bus_close_unref(bus);
        }
        sd_event_unref(event_);
    }

    const Temporary& dir_;
    std::string unit_;
    std::string cgroup_;
    std::string files_;
    Fd listening_{};
    Fd stop_{};
    std::mutex mutex_{};
    std::map<std::string, std::string> own_{};
    std::atomic<bool> refuses_{false};
    std::atomic<bool> leaves_files_{false};
    std::atomic<int> reloads_{0};
    std::atomic<int> sets_{0};
    sd_event* event_ = nullptr;
    std::vector<sd_bus*> connections_{};
    std::thread thread_{};
};

}  // namespace gotuned::test
