#include "runtime/git/session/tree_bound.hpp"

#include "messages/errors.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/sizes.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace greenroom::git {

namespace {

constexpr std::uint64_t counting_memory = std::uint64_t{2} << 30;
constexpr std::chrono::minutes timeout{10};
constexpr int size_column = 4;

bool is_over(const tree_size& found, const tree_limits& limits) {
  return (limits.files != 0 && found.files > limits.files)
         || (limits.bytes != 0 && found.bytes > limits.bytes);
}

// Until the listing ends, or is more than may be, which `enough` tells.
tree_size read_listing(unique_fd from, const tree_limits& limits, int enough) {
  listing_counter counter;
  std::vector<char> buffer(std::size_t{64} << 10);
  while (!is_over(counter.found(), limits)) {
    auto size = ::read(from.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0)
      break;
    counter.take({buffer.data(), static_cast<std::size_t>(size)});
  }
  ::eventfd_write(enough, 1);
  return counter.found();
}

[[noreturn]] void refuse(const tree_size& found, const tree_limits& limits) {
  const auto many = limits.files != 0 && found.files > limits.files;
  throw refused{
    errc::conflict,
    many ? "the branch has more than " + std::to_string(limits.files)
             + " files, which is all that a session may have "
               "(sandbox.files)"
         : "the branch's files take more than " + format_size(limits.bytes)
             + ", which is all that a session may have "
               "(sandbox.disk)"};
}

} // namespace

void listing_counter::take(std::string_view piece) {
  for (auto c : piece) {
    if (c == '\n') {
      ++found_.files;
      found_.bytes += size_;
      column_ = 0;
      size_ = 0;
      in_name_ = in_word_ = false;
    } else if (c == '\t') {
      in_name_ = true;
    } else if (!in_name_) {
      if (c != ' ' && !in_word_)
        ++column_;
      in_word_ = c != ' ';
      if (column_ == size_column && c >= '0' && c <= '9')
        size_ = size_ * 10 + static_cast<std::uint64_t>(c - '0');
    }
  }
}

void check_tree(const std::filesystem::path& git_dir, const std::string& tree,
                const tree_limits& limits) {
  if (limits.files == 0 && limits.bytes == 0)
    return;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a pipe");
  unique_fd reader{ends[0]};
  unique_fd writer{ends[1]};
  const unique_fd enough{::eventfd(0, EFD_CLOEXEC)};
  if (!enough)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make an eventfd");
  tree_size found;
  std::optional<command_result> result;
  {
    std::jthread counting{
      [&found, &limits, &enough, from = std::move(reader)]() mutable {
        found = read_listing(std::move(from), limits, enough.get());
      }};
    const auto to = std::move(writer); // it ends by this, whatever is thrown
    server_git call{git_dir, {"ls-tree", "-r", "-l", tree}};
    call.stdout_fd = to.get();
    call.timeout = timeout;
    call.max_memory = counting_memory;
    result = run_until(call, enough.get());
  }
  if (is_over(found, limits))
    refuse(found, limits);
  if (result && !result->ok())
    throw std::runtime_error{"cannot list the branch's files: "
                             + reason(*result)};
}

} // namespace greenroom::git
