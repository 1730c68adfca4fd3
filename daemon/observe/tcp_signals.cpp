#include "observe/tcp_signals.h"

#include "observe/slot_signals.h"

namespace gotuned {
namespace {

using enum Signal;

Reading<SignalValue> ratio_of(std::uint64_t part, std::uint64_t whole) {
    if (whole == 0) return Absence::no_data;
    return SignalValue(ratio(static_cast<double>(part) / static_cast<double>(whole)));
}

SignalReading per_second(std::uint64_t amount, Duration over) {
    return {SignalValue(rate(static_cast<double>(amount) / seconds(over))), {over, over}};
}

SignalReading number(std::uint64_t amount) { return {SignalValue(count(static_cast<double>(amount))), {}}; }

}  // namespace

void TcpSignals::set(SignalTable& table, const SlotDelta& delta, MonoTime now, const Absent& not_attached) {
    const auto& tcp = delta.tcp;
    std::erase_if(time_waits_, [now](const Entered& entered) { return now - entered.at >= time_wait; });
    if (tcp.time_waits > 0) time_waits_.push_back({now, tcp.time_waits});
    if (delta.elapsed <= Duration::zero()) return set_absent(table, Absent{Absence::not_observed, {}});
    if (delta.tcp_observed <= Duration::zero()) return set_absent(table, not_attached);
    if (tcp.sent) retransmit_ratio_ = ratio_of(tcp.sent->retransmitted, tcp.sent->segments);
    open_ = tcp.now;
    swept_ = tcp.sent.has_value();
    sent_nothing_ = tcp.sent && tcp.sent->segments == 0;

    const Exposure all{delta.elapsed, delta.elapsed};
    const Absent no_sweep{Absence::not_observed, "the sockets were not looked at in this tick"};
    const auto succeeded = static_cast<std::uint64_t>(tcp.connect_time.count());
    const std::uint64_t connects = succeeded + tcp.connects_failed;
    std::uint64_t waiting = 0;
    for (const Entered& entered : time_waits_) waiting += entered.connections;
    table.set(tcp_segments, tcp.sent ? per_second(tcp.sent->segments, tcp.sent->over) : SignalReading{no_sweep, {}});
    table.set(tcp_retransmit_ratio, {retransmit_ratio_, {}});
    table.set(tcp_connect, per_second(connects, delta.elapsed));
    table.set(tcp_connect_success, {ratio_of(succeeded, connects), all});
    table.set(tcp_connect_time, reading_of(tcp.connect_time, all));
    table.set(tcp_reset, per_second(tcp.resets, delta.elapsed));
    table.set(conn_open, tcp.now ? number(tcp.now->open) : SignalReading{no_sweep, {}});
    table.set(conn_rate, per_second(tcp.established, delta.elapsed));
    table.set(conn_lifetime, reading_of(tcp.lifetime, all));
    table.set(conn_close, per_second(tcp.ended, delta.elapsed));
    table.set(conn_active_close, {ratio_of(tcp.ended_here, tcp.ended), all});
    table.set(conn_close_wait, tcp.now ? number(tcp.now->close_wait) : SignalReading{no_sweep, {}});
    table.set(conn_time_wait, number(waiting));
    table.set(conn_stale, {tcp.now ? ratio_of(tcp.now->stale, tcp.now->open) : no_sweep, {}});
}

void TcpSignals::set_absent(SignalTable& table, const Absent& why) {
    for (const Signal id :
         {tcp_segments, tcp_retransmit_ratio, tcp_connect, tcp_connect_success, tcp_connect_time, tcp_reset, conn_open,
          conn_rate, conn_lifetime, conn_close, conn_active_close, conn_close_wait, conn_time_wait, conn_stale})
        table.set(id, why);
}

bool TcpSignals::same_as_last(const SlotDelta& delta, MonoTime now) const {
    const bool leaves = !time_waits_.empty() && now - time_waits_.front().at >= time_wait;
    const bool swept = delta.tcp.sent.has_value();
    const bool ratio_stays = !swept || !retransmit_ratio_.present();  // nothing sent: no ratio
    // Who did nothing sent nothing, looked at or not: the next sweep tells of all since the last.
    const bool segments_stay = swept == swept_ || (!swept && sent_nothing_);
    return !leaves && delta.tcp.now == open_ && segments_stay && ratio_stays;
}

bool is_empty(const SlotDelta::Tcp& tcp) {
    static const Distribution nothing{};
    return tcp.connect_time == nothing && tcp.lifetime == nothing && tcp.connects_failed == 0 && tcp.resets == 0 &&
           tcp.established == 0 && tcp.ended == 0 && tcp.ended_here == 0 && tcp.time_waits == 0 &&
           (!tcp.sent || tcp.sent->segments == 0);
}

}  // namespace gotuned
