// Damage that keeps a file's length, as of blocks that the disk has lost.
#pragma once

#include "runtime/base/files.hpp"

#include <cstddef>
#include <filesystem>
#include <random>
#include <string>

namespace greenroom::test {

/// Puts random bytes in place of all from byte `begin` on. Returns false where
/// there are none.
inline bool garble(const std::filesystem::path& file, std::size_t begin,
                   std::minstd_rand& random) {
  auto text = read_file(file).value_or("");
  if (begin >= text.size())
    return false;
  for (auto i = begin; i < text.size(); ++i)
    text[i] = static_cast<char>(random() % 256);
  write_file_atomic(file, text, 0600, false);
  return true;
}

} // namespace greenroom::test
