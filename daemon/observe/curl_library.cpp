#include "observe/curl_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace gotuned {
namespace {

template <typename F>
bool find(void* library, const char* name, F& function) {
    function = reinterpret_cast<F>(::dlsym(library, name));  // as dlsym(3) wants it
    return function != nullptr;
}

Result<const CurlLibrary*> load_once() {
    constexpr const char* file = "libcurl.so.4";
    void* const library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);  // stays for good
    if (library == nullptr)
        return fail(fmt::format("{} cannot be loaded: {}", file, ::dlerror()), 0, {}, "install libcurl4");
    static CurlLibrary curl;
    decltype(&::curl_global_init) global_init = nullptr;
    const bool all =
        find(library, "curl_global_init", global_init) && find(library, "curl_easy_init", curl.easy_init) &&
        find(library, "curl_easy_cleanup", curl.easy_cleanup) && find(library, "curl_easy_setopt", curl.easy_setopt) &&
        find(library, "curl_easy_getinfo", curl.easy_getinfo) &&
        find(library, "curl_easy_strerror", curl.easy_strerror) &&
        find(library, "curl_easy_escape", curl.easy_escape) && find(library, "curl_free", curl.free) &&
        find(library, "curl_multi_init", curl.multi_init) && find(library, "curl_multi_cleanup", curl.multi_cleanup) &&
        find(library, "curl_multi_add_handle", curl.multi_add_handle) &&
        find(library, "curl_multi_remove_handle", curl.multi_remove_handle) &&
        find(library, "curl_multi_perform", curl.multi_perform) && find(library, "curl_multi_poll", curl.multi_poll) &&
        find(library, "curl_multi_info_read", curl.multi_info_read);
    if (!all) return fail(fmt::format("{} is too old", file), 0, {}, "libcurl 7.66 has what is needed");
    if (global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return fail(fmt::format("{} does not start", file));
    return &curl;
}

}  // namespace

Result<const CurlLibrary*> CurlLibrary::load() {
    static const Result<const CurlLibrary*> loaded = load_once();
    return loaded;
}

}  // namespace gotuned
