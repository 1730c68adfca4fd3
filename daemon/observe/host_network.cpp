#include "observe/host_network.h"

#include "base/text.h"
#include "observe/held_directory.h"
#include "observe/net_tables.h"
#include "observe/sysctl.h"

namespace gotuned {
namespace {

using enum Signal;

Reading<std::string> file(const Roots& roots, const std::string& name) {
    auto content = read_file(roots.proc + "/" + name);
    if (!content) return absent_of(content.error());
    return std::move(*content);
}

Reading<std::uint64_t> sysctl_number(const Roots& roots, std::string_view name, std::size_t field = 0) {
    const auto text = read_sysctl(roots, name);
    if (!text) return text.absent();
    const auto fields = split(*text, '\t');
    std::uint64_t number = 0;
    if (field >= fields.size() || !parse_u64(fields[field], number))
        return Absent{Absence::malformed, std::string(name) + " is \"" + text->substr(0, 40) + "\""};
    return number;
}

SignalReading share(const Reading<std::uint64_t>& part, const Reading<std::uint64_t>& whole) {
    if (!part || !whole) return {part ? whole.absent() : part.absent(), {}};
    if (*whole == 0) return {Absent{Absence::no_data, "the limit is 0"}, {}};
    return {SignalValue(ratio(static_cast<double>(*part) / static_cast<double>(*whole))), {}};
}

}  // namespace

void HostNetwork::read(SignalTable& table, const Roots& roots, MonoTime now) {
    const auto netstat = file(roots, "net/netstat");
    const auto counter = [&netstat](std::string_view name) -> Reading<std::uint64_t> {
        if (!netstat) return netstat.absent();
        return net_counter(*netstat, "TcpExt", name);
    };
    table.set(host_tcp_listen_overflow, overflows_.signal(counter("ListenOverflows"), now, unit::per_second));
    table.set(host_tcp_syn_drop, syn_drops_.signal(counter("TCPReqQFullDrop"), now, unit::per_second));

    const auto sockstat = file(roots, "net/sockstat");
    const auto sockets = [&sockstat](std::string_view name) -> Reading<std::uint64_t> {
        if (!sockstat) return sockstat.absent();
        return socket_number(*sockstat, "TCP", name);
    };
    table.set(
        host_tcp_timewait,
        {sockets("tw").map([](std::uint64_t value) { return SignalValue(count(static_cast<double>(value))); }), {}});
    constexpr std::size_t most = 2;  // tcp_mem: low, pressure, high, in pages as `mem` is
    table.set(host_tcp_memory, share(sockets("mem"), sysctl_number(roots, "net.ipv4.tcp_mem", most)));
    table.set(host_conntrack_used, share(sysctl_number(roots, "net.netfilter.nf_conntrack_count"),
                                         sysctl_number(roots, "net.netfilter.nf_conntrack_max")));
}

}  // namespace gotuned
