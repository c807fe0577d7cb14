// Where a program of the host lies.
#pragma once

#include <filesystem>
#include <string>

namespace greenroom {

/// The absolute path by which this process would start `name`: that of the
/// first directory of PATH that has it. Empty where none has.
std::filesystem::path find_program(const std::string& name);

} // namespace greenroom
