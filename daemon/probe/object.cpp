#include "probe/object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <cerrno>

#include "probe/features.h"

namespace gotuned {
namespace {

using Opened = std::unique_ptr<bpf_object, BpfObjectClose>;
/// Programs that the kernel refused, with the reason.
using Refused = std::map<std::string, std::string>;

Opened open_object(const BpfObjectSource& source) {
    bpf_object_open_opts options{};
    options.sz = sizeof options;
    options.object_name = source.name.c_str();
    Opened object(bpf_object__open_mem(source.elf.data(), source.elf.size(), &options));
    if (object == nullptr) return object;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object.get()) {
        if (source.attach_type != 0)
            bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(source.attach_type));
    }
    for (const auto& [name, entries] : {std::pair{"slots", source.counters}, std::pair{"watched", source.slots}})
        if (bpf_map* const map = bpf_object__find_map_by_name(object.get(), name); map != nullptr)
            bpf_map__set_max_entries(map, entries);
    for (const auto& [name, fd] : source.maps)
        if (bpf_map* const map = bpf_object__find_map_by_name(object.get(), name.c_str());
            map != nullptr && bpf_map__reuse_fd(map, fd) != 0)
            return {};
    return object;
}

/// Loads all programs for which `wanted` is true; 0 or a negative errno.
template <typename Wanted>
int load_those(bpf_object& object, Wanted wanted) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, &object)
        bpf_program__set_autoload(program, wanted(std::string(bpf_program__name(program))));
    return bpf_object__load(&object);
}

std::vector<std::string> program_names(const bpf_object& object) {
    std::vector<std::string> names;
    for (const bpf_program* program = bpf_object__next_program(&object, nullptr); program != nullptr;
         program = bpf_object__next_program(&object, const_cast<bpf_program*>(program)))
        names.emplace_back(bpf_program__name(program));
    return names;
}

/// A tracepoint that this kernel does not have. libbpf would go on to look for it in the types of modules, which only
/// CAP_SYS_ADMIN may list, and say "not permitted".
bool lacks_tracepoint(const btf& types, const bpf_object& object, const std::string& program) {
    const bpf_program* const found = bpf_object__find_program_by_name(&object, program.c_str());
    constexpr std::string_view kind = "tp_btf/";
    const std::string_view section = found == nullptr ? "" : bpf_program__section_name(found);
    if (!section.starts_with(kind)) return false;
    const std::string name = "btf_trace_" + std::string(section.substr(kind.size()));
    return btf__find_by_name_kind(&types, name.c_str(), BTF_KIND_TYPEDEF) < 0;
}

/// One refused program keeps libbpf from loading the whole object: finds out which ones, one at a time.
Refused refused_programs(const BpfObjectSource& source, const std::vector<std::string>& names,
                         const ProbeFeatures& features) {
    Refused refused;
    const KernelTypes types = load_kernel_types();
    for (const auto& name : names) {
        const Opened object = open_object(source);
        if (object == nullptr) continue;
        if (types != nullptr && lacks_tracepoint(*types, *object, name)) {
            refused[name] = refusal_words(ESRCH, features, {});
            continue;
        }
        const int error = load_those(*object, [&name](const std::string& other) { return other == name; });
        if (error != 0) refused[name] = refusal_words(-error, features, last_libbpf_warning());
    }
    return refused;
}

/// libbpf 1.6 and newer map an object's variables in loading it. As in mapping.cpp: they are none of a child's
/// business.
void hide_variables(const bpf_object& object) {
    bpf_map* const variables = bpf_object__find_map_by_name(&object, ".bss");
    std::size_t size = 0;
    const void* const address = variables == nullptr ? nullptr : bpf_map__initial_value(variables, &size);
    if (address == nullptr) return;
    (void)::madvise(const_cast<void*>(address), size, MADV_DONTFORK);
}

}  // namespace

void BpfObjectClose::operator()(bpf_object* object) const { bpf_object__close(object); }

void BpfLinkDestroy::operator()(bpf_link* link) const { bpf_link__destroy(link); }

Result<BpfObject> BpfObject::load(const BpfObjectSource& source, const ProbeFeatures& features) {
    BpfObject result;
    result.features_ = features;
    Opened object = open_object(source);
    if (object == nullptr) return fail("cannot open the BPF object " + source.name, errno);
    const std::vector<std::string> names = program_names(*object);
    Refused refused;
    int error = load_those(*object, [](const std::string&) { return true; });
    std::string said = last_libbpf_warning();
    if (error != 0) {
        refused = refused_programs(source, names, features);
        object = open_object(source);
        error = object == nullptr
                    ? -errno
                    : load_those(*object, [&](const std::string& name) { return !refused.contains(name); });
        if (error != 0) said = last_libbpf_warning();
    }
    if (error != 0) return fail(refusal_words(-error, features, said));
    for (const auto& name : names) {
        Program program;
        program.name = name;
        if (const auto found = refused.find(name); found != refused.end())
            program.reason = found->second;
        else
            program.loaded = bpf_object__find_program_by_name(object.get(), name.c_str());
        result.programs_.push_back(std::move(program));
    }
    hide_variables(*object);
    result.object_ = std::move(object);
    return result;
}

BpfObject::Program* BpfObject::find(const std::string& program) {
    for (auto& candidate : programs_)
        if (candidate.name == program) return &candidate;
    return nullptr;
}

const BpfObject::Program* BpfObject::find(const std::string& program) const {
    return const_cast<BpfObject*>(this)->find(program);
}

template <typename Make>
Status BpfObject::attach_by(const std::string& program, Make make) {
    Program* const found = find(program);
    if (found == nullptr || found->loaded == nullptr)
        return fail("cannot attach " + program + ": " +
                    (found == nullptr ? "there is no such program" : found->reason));
    if (found->link != nullptr) return {};
    found->link.reset(make(found->loaded));
    if (found->link == nullptr) {
        const int code = errno;
        found->reason = refusal_words(code, features_, last_libbpf_warning());
        return fail("cannot attach " + program, code, {}, found->reason);
    }
    found->reason.clear();
    return {};
}

Status BpfObject::attach(const std::string& program) {
    return attach_by(program, [](bpf_program* loaded) { return bpf_program__attach(loaded); });
}

Status BpfObject::attach_cgroup(const std::string& program, int cgroup) {
    return attach_by(program, [cgroup](bpf_program* loaded) { return bpf_program__attach_cgroup(loaded, cgroup); });
}

void BpfObject::detach(const std::string& program) {
    if (Program* const found = find(program)) found->link.reset();
}

void BpfObject::leave_out(const std::string& program, const std::string& reason) {
    if (Program* const found = find(program)) {
        found->link.reset();
        if (found->reason.empty()) found->reason = reason;
    }
}

bool BpfObject::attached(const std::string& program) const {
    const Program* const found = find(program);
    return found != nullptr && found->link != nullptr;
}

int BpfObject::program_fd(const std::string& program) const {
    const Program* const found = find(program);
    return found == nullptr || found->loaded == nullptr ? -1 : bpf_program__fd(found->loaded);
}

int BpfObject::link_fd(const std::string& program) const {
    const Program* const found = find(program);
    return found == nullptr || found->link == nullptr ? -1 : bpf_link__fd(found->link.get());
}

int BpfObject::map_fd(const std::string& map) const {
    const int fd = bpf_object__find_map_fd_by_name(object_.get(), map.c_str());
    return fd < 0 ? -1 : fd;
}

}  // namespace gotuned
