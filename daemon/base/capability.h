// Which capabilities this thread has in effect: for reasons why something cannot be done. Changes none.
#pragma once

namespace gotuned {

/// By number of linux/capability.h. False also when the kernel does not say.
bool has_capability(int capability);

}  // namespace gotuned
