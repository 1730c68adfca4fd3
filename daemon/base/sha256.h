// SHA-256 (FIPS 180-4) of small texts: names what was loaded (gotuned_rulebook_info, last-good).
// Our own sixty lines, because none of the linked libraries has one that we may call (libmicrohttpd keeps its TLS
// library to itself) and AF_ALG may be switched off. It is a fingerprint, never a defence against forgery.
#pragma once

#include <string>
#include <string_view>

namespace gotuned {

/// 64 lower-case hexadecimal digits.
std::string sha256(std::string_view data);

}  // namespace gotuned
