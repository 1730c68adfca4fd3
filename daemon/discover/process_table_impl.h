// The state behind ProcessTable. Private to the room and its tests.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/worker.h"
#include "discover/binary_cache.h"
#include "discover/inspector.h"
#include "discover/process_facts.h"
#include "discover/process_table.h"
#include "discover/unit_files.h"

namespace gotuned {

class ScanningProcessTable final : public ProcessTable {
public:
    struct Options {
        Roots roots{};
        Callbacks callbacks{};
        std::string unit_root{};  ///< before /etc/systemd and the like; for tests
        Inspector::Options inspector{};
        std::string (*user_name)(uid_t) = ask_user_name;  ///< may block; for tests
    };
    explicit ScanningProcessTable(Options options);

    Status scan() override;
    void executed(pid_t pid, std::uint64_t dev, std::uint64_t inode) override;
    void exited(pid_t pid) override;
    [[nodiscard]] int answer_fd() const override;
    void complete() override;
    void tick(MonoTime now) override;
    [[nodiscard]] const std::map<pid_t, std::shared_ptr<const GoProcess>>& processes() const override {
        return processes_;
    }
    void keep_environment(const std::set<std::string>& names) override;
    [[nodiscard]] Counts counts() const override;

    /// The inspector's child, 0 when none runs (tests).
    [[nodiscard]] pid_t inspector_child() const { return inspector_ ? inspector_->child() : 0; }
    /// Binaries that wait for an answer (tests).
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    /// Of those: that are being opened (tests).
    [[nodiscard]] std::size_t opening() const { return opening_; }

private:
    /// An executable that is being inspected, and who runs it.
    struct Waiting {
        std::set<pid_t> pids{};
        std::set<EventKey> events{};  // how exec events named it
    };
    enum class Why : std::uint8_t { walk, event, answer };

    void look(pid_t pid, Why why, const EventKey& event);
    Status look_once(pid_t pid, Why why, const EventKey& event);
    Status admit(const ProcessReader& process, const BinaryKey& key, const GoBuild& build);
    void pass_from_now_on(const BinaryKey& key, const EventKey& event);
    void lose(pid_t pid);
    void queue(pid_t pid, const BinaryKey& key, const EventKey& event);
    void ask_more();
    static Result<Fd> open_of(const Roots& roots, const BinaryKey& key, const std::set<pid_t>& pids);
    void opened(const BinaryKey& key, const std::set<pid_t>& tried, Result<Fd>& file);
    void ask_for_names();
    void named(uid_t uid, const std::string& name);
    void answered(std::vector<Inspector::Answer> answers);
    void check_passed();
    void recheck_units();

    Roots roots_;
    Callbacks callbacks_;
    std::unique_ptr<Inspector> inspector_;  // null: could not be made, inspector_error_ says why
    Error inspector_error_{};
    UserNames users_;
    UnitFiles units_;
    BinaryCache cache_;
    std::set<std::string> names_;
    std::map<pid_t, std::shared_ptr<const GoProcess>> processes_;
    std::map<pid_t, ImageMark> marks_;  // of processes_
    std::map<BinaryKey, Waiting> waiting_;
    std::map<std::uint64_t, BinaryKey> questions_;  // under way
    std::deque<BinaryKey> queue_;                   // not asked yet
    std::uint64_t next_question_ = 1;
    MonoTime units_checked_{};
    bool stalled_ = false;     // no inspector could be had: not before the next tick
    bool overflowed_ = false;  // more binaries waited than are kept: walk again when the queue is empty
    Counts counts_{};
    std::size_t in_flight_ = 0;  ///< most binaries that are opened or inspected at once
    std::size_t opening_ = 0;
    std::string (*user_name_)(uid_t);
    Fd poll_;  // epoll: of the inspector and the worker
    /// Opens executables, which a dead file system never answers, and asks for users' names. The last: it ends first.
    Worker worker_;
};

}  // namespace gotuned
