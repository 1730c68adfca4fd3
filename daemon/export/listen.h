// Opens the sockets of a `listen:` address: "127.0.0.1:9713", "[::1]:9713", "unix:/path".
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace gotuned {

/// A listening, non-blocking stream socket. A unix socket that nobody answers on (a dead daemon's) is replaced, any
/// other file is not. Errors: not an address, in use, not permitted.
Result<Fd> listen_on(const std::string& address, unsigned unix_mode = 0660);
/// "127.0.0.1:43121", "[::1]:9713", "unix:/path": what a listening socket is bound to.
std::string bound_address(int socket);

}  // namespace gotuned
