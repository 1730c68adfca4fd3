// As on a full disk, as long as it lives: files of this process may not grow beyond so many bytes.
#pragma once

#include <signal.h>
#include <sys/resource.h>

#include "catch.h"

namespace gotuned::test {

class FullDisk {
public:
    explicit FullDisk(rlim_t room = 0) {
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
        handler_ = ::signal(SIGXFSZ, SIG_IGN);
        const rlimit none{room, before_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int) = nullptr;
};

}  // namespace gotuned::test
