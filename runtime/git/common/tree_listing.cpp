#include "runtime/git/common/tree_listing.hpp"

#include "runtime/base/sizes.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace greenroom::git {

namespace {

constexpr int type_column = 2;
constexpr int size_column = 4;

bool has_too_many(const tree_size& found, const tree_limits& limits) {
  return limits.files != 0
         && std::max(found.files, found.directories) > limits.files;
}

} // namespace

void listing_counter::take(std::string_view piece) {
  for (auto c : piece) {
    if (c == '\n') {
      ++(is_directory_ ? found_.directories : found_.files);
      found_.bytes += size_;
      is_directory_ = false;
      column_ = 0;
      size_ = 0;
      in_name_ = in_word_ = false;
    } else if (c == '\t') {
      in_name_ = true;
    } else if (!in_name_) {
      if (c != ' ' && !in_word_ && ++column_ == type_column)
        is_directory_ = c == 't';
      in_word_ = c != ' ';
      if (column_ == size_column && c >= '0' && c <= '9')
        size_ = size_ * 10 + static_cast<std::uint64_t>(c - '0');
    }
  }
}

tree_size read_listing(int from, const tree_limits& limits) {
  listing_counter counter;
  std::vector<char> buffer(std::size_t{64} << 10);
  while (!why_too_large(counter.found(), limits)) {
    auto size = ::read(from, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0)
      break;
    counter.take({buffer.data(), static_cast<std::size_t>(size)});
  }
  return counter.found();
}

std::optional<std::string> why_too_large(const tree_size& found,
                                         const tree_limits& limits) {
  if (has_too_many(found, limits))
    return "the branch has more than " + std::to_string(limits.files)
           + (found.directories > found.files ? " directories" : " files")
           + ", which is all that a session may have (sandbox.files)";
  if (limits.bytes != 0 && found.bytes > limits.bytes)
    return "the branch's files take more than " + format_size(limits.bytes)
           + ", which is all that a session may have (sandbox.disk)";
  return std::nullopt;
}

} // namespace greenroom::git
