#include "discover/inspector.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "discover/inspector_child.h"

namespace gotuned {
namespace {

Recognition understand(const InspectorReply& reply) {
    const auto text = [](const auto& bytes, std::size_t size) {
        return clean_text(std::string_view(bytes.data(), std::min(size, bytes.size())));
    };
    Recognition out;
    switch (reply.outcome) {
        case BuildInfoOutcome::found:
            out.kind = Recognition::Kind::go;
            out.build.version = text(reply.version, reply.version_size);
            out.build.module = text(reply.module, reply.module_size);
            out.build.pointer_size = reply.pointer_size == 4 ? 4 : 8;
            out.build.big_endian = reply.big_endian != 0;
            if (reply.symbols.outcome <= SymbolsOutcome::not_supported)
                out.build.symbols = std::make_shared<const GoSymbols>(reply.symbols);
            return out;
        case BuildInfoOutcome::not_elf:
        case BuildInfoOutcome::no_build_info:
            out.kind = Recognition::Kind::not_go;
            break;
        default:
            out.kind = Recognition::Kind::failed;
            break;
    }
    out.reason = describe(reply.outcome);
    return out;
}

}  // namespace

Result<std::unique_ptr<Inspector>> Inspector::make(const Options& options) {
    auto filter = make_inspector_filter();
    if (!filter) return fail(filter.error());
    Fd poll(::epoll_create1(EPOLL_CLOEXEC));
    if (!poll.valid()) return fail("cannot make the inspector's epoll descriptor", errno);
    return std::unique_ptr<Inspector>(new Inspector(options, std::move(*filter), std::move(poll)));
}

Inspector::Inspector(const Options& options, std::vector<sock_filter> filter, Fd poll)
    : options_(options), filter_(std::move(filter)), poll_(std::move(poll)) {}

Inspector::~Inspector() {
    end_child();
    // It dies with us in any case (PR_SET_PDEATHSIG): a file system that hangs under it must not hold us here.
    for (int i = 0; i < 1000 && !ended_.empty(); ++i) {
        reap();
        if (!ended_.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

Status Inspector::start() {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return fail("cannot make the inspector's socket pair", errno);
    }
    Fd ours(ends[0]);
    const Fd theirs(ends[1]);
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, ours.get(), &event) != 0)
        return fail("cannot watch the inspector", errno);
    Confinement confinement;
    confinement.filter = &filter_;
    const pid_t pid = ::fork();
    if (pid < 0) return fail("cannot start the inspector", errno);
    if (pid == 0) run_inspector_child(theirs.get(), confinement);
    child_ = pid;
    socket_ = std::move(ours);
    confined_ = false;
    answered_ = 0;
    return {};
}

Status Inspector::send(const Question& question) {
    InspectorRequest request{question.id};
    iovec bytes{&request, sizeof request};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* attached = CMSG_FIRSTHDR(&message);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = question.executable.get();
    std::memcpy(CMSG_DATA(attached), &fd, sizeof fd);
    while (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        // A child that has just died is found out by collect(), which puts the question to the next one.
        if (errno == EPIPE || errno == ECONNRESET) return {};
        if (errno != EINTR) return fail("cannot ask the inspector", errno);
    }
    return {};
}

Status Inspector::ask(std::uint64_t id, Fd executable) {
    // One that has answered enough is retired once nothing is under way.
    if (child_ != 0 && asked_.empty() && answered_ >= options_.answers) retire();
    if (child_ == 0) {
        if (auto started = start(); !started) return started;
    }
    asked_.push_back({id, std::move(executable)});
    auto sent = send(asked_.back());
    if (!sent) asked_.pop_back();
    return sent;
}

/// False when nothing more is there, or the child has ended (then `ended` says how).
bool Inspector::receive(std::vector<Answer>& answers, std::string& ended) {
    InspectorReply reply;
    const ssize_t got = ::recv(socket_.get(), &reply, sizeof reply, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) return true;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    if (got != static_cast<ssize_t>(sizeof reply)) {
        ended = "the inspector died while reading it";
        return false;
    }
    if (reply.tag == InspectorReply::Tag::hello && !confined_) {
        if (reply.failed != 0) {
            log_error("the ELF inspector cannot {}: {}; no new Go process can be recognised",
                      confinement_step(reply.step), errno_words(reply.failed));
            return true;  // its end follows
        }
        confined_ = true;
        if (reply.kept_uid != 0 && !std::exchange(told_kept_uid_, true)) {
            log_warning(
                "the ELF inspector keeps its user, since CAP_SETUID or CAP_SETGID is missing; it has neither "
                "capabilities nor the system calls to use it");
        }
        return true;
    }
    if (reply.tag != InspectorReply::Tag::answer || !confined_ || asked_.empty() || reply.id != asked_.front().id) {
        ended = "the inspector gave an answer to no question while reading it";
        return false;
    }
    answers.push_back({reply.id, understand(reply)});
    asked_.pop_front();
    ++answered_;
    ++progress_;
    return true;
}

void Inspector::child_is_gone(std::string why, std::vector<Answer>& answers) {
    const bool was_confined = confined_;
    end_child();          // it may be alive: past its deadline, or talking nonsense
    if (!was_confined) {  // died before it could read anything: no file's fault
        for (const Question& question : asked_) answers.push_back({question.id, {Recognition::Kind::unknown, {}, why}});
        asked_.clear();
        return;
    }
    ++killed_;
    ++progress_;
    if (!asked_.empty()) {
        answers.push_back({asked_.front().id, {Recognition::Kind::failed, {}, std::move(why)}});
        asked_.pop_front();
    }
    auto left = std::exchange(asked_, {});
    for (Question& question : left) {
        const std::uint64_t id = question.id;
        if (auto again = ask(id, std::move(question.executable)); !again) {
            answers.push_back({id, {Recognition::Kind::unknown, {}, to_string(again.error())}});
        }
    }
}

std::vector<Inspector::Answer> Inspector::collect() {
    std::vector<Answer> answers;
    reap();
    while (child_ != 0) {
        std::string ended;
        if (receive(answers, ended)) continue;
        if (ended.empty()) break;
        child_is_gone(std::move(ended), answers);
    }
    return answers;
}

std::vector<Inspector::Answer> Inspector::tick(MonoTime now) {
    std::vector<Answer> answers = collect();
    if (child_ == 0) {
        waiting_ = false;
        return answers;
    }
    if (const bool waits = !asked_.empty(); waits != waiting_ || progress_ != seen_progress_) {
        waiting_ = waits;
        seen_progress_ = progress_;
        since_ = now;
    }
    if (waiting_ && now - since_ >= options_.deadline) {
        confined_ = true;  // alive and silent: take it as the file's doing, or it would be asked for ever
        child_is_gone("the inspector did not answer in time and was given up", answers);
        waiting_ = !asked_.empty();
        seen_progress_ = progress_;
        since_ = now;
    } else if (!waiting_ && now - since_ >= options_.idle) {
        retire();
    }
    return answers;
}

/// Closing our end is what tells a child to go.
void Inspector::retire() {
    socket_.reset();
    if (child_ != 0) ended_.push_back(std::exchange(child_, 0));
    reap();
}

/// A child that has another user id by now cannot be signalled without CAP_KILL, which the unit withholds: it ends with
/// its socket, or at its limit of CPU time.
void Inspector::end_child() {
    if (child_ != 0) (void)::kill(child_, SIGKILL);
    retire();
}

void Inspector::reap() {
    std::erase_if(ended_, [](pid_t pid) {
        const pid_t got = ::waitpid(pid, nullptr, WNOHANG);
        return got == pid || (got < 0 && errno == ECHILD);
    });
}

}  // namespace gotuned
