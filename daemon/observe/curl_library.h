// libcurl, loaded when something is first read over HTTP: it brings 6 MiB of libraries into the daemon's memory, and
// most rulebooks ask for nothing outside. Private to this room.
#pragma once

#include <curl/curl.h>

#include "base/result.h"

namespace gotuned {

/// Those of its functions that we call, under the names that they have there.
struct CurlLibrary {
    decltype(&::curl_easy_init) easy_init = nullptr;
    decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
    decltype(&::curl_easy_setopt) easy_setopt = nullptr;
    decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
    decltype(&::curl_easy_strerror) easy_strerror = nullptr;
    decltype(&::curl_easy_escape) easy_escape = nullptr;
    decltype(&::curl_free) free = nullptr;
    decltype(&::curl_multi_init) multi_init = nullptr;
    decltype(&::curl_multi_cleanup) multi_cleanup = nullptr;
    decltype(&::curl_multi_add_handle) multi_add_handle = nullptr;
    decltype(&::curl_multi_remove_handle) multi_remove_handle = nullptr;
    decltype(&::curl_multi_perform) multi_perform = nullptr;
    decltype(&::curl_multi_poll) multi_poll = nullptr;
    decltype(&::curl_multi_info_read) multi_info_read = nullptr;

    /// Loads it once; every later call gives the same. Errors: it is not installed (the package recommends it).
    static Result<const CurlLibrary*> load();
};

}  // namespace gotuned
