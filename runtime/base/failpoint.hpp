// Places where a test can have the process die.
//
// A step that must survive a crash right after it names itself:
//
//   failpoint("create.inserted");
//
// Where the environment variable GREENROOM_FAILPOINT has that very name, the
// process kills itself there, as `kill -9` would. Without the variable a call
// costs one comparison. Thread-safe.
#pragma once

#include <string_view>

namespace greenroom {

void failpoint(std::string_view name);

} // namespace greenroom
