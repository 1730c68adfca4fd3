#include "rulebook/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/sha256.h"
#include "base/text.h"
#include "rulebook/match.h"
#include "rulebook/rule_checks.h"
#include "rulebook/rule_reader.h"
#include "rulebook/rulebook_tables.h"
#include "rulebook/table.h"

namespace gotuned {
namespace {

using Kind = YamlNode::Kind;

/// A name that becomes the label `service`: one word, printable, not too long.
bool is_target_name(std::string_view name) {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    return !name.empty() && name.size() <= 63 && letters.find(name.front()) != std::string_view::npos &&
           name.find_first_not_of(std::string(letters) + "._-") == std::string_view::npos;
}

class Compiler {
public:
    explicit Compiler(const SourceSet& sources) : sources_(sources) {}

    tl::expected<RulebookPtr, Diagnostics> run() {
        for (const SourceText& source : sources_.files) parse(source, rulebook_table());
        if (sources_.profile_file) parse(*sources_.profile_file, profile_table());
        for (const Parsed& parsed : files_) targets(parsed);
        for (const Parsed& parsed : files_) overrides(parsed);
        for (const Parsed& parsed : files_) rules(parsed);
        unknown_overrides();
        check_yields_to(rules_, errors_);
        check_owners(rules_, errors_);
        check_app(rules_, rulebook_->targets, errors_);
        if (!errors_.none()) return tl::unexpected(errors_.take());
        return result();
    }

private:
    struct Parsed {
        YamlFile file{};
        bool packaged = false;
        bool profile = false;
    };

    void parse(const SourceText& source, const Table& table) {
        Diagnostics errors;
        YamlFile file = parse_yaml(source.path, source.text, errors);
        for (Diagnostic& error : errors) errors_.add(std::move(error));
        const bool profile = sources_.profile_file && &source == &*sources_.profile_file;
        if (!file.empty) check_map(file, file.root, table, errors_);
        files_.push_back({std::move(file), source.packaged, profile});
    }

    /// The named maps under a key of the root ("targets", "overrides").
    template <typename F>
    static void each_named(const Parsed& parsed, std::string_view key, F&& function) {
        const YamlNode* map = parsed.file.root.find(key);
        if (map == nullptr || !map->is(Kind::map)) return;
        for (std::size_t i = 0; i < map->keys.size(); ++i) {
            if (map->items[i].is(Kind::map)) function(map->keys[i], map->items[i]);
        }
    }

    void targets(const Parsed& parsed) {
        each_named(parsed, "targets", [&](const YamlNode& key, const YamlNode& map) {
            const YamlFile& file = parsed.file;
            if (!is_target_name(key.text)) {
                errors_.add(file, key.offset, fmt::format("{} is not a name for a target", clean_text(key.text, 60)),
                            "letters, digits, '.', '_' and '-': it becomes the label service");
            }
            if (!target_names_.insert(key.text).second) {
                errors_.add(file, key.offset, fmt::format("target {} is defined twice", clean_text(key.text, 60)));
                return;
            }
            TargetDefinition target{.name = key.text, .place = file.place(key.offset)};
            clauses(file, map.find("match"), target.match);
            clauses(file, map.find("not"), target.not_);
            if (const YamlNode* metrics = map.find("metrics"); metrics != nullptr && metrics->is(Kind::scalar)) {
                target.metrics = metrics->text;
                if (auto wrong = check_loopback_url(target.metrics); !wrong)
                    errors_.add(file, metrics->offset,
                                fmt::format("{} is no address of a metrics page: {}", clean_text(metrics->text, 120),
                                            wrong.error().what),
                                wrong.error().hint);
            }
            if (const YamlNode* match = map.find("match");
                match != nullptr && match->is(Kind::map) && match->keys.empty()) {
                errors_.add(file, match->offset, "match is empty",
                            "a target matches by something; leave targets out for every Go process");
            }
            rulebook_->targets.push_back(std::move(target));
        });
    }
    void clauses(const YamlFile& file, const YamlNode* map, std::vector<MatchClause>& out) {
        if (map == nullptr || !map->is(Kind::map)) return;
        for (std::size_t i = 0; i < map->keys.size(); ++i) {
            const auto key = parse_match_key(map->keys[i].text);
            if (!key) continue;
            MatchClause clause{.key = *key};
            for (const YamlNode* text : read_texts(&map->items[i])) {
                auto pattern = make_pattern(*key, text->text);
                if (!pattern) {
                    errors_.add(file, file.offset_in(*text, pattern.error().offset), pattern.error().message,
                                pattern.error().hint);
                    continue;
                }
                clause.patterns.push_back(text->text);
                if (const std::string name = (*pattern)->environment(); !name.empty())
                    rulebook_->environment.insert(name);
                clause.compiled.push_back(std::move(*pattern));
            }
            out.push_back(std::move(clause));
        }
    }

