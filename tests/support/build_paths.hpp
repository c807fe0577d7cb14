// Where this build has its sources and its programs. Only build_paths.cpp
// knows, so that all other objects are the same in every folder.
#pragma once

#include <filesystem>

namespace greenroom::test {

std::filesystem::path source_dir();
std::filesystem::path binary_dir();

} // namespace greenroom::test
