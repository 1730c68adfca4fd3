#include "load.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <thread>

namespace gotuned::bench {

Result<ProcessId> identify(pid_t pid) {
    const std::string folder = "/proc/" + std::to_string(pid);
    std::ifstream file(folder + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_end = text.rfind(')');  // the name may hold anything
    if (name_end == std::string::npos) return fail("cannot read " + folder + "/stat", ESRCH);
    std::istringstream fields(text.substr(name_end + 1));
    std::string field;
    for (int number = 3; number <= 22 && fields >> field; ++number) {
    }
    struct stat exe{};
    if (::stat((folder + "/exe").c_str(), &exe) != 0) return fail("cannot stat " + folder + "/exe", errno);
    return ProcessId{pid, std::stoull(field), exe.st_ino};
}

Result<Load> start_load(const std::string& server, const std::string& count_file) {
    auto process = Child::start({server, "-listen", "127.0.0.1:0", "-count", count_file});
    if (!process) return fail(process.error());
    const auto ready = process->wait_for("\"ready\"", std::chrono::seconds(5));
    if (!ready) return fail(ready.error());
    const std::string key = "\"listen\":\"";
    const std::size_t begin = ready->find(key);
    if (begin == std::string::npos) return fail("the server did not say where it listens: " + *ready);
    const std::string address =
        ready->substr(begin + key.size(), ready->find('"', begin + key.size()) - begin - key.size());
    auto requests = SharedCount::open(count_file);
    if (!requests) return fail(requests.error());
    auto id = identify(process->pid());
    if (!id) return fail(id.error());
    auto wrk = Child::start({"wrk", "-t1", "-c32", "-d86400s", "http://" + address + "/"});
    if (!wrk) return fail(wrk.error());
    return Load{std::move(*process), std::move(*wrk), std::move(*requests), *id};
}

Result<Rate> Load::measure(Duration slice) {
    const auto cpu_before = server.cpu_time();
    const MonoTime before = MonoClock::now();
    const std::uint64_t count_before = requests.value();
    std::this_thread::sleep_for(slice);
    const std::uint64_t count = requests.value() - count_before;
    const Duration took = MonoClock::now() - before;
    const auto cpu_after = server.cpu_time();
    if (!cpu_before || !cpu_after) return fail("the server has ended");
    const double cpu = seconds(*cpu_after - *cpu_before);
    if (count == 0 || cpu <= 0) return fail("the server is not under load: is wrk there?");
    return Rate{static_cast<double>(count) / cpu, static_cast<double>(count) / seconds(took)};
}

}  // namespace gotuned::bench