    void overrides(const Parsed& parsed) {
        each_named(parsed, "overrides", [&](const YamlNode& key, const YamlNode& map) {
            if (parsed.profile) {
                profile_[key.text] = {&parsed.file, &map};
            } else {
                auto& earlier = overrides_[key.text];
                for (const YamlNode& field : map.keys) twice(parsed.file, key, field, earlier);
                earlier.push_back({&parsed.file, &map});
            }
            override_at_.push_back({&parsed, &key});
        });
    }
    void twice(const YamlFile& file, const YamlNode& rule, const YamlNode& field, const std::vector<YamlMap>& earlier) {
        for (const YamlMap& other : earlier) {
            if (other.node->find(field.text) == nullptr) continue;
            const Place place = other.file->place(other.node->offset);
            errors_.add(
                file, field.offset,
                fmt::format("{} of {} is overridden twice", clean_text(field.text, 60), clean_text(rule.text, 64)),
                fmt::format("also at {}:{}", clean_text(place.file), place.line));
        }
    }
    void unknown_overrides() {
        std::vector<std::string_view> names;
        for (const ReadRule& read : rules_) names.push_back(read.rule.name);
        for (const auto& [parsed, key] : override_at_) {
            if (std::find(names.begin(), names.end(), key->text) != names.end()) continue;
            if (parsed->profile && !sources_.packaged_whole) continue;  // its rule is masked or replaced
            errors_.add(parsed->file, key->offset,
                        fmt::format("an override of an unknown rule: {}", clean_text(key->text, 64)),
                        did_you_mean(key->text, names));
        }
    }

    void rules(const Parsed& parsed) {
        const YamlNode* list = parsed.profile ? nullptr : parsed.file.root.find("rules");
        if (list == nullptr || !list->is(Kind::sequence)) return;
        for (const YamlNode& node : list->items) {
            const YamlNode* name = node.find("name");
            if (!node.is(Kind::map) || name == nullptr || !name->is(Kind::scalar)) continue;
            const auto [first, is_new] = rule_at_.emplace(name->text, parsed.file.place(name->offset));
            if (!is_new) {
                errors_.add(
                    parsed.file, name->offset, fmt::format("a second rule named {}", clean_text(name->text, 64)),
                    fmt::format(
                        "the first is at {}:{}; overrides change one thing of it, a file of its name replaces it",
                        clean_text(first->second.file), first->second.line));
                continue;
            }
            RuleSource source{
                .own = {&parsed.file, &node}, .profile_name = sources_.profile, .packaged = parsed.packaged};
            if (const auto found = overrides_.find(name->text); found != overrides_.end())
                source.overrides = found->second;
            if (const auto found = profile_.find(name->text); found != profile_.end() && parsed.packaged)
                source.profile = found->second;
            rules_.push_back(read_rule(source, {target_names_, sources_.unsafe_bounds, errors_}));
        }
    }

    void need(const ExpressionPtr& expression) {
        if (expression == nullptr) return;
        Expression::Needs needs = expression->needs();
        rulebook_->environment.insert(needs.environment.begin(), needs.environment.end());
        Expression::Needs& all = rulebook_->needs;
        all.signals.merge(needs.signals);
        all.sysctls.merge(needs.sysctls);
        all.environment.merge(needs.environment);
        all.originals.merge(needs.originals);
        all.app.merge(needs.app);
        rulebook_->outside.queries.insert(needs.queries.begin(), needs.queries.end());
        all.queries.merge(needs.queries);
    }
    void need_page(const Rule& rule, const std::string& target) {
        for (const TargetDefinition& definition : rulebook_->targets) {
            if (definition.name != target || rule.app.empty()) continue;
            OutsideWanted::App& page = rulebook_->outside.app[target];
            page.url = definition.metrics;
            for (const std::string& text : rule.app)
                if (auto selector = parse_sample_selector(text)) page.samples.emplace(text, std::move(*selector));
        }
    }
    RulebookPtr result() {
        // The operator's rules win a knob over packaged ones.
        std::stable_partition(rules_.begin(), rules_.end(), [](const ReadRule& read) { return !read.rule.packaged; });
        for (ReadRule& read : rules_) {
            Rule& rule = read.rule;
            need(rule.when);
            need(rule.verify.expect);
            need(rule.undo_when);
            for (const Adjust& adjust : rule.adjust) {
                need(adjust.to);
                constexpr std::string_view sysctl = "sysctl.";
                if (adjust.knob.starts_with(sysctl)) rulebook_->needs.sysctls.insert(adjust.knob.substr(sysctl.size()));
            }
            for (const std::string& name : rule.targets) need_page(rule, name);
            rulebook_->rules.push_back(std::move(rule));
        }
        rulebook_->profile = sources_.profile;
        rulebook_->sha256 = sha256_of(sources_);
        for (const Parsed& parsed : files_) rulebook_->files.push_back(parsed.file.path);
        return rulebook_;
    }

    const SourceSet& sources_;
    Errors errors_{};
    std::deque<Parsed> files_{};  ///< a deque: places point into it
    std::set<std::string> target_names_{};
    std::map<std::string, std::vector<YamlMap>, std::less<>> overrides_{};
    std::map<std::string, YamlMap, std::less<>> profile_{};
    std::vector<std::pair<const Parsed*, const YamlNode*>> override_at_{};
    std::map<std::string, Place, std::less<>> rule_at_{};
    std::vector<ReadRule> rules_{};
    std::shared_ptr<Rulebook> rulebook_ = std::make_shared<Rulebook>();
};

}  // namespace

tl::expected<RulebookPtr, Diagnostics> compile_rulebook(const SourceSet& sources) { return Compiler(sources).run(); }

std::string sha256_of(const SourceSet& sources) {
    std::string all;
    const auto take = [&](const SourceText& source) {
        // Lengths before contents, so that no two sets of files read the same.
        all += fmt::format("{} {} {} {}\n", source.packaged ? "packaged" : "operator", source.name().size(),
                           source.name(), source.text.size());
        all += source.text;
    };
    for (const SourceText& source : sources.files) take(source);
    if (sources.profile_file) take(*sources.profile_file);
    return sha256(all);
}

}  // namespace gotuned
